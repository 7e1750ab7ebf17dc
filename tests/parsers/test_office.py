"""Office documents and e-books: titles, metadata, and archives that are damaged, encrypted or hostile."""

import io
import re
import zipfile

import docx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutations, truncations
from office_files import OFFICE, archive, cell, epub, odf, p, parse, parts_of, pptx, rows, shape, slide, xlsx
from office_files import docx as small_docx
from parsing import read, reason

from relance.errors import DocumentError


def make_docx():
    document = docx.Document()
    document.core_properties.title = "Manual of pumps"
    document.core_properties.author = "Jo Doe"
    document.core_properties.keywords = "pump, valve; seal, pump"
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
    notes = slide("notes", shape('<p:ph type="body"/>', "Mention the budget"), shape('<p:ph type="sldNum"/>', "1"))
    return pptx((slide("sld", shape('<p:ph type="title"/>', "Plan"), shape("", "First point")), notes))


def make_xlsx():
    return xlsx({"Prices": rows(("Item", "Price"), ("Bolt", "1.5"))})


def make_odt():
    return odf("text", '<text:h text:outline-level="1">Tides</text:h><text:p>High at noon.</text:p>')


def make_rtf():
    return rb"{\rtf1\ansi\ansicpg1252 {\stylesheet{\s1 heading 1;}}\pard\s1 Tides\par\pard High at noon.\par}"


def make_epub(**more):
    return epub({"c1.xhtml": "<p>It began in the rain.</p>"}, **more)


MADE = {"a.docx": make_docx, "a.pptx": make_pptx, "a.xlsx": make_xlsx, "a.odt": make_odt, "a.epub": make_epub}
FILES = MADE | {"a.rtf": make_rtf}
PICTURE = b"\x89PNG" + bytes(range(256)) * 8


def damaged(data, part):
    """Flip a byte in the middle of a part."""
    data = bytearray(data)
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        entry = whole.getinfo(part)
    data[entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2] ^= 0xFF
    return bytes(data)


def test_docx_keeps_headings_and_tables():
    parsed = read("a.docx", make_docx())
    assert parsed.text == "# Handbook\n\nÜber pumps.\n\n## Valves\n\n| Part | Price |\n| --- | --- |\n| Valve | 3 |"
    assert (parsed.title, parsed.syntax) == ("Handbook", "markdown")


def test_properties_are_metadata_with_types():
    found = read("a.docx", make_docx()).metadata
    assert (found["author"], found["keywords"]) == ("Jo Doe", ["pump, valve", "seal, pump"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found["created"])
    made = xlsx({"S": rows(("a",))}, properties={"creator": "Ana", "keywords": "one, two", "created": "never"})
    assert read("a.xlsx", made).metadata == {"author": "Ana", "keywords": ["one", "two"]}


@pytest.mark.parametrize(
    ("name", "made", "title"),
    [
        ("a.docx", small_docx(p("Words."), properties={"title": "Of the file"}), "Of the file"),
        ("a.docx", small_docx(p("Words.")), "a"),
        ("prices.xlsx", xlsx({"Sheet1": rows(("a",))}, properties={"title": "Prices of 2024"}), "Prices of 2024"),
        ("prices.xlsx", xlsx({"Sheet1": rows(("a",))}), "prices"),
        ("a.pptx", pptx(slide("sld", shape("", "Words")), properties={"title": "PowerPoint Presentation"}), "a"),
        ("a.pptx", pptx(slide("sld", shape("", "Words")), properties={"title": "Budget"}), "Budget"),
        ("a.odt", odf("text", "<text:p>Words.</text:p>", meta="<dc:title>Tides</dc:title>"), "Tides"),
        ("level.ods", odf("spreadsheet", '<table:table table:name="Sheet1"><table:table-row><table:table-cell><text:p>1'
                          "</text:p></table:table-cell></table:table-row></table:table>"), "level"),
        ("a.epub", epub({"c.xhtml": "<h1>Chapter 0</h1><p>Words of it.</p>"}), "A Small Book"),
        ("a.rtf", rb"{\rtf1{\info{\title Of the file}}Words.\par}", "Of the file"),
    ],
)  # fmt: skip
def test_a_document_is_called_by_its_own_title(name, made, title):
    assert read(name, made).title == title


@pytest.mark.parametrize(
    ("suffix", "made"),
    [("docm", small_docx(p("Words."))), ("dotx", small_docx(p("Words."))), ("pptm", make_pptx()), ("ppsx", make_pptx()),
     ("xlsm", make_xlsx()), ("xltx", make_xlsx()), ("ott", make_odt())],
)  # fmt: skip
def test_templates_and_files_with_macros_are_read_like_the_others(suffix, made):
    assert read(f"a.{suffix}", made).text


@pytest.mark.parametrize("name", MADE)
def test_a_truncated_archive_is_a_failure(name):
    for cut in truncations(MADE[name](), 9):
        assert reason(name, cut) == "truncated or damaged: not a readable zip archive"


@pytest.mark.parametrize(
    ("name", "part"),
    [("a.docx", "word/document.xml"), ("a.docx", "word/styles.xml"), ("a.pptx", "ppt/slides/slide1.xml"),
     ("a.xlsx", "xl/worksheets/sheet1.xml"), ("a.odt", "content.xml"), ("a.epub", "text/content.opf")],
)  # fmt: skip
def test_a_damaged_part_with_text_is_a_failure(name, part):
    assert reason(name, damaged(MADE[name](), part)) == f"truncated or damaged: cannot unpack {part}"


@pytest.mark.parametrize(
    ("name", "folder"), [("a.docx", "word"), ("a.pptx", "ppt"), ("a.xlsx", "xl"), ("a.odt", ""), ("a.epub", "text")]
)
def test_a_damaged_picture_costs_a_warning(name, folder):
    parts = parts_of(MADE[name]())
    picture = f"{folder}/media/image1.png".lstrip("/")
    parsed = read(name, damaged(archive({**parts, picture: PICTURE}), picture))
    assert parsed.text == read(name, MADE[name]()).text
    assert parsed.warnings == (f"damaged parts without text: {picture}",)


@pytest.mark.parametrize("name", MADE)
def test_an_archive_of_something_else_is_a_failure(name):
    assert reason(name, archive({"hello.txt": "hello"})).startswith("damaged: ")


@pytest.mark.parametrize("name", FILES)
def test_a_document_without_text_is_a_failure(name):
    empty = {
        "a.docx": small_docx(p("")), "a.pptx": pptx(), "a.xlsx": xlsx({"Sheet1": rows()}), "a.odt": odf("text", "<text:p/>"),
        "a.epub": epub({"cover.xhtml": '<img src="cover.png"/>'}), "a.rtf": rb"{\rtf1\par}",
    }  # fmt: skip
    assert reason(name, empty[name]) == "no text in it"


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


def test_an_encrypted_opendocument_is_a_failure():
    manifest = '<manifest:manifest xmlns:manifest="x"><manifest:encryption-data/></manifest:manifest>'
    assert reason("a.odt", archive({"META-INF/manifest.xml": manifest, "content.xml": "\0\1"})) == (
        "encrypted: this document needs a password"
    )


def test_a_protected_book_is_a_failure():
    protected = "encrypted: this book is protected by DRM"
    assert reason("a.epub", make_epub(**{"META-INF/rights.xml": "<rights/>"})) == protected
    chapter = '<encryption><CipherReference URI="text/c1.xhtml"/></encryption>'
    assert reason("a.epub", make_epub(**{"META-INF/encryption.xml": chapter})) == protected
    font = '<encryption><CipherReference URI="fonts/a.ttf"/></encryption>'
    assert read("a.epub", make_epub(**{"META-INF/encryption.xml": font})).text


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


ENTITIES = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>'
)


