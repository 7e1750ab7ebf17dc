"""Office documents and e-books keep headings and tables; damaged, encrypted and hostile archives are failures."""

import io
import re
import zipfile

import docx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsing import read, reason

from relance.errors import DocumentError


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
