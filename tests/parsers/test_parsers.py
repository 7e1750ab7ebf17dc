"""Every format becomes clean text with a title; every broken file becomes one plain sentence."""

import io
import re
import threading
import unicodedata
import zipfile

import docx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.errors import DocumentError
from relance.parsers import Raw, installed_parsers
from relance.parsers.media_types import language_of, media_type_of


def read(name, data, **options):
    data = data.encode() if isinstance(data, str) else data
    return installed_parsers().parse(Raw(data, name, media_type_of(name), **options))


def reason(name, data, **options):
    with pytest.raises(DocumentError) as caught:
        read(name, data, **options)
    assert caught.value.uri == name
    assert "\n" not in caught.value.reason
    return caught.value.reason


# Names


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.md", "text/markdown"),
        ("A.MD", "text/markdown"),
        ("x/README", "text/plain"),
        ("x.y/README", "text/plain"),
        ("a.ts", "text/x-typescript"),
        ("Dockerfile", "text/x-dockerfile"),
        ("CMakeLists.txt", "text/x-cmake"),
        ("a.jsonl", "application/x-ndjson"),
        ("a.png", "image/png"),
        ("a.tar.gz", "application/octet-stream"),
        (".gitignore", "application/octet-stream"),
        ("noextension", "application/octet-stream"),
        ("folder.md/file", "application/octet-stream"),
    ],
)
def test_a_name_gives_the_media_type(name, media_type):
    assert media_type_of(name) == media_type


def test_what_has_a_parser_has_a_version_and_nothing_else_has():
    for name in ("a.md", "a.html", "a.pdf", "a.docx", "a.pptx", "a.xlsx", "a.epub", "a.csv", "a.py", "a.json", "a.txt"):
        assert re.fullmatch(r"[a-z]+-\d+(/[a-z0-9]+)?", installed_parsers().version(media_type_of(name)))
    assert not installed_parsers().knows("image/png")
    assert installed_parsers().version("image/png") == ""


# Text


@pytest.mark.parametrize(
    ("name", "language"),
    [("a.py", "python"), ("a.rs", "rust"), ("a.tsx", "tsx"), ("a.sh", "bash"), ("a.yaml", "yaml"), ("a.h", "c")],
)
def test_source_code_keeps_its_language(name, language):
    parsed = read(name, "x = 1\r\n\tdone\n")
    assert (parsed.text, parsed.syntax, parsed.title) == ("x = 1\n\tdone\n", f"code:{language}", "a")
    assert language_of(media_type_of(name)) == language


def test_the_title_of_restructured_text_is_its_first_heading():
    assert read("a.rst", "====\nThe Pump\n====\n\nText\n").title == "The Pump"
    assert read("a.rst", "Intro\n-----\n\nText\n").title == "Intro"


@pytest.mark.parametrize("text", ["", " \n\t\n", "\ufeff\n"])
def test_a_blank_text_is_a_failure(text):
    assert reason("a.txt", text) == ("empty file" if not text else "no text in it")


def test_a_name_that_promises_nothing_is_tried_as_text():
    assert read("noextension", "words").text == "words"
    assert reason("noextension", bytes(50)) == "binary content in a file named noextension"


# Markdown


def test_front_matter_becomes_metadata_and_leaves_the_text():
    parsed = read("a.md", "---\ntitle: The Pump\ndate: 2024-02-29\ntags: [a, b]\n---\n\n# Other\n\nBody\n")
    assert (parsed.title, parsed.text, parsed.syntax) == ("The Pump", "# Other\n\nBody\n", "markdown")
    assert parsed.metadata == {"date": "2024-02-29", "tags": ["a", "b"]}


def test_front_matter_may_be_toml():
    parsed = read("a.md", '+++\ntitle = "The Pump"\nweight = 3\n+++\nBody')
    assert (parsed.title, parsed.text, parsed.metadata) == ("The Pump", "Body", {"weight": 3})


@pytest.mark.parametrize(
    "text",
    [
        "---\nA paragraph between rules.\n---\nmore",
        "---\nkey: [unclosed\n---\nmore",
        "---\nnever: closed\n",
        "text\n---\nkey: value\n---\n",
        "---\n---\n",
        "---\nday: 2024-13-45\n---\nmore",
    ],
)
def test_what_is_no_front_matter_stays_in_the_text(text):
    parsed = read("a.md", text)
    assert (parsed.text, parsed.metadata) == (text, {})