@pytest.mark.parametrize(
    ("name", "part"),
    [("a.docx", "word/document.xml"), ("a.pptx", "ppt/presentation.xml"), ("a.xlsx", "xl/workbook.xml"),
     ("a.odt", "content.xml"), ("a.epub", "text/content.opf")],
)  # fmt: skip
def test_xml_that_declares_entities_is_refused(name, part):
    parts = {name: content.decode("latin-1") for name, content in parts_of(MADE[name]()).items()}
    text = re.sub(r"^<\?xml[^>]*\?>\s*", "", parts[part])
    assert reason(name, archive({**parts, part: ENTITIES + text})) == (
        f"damaged: {part} declares entities, which no office program writes"
    )


def test_entities_in_the_cells_of_a_sheet_say_nothing():
    made = xlsx(
        {
            "S": f"<sheetData><row r='1'>{cell('A1', 'a')}<c r='B1' t='inlineStr'><is><t>&c;</t></is></c></row></sheetData>"
        }
    )
    parts = {name: content.decode() for name, content in parts_of(made).items()}
    parts["xl/worksheets/sheet1.xml"] = ENTITIES + parts["xl/worksheets/sheet1.xml"]
    assert "root:" not in read("a.xlsx", archive(parts)).text


@pytest.mark.parametrize(
    ("name", "hint"),
    [("a.doc", ".docx"), ("a.xls", ".xlsx"), ("a.ppt", ".pptx"), ("a.xlsb", ".xlsx"), ("a.mobi", ".epub")],
)
def test_formats_without_a_parser_say_what_to_do(name, hint):
    assert reason(name, b"x").endswith(hint)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_text_or_a_failure_that_says_what_is_wrong(name):
    whole = FILES[name]()
    for copy in mutations(whole, 60):
        try:
            parse(name, copy)
        except DocumentError as error:
            assert "cannot be parsed" not in error.reason  # noqa: PT017  # either outcome is right
            assert "\n" not in error.reason  # noqa: PT017  # as above


@pytest.mark.parametrize("name", MADE)
def test_damaged_xml_in_a_whole_archive_is_text_or_a_failure_that_says_what_is_wrong(name):
    parts = parts_of(MADE[name]())
    for part, content in parts.items():
        if not part.endswith((".xml", ".rels", ".opf")) or len(content) > 30_000:
            continue
        for copy in mutations(content, 4):
            try:
                parse(name, archive({**parts, part: copy}))
            except DocumentError as error:
                assert "cannot be parsed" not in error.reason  # noqa: PT017  # either outcome is right


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_one_format_under_the_name_of_another_is_no_other_error(data):
    content = data.draw(st.sampled_from([make() for make in FILES.values()]))
    for name in FILES:
        try:
            parse(name, content)
        except DocumentError as error:
            assert error.uri == name  # noqa: PT017  # either outcome is right


def test_strict_files_are_read_like_the_others():
    made = small_docx(p("Strict words."))
    parts = {name: content.decode() for name, content in parts_of(made).items()}
    strict = {
        name: text.replace("http://schemas.openxmlformats.org/wordprocessingml/2006/main",
                           "http://purl.oclc.org/ooxml/wordprocessingml/main")
        .replace(OFFICE, "http://purl.oclc.org/ooxml/officeDocument/relationships")
        for name, text in parts.items()
    }  # fmt: skip
    assert read("a.docx", archive(strict)).text == "Strict words."
