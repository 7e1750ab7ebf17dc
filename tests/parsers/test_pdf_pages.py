"""Pages of a PDF that are pictures, and what is on pages beside their text."""

import io
import sys

import pytest
from parsing import read, reason
from pdf_files import Page, pdf, prose
from PIL import Image, ImageDraw

from relance.errors import MissingExtraError
from relance.parsers import Raw
from relance.parsers.pdf import Pdf, PdfOptions

TEXT = Page(prose(["The first page has a text layer about pumps."]))
HINT = "`parsers: {pdf: {ocr: true}}` reads them"


def test_scanned_pages_between_others_are_said_with_their_numbers():
    parsed = read("a.pdf", pdf([TEXT, Page(scan=True), Page(scan=True)]))
    assert parsed.text == "The first page has a text layer about pumps."
    assert parsed.warnings == ("pages 2 and 3 are scanned: no text in them",)
    one = read("a.pdf", pdf([TEXT, Page(), Page(scan=True)]))
    assert one.warnings == ("page 3 is scanned: no text in it",)
    many = read("a.pdf", pdf([TEXT, *[Page(scan=True)] * 4, TEXT, Page(scan=True)]))
    assert many.warnings == ("pages 2–5 and 7 are scanned: no text in them",)


def test_scanned_pages_with_numbers_are_scanned_pages():
    pages = [Page([(300, 20, str(n), 11, "Helvetica")], scan=True) for n in range(1, 6)]
    assert reason("a.pdf", pdf(pages)) == f"no text in it: pages 1–5 are scanned; {HINT}"
    parsed = read("a.pdf", pdf([TEXT, *pages]))
    assert parsed.text == "The first page has a text layer about pumps."
    assert parsed.warnings == ("pages 2–6 are scanned: no text in them",)


def test_a_scan_with_a_layer_of_its_text_is_text():
    parsed = read("a.pdf", pdf([Page(TEXT.texts, scan=True)]))
    assert (parsed.text, parsed.warnings) == ("The first page has a text layer about pumps.", ())


def test_a_scanned_document_is_a_failure():
    assert reason("a.pdf", pdf([Page(scan=True)])) == f"no text in it: page 1 is scanned; {HINT}"


@pytest.mark.slow
def test_a_scanned_page_is_read_where_that_is_asked_for():
    picture = Image.new("L", (1240, 1754), 255)
    ImageDraw.Draw(picture).text((150, 200), "The heron pump weighs 42 kg.", font_size=48)
    file = io.BytesIO()
    picture.save(file, "PDF", resolution=150)
    parsed = Pdf(PdfOptions(ocr=True)).parse(Raw(file.getvalue(), "a.pdf", "application/pdf"))
    assert parsed.text == "The heron pump weighs 42 kg."
    assert parsed.warnings == ("page 1 is scanned: the text was read from pictures and may be wrong",)


def test_without_the_extra_it_is_said_what_to_install(monkeypatch):
    from relance.parsers.pdf.ocr import open_ocr

    open_ocr.cache_clear()
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    parser = Pdf(PdfOptions(ocr=True))
    with pytest.raises(MissingExtraError, match=r"Reading scanned pages needs an extra: pip install 'relance\[ocr\]'"):
        parser.parse(Raw(pdf([TEXT, Page(scan=True)]), "a.pdf", "application/pdf"))
    assert parser.parse(Raw(pdf([TEXT]), "a.pdf", "application/pdf")).text


def test_values_of_fields_stand_behind_their_labels():
    page = Page(prose(["Name:", "Town:"], leading=30), fields=[("name", "Jo Doe", 150, 757), ("town", "Leeds", 150, 727),
                                                                ("remark", "fragile", 72, 600)])  # fmt: skip
    assert read("a.pdf", pdf([page])).text.split("\n\n") == ["Name: Jo Doe", "Town: Leeds", "remark: fragile"]


def test_addresses_that_the_text_does_not_show_stand_behind_it():
    page = Page(prose(["See the manual for more.", "Or www.heron.example."]),
                links=[("https://heron.example/manual", 72, 757, 75), ("https://www.heron.example", 72, 743, 100),
                       ("javascript:run", 72, 757, 75)])  # fmt: skip
    text = read("a.pdf", pdf([page])).text
    assert "See the manual (https://heron.example/manual) for more." in text
    assert text.count("heron.example") == 2
    assert "javascript" not in text


def test_text_boxes_are_text_and_notes_are_marked():
    page = Page(TEXT.texts, notes=[("FreeText", "Approved in May", 72, 500), ("Text", "is this right?", 72, 400)])
    assert read("a.pdf", pdf([page])).text.endswith("\n\nApproved in May\n\n[Note: is this right?]")
