"""What the lines of a PDF mean: headings, paragraphs, tables, and what stands on every page."""

import pytest
from parsing import read
from pdf_files import HEIGHT, Page, pdf, prose

from relance.chunkers.markdown import outline

BODY = [
    "The pump moves water from the well to the tank above the house, and",
    "a valve keeps it from flowing back. It is checked every spring, when",
    "the ice is gone and the water is low.",
]


def headings(text):
    return [(each.depth, each.title) for each in outline(text).headings]


def test_bookmarks_are_headings_of_their_depth():
    pages = [Page([*prose([f"Chapter {n}"], size=20), *prose(BODY, top=720)]) for n in range(3)]
    pages[1].texts += prose(["1.1 Seals"], top=600) + prose(BODY, top=580)
    outlined = [("Chapter 0", 0, 1), ("Chapter 1", 1, 1), ("Seals", 1, 2), ("Chapter 2", 2, 1)]
    parsed = read("a.pdf", pdf(pages, outline=outlined))
    assert parsed.syntax == "markdown"
    assert headings(parsed.text) == [(1, "Chapter 0"), (1, "Chapter 1"), (2, "1.1 Seals"), (1, "Chapter 2")]
    assert [parsed.text[start:].startswith(f"# Chapter {at}\n\nThe pump") for at, start in enumerate(parsed.pages)] == [
        True, True, True,
    ]  # fmt: skip


def test_a_bookmark_that_the_page_does_not_show_is_a_heading_all_the_same():
    parsed = read("a.pdf", pdf([Page(prose(BODY)), Page(prose(BODY))], outline=[("Valves", 1, 1), ("Page 2", 1, 1)]))
    assert headings(parsed.text) == [(1, "Valves")]
    assert parsed.text[parsed.pages[1] :].startswith("# Valves\n\nThe pump")


def test_larger_and_bold_lines_are_headings():
    page = Page([
        *prose(["The Heron manual"], size=22, top=780),
        *prose(["Mounting"], size=16, top=740),
        *prose(BODY, top=715),
        *prose(["What is in the box"], top=640, font="Helvetica-Bold"),
        *prose(BODY, top=620),
        *prose(["A pump that is to be mounted where nobody", "can see it"], size=16, top=540),
        *prose(BODY, top=490),
    ])  # fmt: skip
    assert headings(read("a.pdf", pdf([page])).text) == [
        (1, "The Heron manual"), (2, "Mounting"), (3, "What is in the box"),
        (2, "A pump that is to be mounted where nobody can see it"),
    ]  # fmt: skip


def test_a_bold_word_in_a_paragraph_is_no_heading():
    page = Page([*prose(BODY), *prose(["Never run it dry."], top=718.75, font="Helvetica-Bold"), *prose(BODY, top=705)])
    parsed = read("a.pdf", pdf([page]))
    assert (headings(parsed.text), parsed.syntax) == ([], "text")


def test_what_stands_on_every_page_is_left_out_and_said():
    pages = [
        Page([
            (72, HEIGHT - 30, "ACME Confidential", 9, "Helvetica"), *prose([f"Text {'of it ' * n}", *BODY]),
            (280, 20, f"Page {n + 1} of 4", 9, "Helvetica"),
        ])
        for n in range(4)
    ]  # fmt: skip
    parsed = read("a.pdf", pdf(pages))
    assert "ACME" not in parsed.text
    assert "Page" not in parsed.text
    assert parsed.metadata["repeated_lines"] == ["ACME Confidential"]
    assert parsed.text.count("The pump moves water") == 4


def test_the_heads_of_short_chapters_are_left_out_too():
    heads = ["Pumps"] * 4 + ["Valves"] * 3 + ["Seals", "Winter"]
    pages = [Page([(72, HEIGHT - 30, head, 9, "Helvetica"), *prose([f"Text {'of it ' * n}", *BODY])])
             for n, head in enumerate(heads)]  # fmt: skip
    parsed = read("a.pdf", pdf(pages))
    assert not any(head in parsed.text for head in heads)
    assert parsed.metadata["repeated_lines"] == ["Pumps", "Valves", "Seals", "Winter"]


def test_large_lines_at_the_same_place_of_each_page_are_no_furniture():
    pages = [Page([*prose([f"Chapter {n}"], size=20, top=790), *prose(BODY, top=740)]) for n in range(5)]
    assert len(headings(read("a.pdf", pdf(pages)).text)) == 5


def test_a_document_of_nothing_but_repeated_lines_keeps_them():
    pages = [Page(prose([f"Card {n}"], top=800)) for n in range(5)]
    assert read("a.pdf", pdf(pages)).text.split() == "Card 0 Card 1 Card 2 Card 3 Card 4".split()


def test_lines_of_a_paragraph_are_joined():
    parsed = read("a.pdf", pdf([Page([*prose(BODY), *prose(["A new one begins here."], top=690)])]))
    assert parsed.text == f"{' '.join(BODY)}\n\nA new one begins here."


def test_lines_that_end_before_the_margin_stay_lines():
    page = Page([*prose(BODY), *prose(["Heron Ltd", "12 High Street", "Leeds"], top=690)])
    assert read("a.pdf", pdf([page])).text.endswith("\n\nHeron Ltd\n12 High Street\nLeeds")


