"""A PDF becomes text that knows its pages; one that cannot be read is a failure."""

import threading

import pytest
from parsing import read, reason


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