def test_front_matter_that_unfolds_without_end_is_left_out():
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    parsed = read("a.md", f"---\nl0: &l0 [x]\n{levels}ok: 1\n---\nBody")
    assert parsed.text == "Body"
    assert parsed.metadata["ok"] == 1
    assert "l11" not in parsed.metadata


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# The **Pump** and `its_own_name`\n", "The Pump and its_own_name"),
        ("# 5 * 3 and _so_ on\n", "5 * 3 and so on"),
        ("intro\n\n## Second level ##\n", "Second level"),
        ("The Pump\n========\n", "The Pump"),
        ("```\n# a comment\n```\n# Real\n", "Real"),
        ("~~~\n```\n# no\n~~~\n# Real\n", "Real"),
        ("# [Link](http://x.y) here\n", "Link here"),
        ("#hashtag\n\ntext\n", "a"),
        ("| a |\n---\n# T\n", "T"),
        ("no heading", "a"),
    ],
)
def test_the_title_is_the_first_heading_or_the_name(text, title):
    assert read("notes/a.md", text).title == title


# HTML

PAGE = """<!doctype html><html lang="de"><head><meta charset="{charset}"><title>Pumpe | ACME</title>
<style>p {{ color: red }}</style><script>var secret = 1</script></head><body>
<nav><a href="/">Startseite</a> <a href="/shop">Laden</a></nav>
<main><article><h1>{heading}</h1><p>{body}</p><h2>Start</h2><p>Beide Ventile öffnen und den grünen Knopf zwei
Sekunden lang drücken, bis die Lampe leuchtet. <a href="https://example.org/long/address">Zur Zeichnung</a>.</p>
<pre><code>pump --start
  --now</code></pre><table><tr><th>Teil</th><th>Preis</th></tr><tr><td>Ventil</td><td>3</td></tr></table>
<img src="pump.png" alt="Zeichnung der Pumpe"></article></main><footer>Impressum und Cookies</footer></body></html>"""
BODY = "Die Pumpe fördert Wasser aus dem unteren in den oberen Behälter. Sie hat zwei Ventile und einen Motor."


def test_html_keeps_main_text_headings_code_and_tables_and_drops_the_rest():
    parsed = read("a.html", PAGE.format(charset="utf-8", heading="Die Pumpe", body=BODY))
    assert parsed.text.startswith(f"# Die Pumpe\n\n{BODY}\n\n## Start\n\nBeide Ventile")
    assert "pump --start\n  --now" in parsed.text
    assert re.search(r"\| Teil \| Preis \|", parsed.text)
    assert "Zeichnung der Pumpe" in parsed.text
    assert not re.search(r"Startseite|Laden|Impressum|secret|color|example\.org|pump\.png", parsed.text)
    assert (parsed.title, parsed.syntax, parsed.metadata) == ("Die Pumpe", "markdown", {"language": "de"})


@pytest.mark.parametrize(
    ("charset", "encoding", "heading", "body"),
    [
        ("gb2312", "gbk", "水泵", "水泵把水从下面的水箱抽到上面的水箱。它有两个阀门和一个电动机，需要定期检查。" * 3),
        ("big5", "big5", "水泵", "水泵把水從下面的水箱抽到上面的水箱。它有兩個閥門和一個電動機，需要定期檢查。" * 3),
        ("iso-8859-1", "cp1252", "Die “Pumpe”", BODY),
        ("koi8-r", "koi8-r", "Насос", "Насос качает воду из нижнего бака в верхний. У него два клапана." * 3),
        ("klingon", "utf-8", "Die Pumpe", BODY),
        ("gb2312", "utf-8", "水泵", "声明的编码是错的，但正文是UTF-8。" * 6),
    ],
)
def test_html_is_read_in_the_encoding_it_declares_unless_that_is_wrong(charset, encoding, heading, body):
    page = PAGE.format(charset=charset, heading=heading, body=body)
    parsed = read("a.html", page.encode(encoding, "xmlcharrefreplace"))
    assert parsed.title == heading
    assert unicodedata.normalize("NFC", body) in parsed.text


def test_a_page_too_short_to_be_judged_keeps_its_headings():
    page = (
        "<html><head><title>T</title></head><body><nav>Menu</nav><h1>A</h1>hello <b>you</b><h3>B</h3><p>two</p></body>"
    )
    parsed = read("a.html", page)
    assert parsed.text == "# A\n\nhello you\n\n### B\n\ntwo"
    assert parsed.title == "A"


