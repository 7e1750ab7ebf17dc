"""A PDF becomes text that knows its pages; one that cannot be read is a failure."""

import threading

import pytest
from parsing import read, reason
from pdf_files import Page, pdf, prose


def lines(*texts):
    return Page(prose(list(texts)))


def pages_of(parsed):
    ends = [*parsed.pages[1:], len(parsed.text)]
    return [parsed.text[start:end].strip() for start, end in zip(parsed.pages, ends, strict=True)]


def test_a_pdf_knows_where_its_pages_begin():
    data = pdf([lines("First page.", "More of it."), Page(), lines("Third page."), Page()], info={"Title": "Pumps"})
    parsed = read("a.pdf", data)
    assert pages_of(parsed) == ["First page.\nMore of it.", "", "Third page.", ""]
    assert (parsed.title, parsed.metadata, parsed.syntax) == ("Pumps", {"page_count": 4}, "text")
    assert not parsed.warnings


@pytest.mark.parametrize("title", ["", "Microsoft Word - draft.docx", "untitled", "report.indd", "C:\\x\\y"])
def test_a_pdf_nobody_gave_a_title_is_called_by_its_first_heading_or_its_name(title):
    assert read("x/Report 7.pdf", pdf([lines("Text")], info={"Title": title})).title == "Report 7"
    headed = pdf(
        [Page([*prose(["Heron pumps"], size=20), *prose(["Text of it."] * 9, top=700)])], info={"Title": title}
    )
    assert read("x/Report 7.pdf", headed).title == "Heron pumps"


def test_what_a_pdf_says_of_itself_is_metadata():
    info = {"Author": "Jo Doe", "Subject": "Pumps", "Keywords": "heron, valve; seal",
            "CreationDate": "D:20240229102030+02'00'", "ModDate": "D:2024"}  # fmt: skip
    assert read("a.pdf", pdf([lines("Text")], info=info, catalog="/Lang (en-GB)")).metadata == {
        "page_count": 1, "author": "Jo Doe", "subject": "Pumps", "keywords": ["heron", "valve", "seal"],
        "created": "2024-02-29T10:20:30+02:00", "modified": "2024-01-01T00:00:00", "language": "en-GB",
    }  # fmt: skip


def test_what_programs_write_when_nobody_said_anything_is_no_metadata():
    info = {"Author": "anonymous", "Subject": "unspecified", "CreationDate": "yesterday", "Title": "untitled"}
    assert read("a.pdf", pdf([lines("Text")], info=info)).metadata == {"page_count": 1}


def test_pages_without_a_text_layer_are_a_failure():
    assert reason("a.pdf", pdf([Page(), Page()])) == "no text in it; scanned pages?"


def test_an_encrypted_pdf_is_a_failure():
    key = "<" + "5a" * 32 + ">"
    encrypt = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O {key} /U {key} /P -4 >> /ID [<aa> <aa>]"
    assert reason("a.pdf", pdf([lines("Secret")], trailer=encrypt)) == "encrypted: this PDF needs a password"


@pytest.mark.parametrize("cut", [9, 60, 300])
def test_a_truncated_pdf_is_a_failure(cut):
    assert reason("a.pdf", pdf([lines("Text")])[:cut]) == "truncated or damaged: not a readable PDF"


def test_a_pdf_without_its_end_is_a_failure_even_if_its_pages_are_found():
    data = pdf([lines("Text")])
    assert reason("a.pdf", data[: data.rindex(b"startxref")]) == "truncated: its end is missing"


def test_a_pdf_whose_table_of_objects_is_wrong_is_read_with_a_warning():
    parsed = read("a.pdf", pdf([lines("Text")]).replace(b"%PDF-1.7\n", b"%PDF-1.7\n%moved\n"))
    assert parsed.text == "Text"
    assert parsed.warnings == ("damaged: its table of objects was rebuilt, so that parts may be missing",)


def test_pdfs_are_read_from_many_threads():
    data = [pdf([lines(f"Document {n} page {p}") for p in range(5)]) for n in range(8)]
    texts: dict[int, str] = {}

    def work(number):
        texts[number] = read("a.pdf", data[number]).text

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {n: "\n\n".join(f"Document {n} page {p}" for p in range(5)) for n in range(8)}
