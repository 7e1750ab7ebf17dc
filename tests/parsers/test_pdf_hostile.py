"""PDFs that nobody means well with, and damaged ones: a failure in one sentence, or text, in seconds."""

import pytest
from mutations import mutations, truncations
from parsing import read, reason
from pdf_files import Page, pdf, prose

from relance.errors import DocumentError
from relance.parsers import Parsers, Raw
from relance.parsers.bounds import Bounds
from relance.parsers.pdf import Pdf

TEXT = Page(prose(["The pump moves water from the well to the tank."]))
WHOLE = pdf(
    [
        Page(TEXT.texts, fields=[("town", "Leeds", 150, 700)], links=[("https://heron.example", 72, 757, 75)]),
        Page([*prose(["Seals"], size=20), *prose(["They are checked."], top=700)]),
    ],
    outline=[("Pumps", 0, 1), ("Seals", 1, 2)],
    info={"Title": "Heron", "CreationDate": "D:20240229"},
)


def test_a_form_that_draws_itself_ends_at_the_limit():
    data = pdf([TEXT]).replace(b"/Resources << ", b"/Resources << /XObject << /X 99 0 R >> ")
    form = (
        b"99 0 obj\n<< /Type /XObject /Subtype /Form /BBox [0 0 1 1] /Resources << /XObject << /X 99 0 R >> >> /Length 18 >>\n"
        b"stream\n/X Do /X Do /X Do \nendstream\nendobj\n"
    )
    data = data.replace(b" ET\nendstream", b" ET /X Do\nendstream").replace(b"xref\n", form + b"xref\n", 1)
    parsers = Parsers([Pdf()], bounds=Bounds(parse_s_per_mb=1))
    with pytest.raises(DocumentError) as caught:
        parsers.parse(Raw(data, "a.pdf", "application/pdf"))
    assert "limits.parse_" in caught.value.reason


def test_an_outline_may_be_deep_and_run_in_a_circle():
    data = pdf([TEXT], outline=[(f"Part {at}", 0, at) for at in range(1, 300)])
    text = read("a.pdf", data).text
    assert text.startswith("# Part 1\n\n## Part 2\n")
    assert "\n###### Part 299\n" in text
    assert (
        "The pump moves water" in read("a.pdf", data.replace(b"/Title (Part 1) ", b"/Title (Part 1) /Next 9 0 R ")).text
    )


def test_pages_without_end_are_refused():
    endless = pdf([TEXT]).replace(b"/Count 1 ", b"/Count 1000000 ")
    assert reason("a.pdf", endless) == "1,000,000 pages; at most 20,000 are read: divide it"


def test_notes_without_end_are_cut_and_that_is_said():
    page = Page(TEXT.texts, notes=[("Text", f"note {at}", 72, 400) for at in range(2_100)])
    parsed = read("a.pdf", pdf([page]))
    assert parsed.text.count("[Note:") == 2_000
    assert parsed.warnings == ("page 1 is crowded: not all fields, notes and links were read",)


def test_a_page_of_a_size_that_nobody_prints_is_read():
    assert "The pump" in read("a.pdf", pdf([TEXT]).replace(b"[0 0 595 842]", b"[0 0 9e9 9e9]")).text


def test_damaged_pdfs_are_text_or_failures():
    reasons = []
    for data in filter(None, mutations(WHOLE, 60, seed=7)):
        try:
            parsed = Pdf().parse(Raw(data, "a.pdf", "application/pdf"))
        except DocumentError as error:
            reasons.append(error.reason)
        else:
            assert all(0 <= start <= len(parsed.text) for start in parsed.pages)
    assert reasons
    assert not any("\n" in reason for reason in reasons)


def test_no_part_of_a_pdf_passes_for_all_of_it():
    for data in truncations(WHOLE, 40):
        with pytest.raises(DocumentError, match="truncated"):
            Pdf().parse(Raw(data, "a.pdf", "application/pdf"))