def test_without_a_heading_the_title_is_that_of_the_head():
    assert read("a.html", f"<title>Pump\n manual</title><p>{BODY}</p>").title == "Pump manual"


def test_xhtml_with_an_encoding_declaration_is_read():
    html = f'<html xmlns="http://www.w3.org/1999/xhtml"><body><p>{BODY}</p></body></html>'
    page = f'<?xml version="1.0" encoding="UTF-8"?>{html}'
    assert BODY in read("a.xhtml", page).text


@pytest.mark.parametrize("page", ["<html></html>", "<!-- nothing -->", "<html><body><script>1</script></body></html>"])
def test_html_without_text_is_a_failure(page):
    assert reason("a.html", page) in {"no text in it", "no HTML in it"}


def test_html_nested_without_end_gives_text_or_a_reason():
    try:
        assert "deep" in read("a.html", "<div>" * 20_000 + "deep" + "</div>" * 20_000).text
    except DocumentError as error:
        assert "\n" not in error.reason  # noqa: PT017  # either outcome is right


# PDF


def pdf(pages, title="", trailer=""):
    """Write a PDF with Helvetica lines, one list of lines a page."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        content = "BT /F1 12 Tf 14 TL 72 720 Td " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream".encode("latin-1"))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>".encode()
    objects.append(f"<< /Title ({title}) >>".encode())
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R {trailer} >>\n".encode()
    return out + b"startxref\n%d\n%%%%EOF\n" % start


def test_a_pdf_knows_where_its_pages_begin():
    parsed = read("a.pdf", pdf([["First page.", "More of it."], [], ["Third page."]], title="Pump manual"))
    ends = [*parsed.pages[1:], len(parsed.text)]
    pages = [parsed.text[start:end].strip() for start, end in zip(parsed.pages, ends, strict=True)]
    assert pages == ["First page.\nMore of it.", "", "Third page."]
    assert (parsed.title, parsed.metadata, parsed.syntax) == ("Pump manual", {"page_count": 3}, "text")


def test_a_word_broken_at_the_end_of_a_line_is_whole_again():
    text = read("a.pdf", pdf([["This page shows exam-", "ples of valves."]])).text
    assert text == "This page shows examples of valves."


@pytest.mark.parametrize("title", ["", "Microsoft Word - draft.docx", "untitled", "report.indd"])
def test_a_pdf_nobody_gave_a_title_is_called_by_its_name(title):
    assert read("x/Report 7.pdf", pdf([["Text"]], title=title)).title == "Report 7"


def test_pages_without_a_text_layer_are_a_failure():
    assert reason("a.pdf", pdf([[], []])) == "no text in it; scanned pages?"


def test_an_encrypted_pdf_is_a_failure():
    key = "<" + "5a" * 32 + ">"
    encrypt = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O {key} /U {key} /P -4 >> /ID [<aa> <aa>]"
    assert reason("a.pdf", pdf([["Secret"]], trailer=encrypt)) == "encrypted: this PDF needs a password"


@pytest.mark.parametrize("cut", [9, 60, 300])
def test_a_truncated_pdf_is_a_failure(cut):
    assert reason("a.pdf", pdf([["Text"]])[:cut]) == "truncated or damaged: not a readable PDF"


def test_pdfs_are_read_from_many_threads():
    data = [pdf([[f"Document {n} page {p}"] for p in range(5)]) for n in range(8)]
    texts: dict[int, str] = {}

    def work(number):
        texts[number] = read("a.pdf", data[number]).text

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {n: "\n\n".join(f"Document {n} page {p}" for p in range(5)) for n in range(8)}


# Office documents and e-books


def archive(files, **options):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **options) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return buffer.getvalue()


OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SLIDE = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    f'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:r="{OFFICE}"'
)


def relations(*targets):
    inner = "".join(
        f'<Relationship Id="rId{n}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, 1)
    )
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{inner}</Relationships>'
    )


def types(**parts):
    main = "application/vnd.openxmlformats-officedocument"
    inner = "".join(f'<Override PartName="/{name}" ContentType="{main}.{kind}+xml"/>' for name, kind in parts.items())
    return (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{inner}</Types>'
    )


def shape(placeholder, *lines):
    runs = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in lines)
    head = f'<p:nvSpPr><p:cNvPr id="2" name="x"/><p:cNvSpPr/><p:nvPr>{placeholder}</p:nvPr></p:nvSpPr>'
    return f"<p:sp>{head}<p:spPr/><p:txBody><a:bodyPr/>{runs}</p:txBody></p:sp>"


def slide(tag, *shapes):
    tree = f'<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>{"".join(shapes)}'
    return f"<p:{tag} {SLIDE}><p:cSld><p:spTree>{tree}</p:spTree></p:cSld></p:{tag}>"


def make_docx():
    document = docx.Document()
    document.add_heading("Handbook", 1)
    document.add_paragraph("Über pumps.")
    document.add_heading("Valves", 2)
    table = document.add_table(2, 2)
    for row, cells in enumerate((("Part", "Price"), ("Valve", "3"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def make_pptx():
    main = "presentationml.presentation.main"
    listed = '<p:sldId id="256" r:id="rId1"/>'
    return archive(
        {
            "[Content_Types].xml": types(
                **{"ppt/presentation.xml": main, "ppt/slides/slide1.xml": "presentationml.slide"}
            ),
            "_rels/.rels": relations(("officeDocument", "ppt/presentation.xml")),
            "ppt/presentation.xml": f"<p:presentation {SLIDE}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>",
            "ppt/_rels/presentation.xml.rels": relations(("slide", "slides/slide1.xml")),
            "ppt/slides/slide1.xml": slide("sld", shape('<p:ph type="title"/>', "Plan"), shape("", "First point")),
            "ppt/slides/_rels/slide1.xml.rels": relations(("notesSlide", "../notesSlides/notesSlide1.xml")),
            "ppt/notesSlides/notesSlide1.xml": slide(
                "notes", shape('<p:ph type="body"/>', "Mention the budget"), shape('<p:ph type="sldNum"/>', "1")
            ),
        }
    )


def make_xlsx():
    rows = (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>Item</t></is></c>'
        '<c r="B1" t="inlineStr"><is><t>Price</t></is></c></row>'
        '<row r="2"><c r="A2" t="inlineStr"><is><t>Bolt</t></is></c><c r="B2"><v>1.5</v></c></row>'
    )
    sheets = '<sheets><sheet name="Prices" sheetId="1" r:id="rId1"/></sheets>'
    parts = {"xl/workbook.xml": "spreadsheetml.sheet.main", "xl/worksheets/sheet1.xml": "spreadsheetml.worksheet"}
    return archive(
        {
            "[Content_Types].xml": types(**parts),
            "_rels/.rels": relations(("officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}">{sheets}</workbook>',
            "xl/_rels/workbook.xml.rels": relations(("worksheet", "worksheets/sheet1.xml")),
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{rows}</sheetData></worksheet>',
        }
    )


def make_epub(**more):
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">x</dc:identifier>'
        "<dc:title>A Small Book</dc:title><dc:language>en</dc:language></metadata>"
        '<manifest><item id="c1" href="c1.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="c1"/></spine></package>'
    )
    body = "<head><title>1</title></head><body><p>It began in the rain.</p></body>"
    chapter = f'<html xmlns="http://www.w3.org/1999/xhtml">{body}</html>'
    rootfile = '<rootfile full-path="content.opf" media-type="application/oebps-package+xml"/>'
    namespace = "urn:oasis:names:tc:opendocument:xmlns:container"
    container = f'<container version="1.0" xmlns="{namespace}"><rootfiles>{rootfile}</rootfiles></container>'
    head = {"mimetype": "application/epub+zip", "META-INF/container.xml": container}
    return archive(head | {"content.opf": package, "c1.xhtml": chapter} | more)


MADE = {"a.docx": make_docx, "a.pptx": make_pptx, "a.xlsx": make_xlsx, "a.epub": make_epub}


def test_docx_keeps_headings_and_tables():
    parsed = read("a.docx", make_docx())
    assert parsed.text.startswith("# Handbook\n\nÜber pumps.\n\n## Valves\n\n| Part | Price |\n")
    assert "| Valve | 3 |" in parsed.text
    assert (parsed.title, parsed.syntax) == ("Handbook", "markdown")


def test_pptx_keeps_titles_and_speaker_notes():
    parsed = read("a.pptx", make_pptx())
    assert parsed.title == "Plan"
    assert re.fullmatch(r"#+ Plan\n\nFirst point\n\n+### Notes of slide 1\n\nMention the budget\n", parsed.text)


def test_xlsx_becomes_a_table_under_the_name_of_its_sheet():
    text = read("a.xlsx", make_xlsx()).text
    assert re.search(r"^#+ Prices$", text, re.MULTILINE)
    assert re.search(r"\| Bolt \| 1\.5 \|", text)


def test_an_epub_without_headings_is_called_by_its_title():
    parsed = read("a.epub", make_epub())
    assert (parsed.title, parsed.text.strip()) == ("A Small Book", "It began in the rain.")


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("keep", [0.2, 0.9])
def test_a_truncated_archive_is_a_failure(name, keep):
    data = MADE[name]()
    assert reason(name, data[: int(len(data) * keep)]) == "truncated or damaged: not a readable zip archive"


@pytest.mark.parametrize("name", MADE)
def test_a_damaged_archive_is_a_failure(name):
    data = bytearray(MADE[name]())
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        entry = max(whole.infolist(), key=lambda info: info.compress_size)
    middle = entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2
    data[middle] ^= 0xFF
    assert reason(name, bytes(data)) == f"truncated or damaged: cannot unpack {entry.filename}"


@pytest.mark.parametrize("name", MADE)
def test_an_archive_of_something_else_is_a_failure(name):
    assert reason(name, archive({"hello.txt": "hello"}))


def test_an_encrypted_office_document_is_a_failure():
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    data = ole + bytes(500) + "EncryptedPackage".encode("utf-16-le") + bytes(500)
    assert reason("a.docx", data) == "encrypted: this document needs a password"
    assert reason("a.docx", ole + bytes(1000)) == "an old Office file under a new name; save it in the new format"


def test_an_encrypted_zip_is_a_failure():
    data = bytearray(make_docx())
    position = -1
    while (position := data.find(b"PK\x01\x02", position + 1)) >= 0:
        data[position + 8] |= 1
    assert reason("a.docx", bytes(data)) == "encrypted: this document needs a password"


def test_a_protected_book_is_a_failure():
    assert (
        reason("a.epub", make_epub(**{"META-INF/rights.xml": "<rights/>"}))
        == "encrypted: this book is protected by DRM"
    )


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    bomb = archive({"word/document.xml": bytes(40 << 20)})
    assert len(bomb) < 100_000
    assert re.fullmatch(r"unpacks to [\d,]+ times its size; a zip bomb\?", reason("a.docx", bomb))
    assert reason("a.docx", bomb, max_unpacked=1 << 20) == "unpacks to 40 MiB, more than 1 MiB; a zip bomb?"


def test_a_zip_that_lies_about_its_sizes_is_refused():
    data = bytearray(archive({"word/document.xml": bytes(40 << 20)}))
    central = data.find(b"PK\x01\x02")
    data[central + 24 : central + 28] = (1000).to_bytes(4, "little")
    assert reason("a.docx", bytes(data)) == "truncated or damaged: cannot unpack word/document.xml"


@pytest.mark.parametrize(("name", "hint"), [("a.doc", ".docx"), ("a.xls", ".xlsx"), ("a.ppt", ".pptx")])
def test_old_office_files_say_what_to_do(name, hint):
    assert reason(name, b"x").endswith(f"save it as {hint}")


# All of them


@pytest.mark.parametrize(
    "name", ["a.md", "a.html", "a.pdf", "a.docx", "a.xlsx", "a.pptx", "a.epub", "a.rst", "a.py", "a.csv"]
)
@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=1, max_size=400))
def test_no_bytes_give_anything_but_clean_text_or_a_plain_reason(name, data):
    heads = {"a.pdf": b"%PDF-1.4\n", "a.html": b"<p>"}
    try:
        parsed = read(name, heads.get(name, b"") + data)
    except DocumentError as error:
        assert error.uri == name  # noqa: PT017  # either outcome is right
    else:
        assert parsed.text.strip()
        assert parsed.title
        assert unicodedata.is_normalized("NFC", parsed.text)
        parsed.text.encode()
        assert not {"\r", "\0"} & set(parsed.text)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_damaged_office_document_never_raises_anything_else(data):
    content = bytearray(data.draw(st.sampled_from([make() for make in MADE.values()])))
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    for name in MADE:
        try:
            read(name, bytes(content))
        except DocumentError as error:
            assert error.uri == name  # noqa: PT017  # either outcome is right