@pytest.mark.parametrize(
    ("before", "after", "whole"),
    [
        ("This page of the manual shows a few more exam-", "ples of valves.", "examples of valves."),
        ("The committee has a day-to-", "day routine that it follows.", "day-to-day routine"),
        ("They were ill with COVID-", "19 in that winter.", "COVID-19 in"),
        ("A well-known pump. It is a well-", "known fact.", "a well-known fact"),
    ],
)
def test_a_word_broken_at_the_end_of_a_line_is_whole_again(before, after, whole):
    assert whole in read("a.pdf", pdf([Page(prose([before, after]))])).text


def test_a_paragraph_goes_on_over_the_page():
    parsed = read(
        "a.pdf", pdf([Page(prose([BODY[0], "a valve keeps it from flow-"])), Page(prose(["ing back.", *BODY]))])
    )
    assert "keeps it from flowing back." in parsed.text
    assert parsed.text[parsed.pages[1] :].startswith("ing back.")


def test_items_of_a_list_stay_lines():
    items = ["• the pump, with everything that was in the box when it came to the house", "• the valve", "• the seal"]
    assert read("a.pdf", pdf([Page(prose([*items, *BODY]))])).text.startswith("\n".join(items))


def test_code_keeps_its_lines_and_is_no_heading():
    code = prose(["# set it up", "def run():", "pump.start()"], top=690, font="Courier")
    code[2] = (72 + 4 * 6.6, *code[2][1:])
    parsed = read("a.pdf", pdf([Page([*prose(BODY), *code])]))
    assert parsed.text.endswith("```\n# set it up\ndef run():\n    pump.start()\n```")
    assert headings(parsed.text) == []


def test_text_that_looks_like_markup_makes_no_headings():
    page = Page([*prose(BODY), *prose(["# not a heading"], top=690), *prose(["-----"], top=660)])
    assert headings(read("a.pdf", pdf([page])).text) == []


ROWS = [
    ("Model", "Power", "Weight"),
    ("Heron", "100 W", "3 kg"),
    ("Egret | S", "80 W", "2 kg"),
    ("Crane", "250 W", "7 kg"),
]


def test_columns_below_one_another_are_a_table():
    cells = [
        (72 + 150 * x, 690 - 15 * y, cell, 11, "Helvetica") for y, row in enumerate(ROWS) for x, cell in enumerate(row)
    ]
    parsed = read("a.pdf", pdf([Page([*prose(BODY), *cells, *prose(BODY, top=600)])]))
    assert parsed.text.split("\n\n")[1].splitlines() == [
        "| Model | Power | Weight |", "| --- | --- | --- |", "| Heron | 100 W | 3 kg |", "| Egret \\| S | 80 W | 2 kg |",
        "| Crane | 250 W | 7 kg |",
    ]  # fmt: skip
    assert parsed.syntax == "markdown"


def test_a_table_goes_on_over_the_page():
    def cells(rows):
        return [
            (72 + 150 * x, 500 - 15 * y, cell, 11, "Helvetica")
            for y, row in enumerate(rows)
            for x, cell in enumerate(row)
        ]

    parsed = read(
        "a.pdf", pdf([Page([*prose(BODY), *cells(ROWS)]), Page(cells([ROWS[0], *[("Ibis", "9 W", "1 kg")] * 3]))])
    )
    assert parsed.text.endswith("| Crane | 250 W | 7 kg |" + "\n| Ibis | 9 W | 1 kg |" * 3)
    assert parsed.text[parsed.pages[1] :].startswith("| Ibis")


def test_a_list_of_contents_is_no_table():
    entries = [("Mounting", 3), ("Seals", 5), ("Valves", 8), ("Winter", 12)]
    cells = [each for y, (title, page) in enumerate(entries) for each in
             ((72, 690 - 15 * y, title, 11, "Helvetica"), (400, 690 - 15 * y, str(page), 11, "Helvetica"))]  # fmt: skip
    text = read("a.pdf", pdf([Page([*prose(BODY), *cells])])).text
    assert "|" not in text
    assert "Mounting 3\nSeals 5\nValves 8\nWinter 12" in text


def test_two_columns_are_read_one_after_the_other():
    left = [f"left {n} of the first column that is" for n in range(9)]
    right = [f"right {n} of the second column, next" for n in range(9)]
    text = read("a.pdf", pdf([Page([*prose(left), *prose(right, left=320)])])).text
    assert " ".join(text.split()) == " ".join([*left, *right])
    assert "|" not in text


def test_tags_tell_headings_and_tables():
    cells = {10 + 3 * y + x: (72 + 100 * x, 650 - 15 * y, cell, 11, "Helvetica")
             for y, row in enumerate(ROWS[:2]) for x, cell in enumerate(row)}  # fmt: skip
    marked = {0: (72, 760, "Pumps", 11, "Helvetica"), 1: (72, 740, BODY[0], 11, "Helvetica"),
              2: (72, 720, "Models", 11, "Helvetica"), **cells}  # fmt: skip
    tags = [["H1", 0], ["P", 1], ["H3", 2], ["Table", ["TR", ["TH", 10], ["TH", 11], ["TH", 12]],
                                               ["TR", ["TD", 13], ["TD", 14], ["TD", 15]]]]  # fmt: skip
    parsed = read("a.pdf", pdf([Page(marked=marked)], tags=tags))
    assert parsed.text == (
        f"# Pumps\n\n{BODY[0]}\n\n### Models\n\n| Model | Power | Weight |\n| --- | --- | --- |\n| Heron | 100 W | 3 kg |"
    )
