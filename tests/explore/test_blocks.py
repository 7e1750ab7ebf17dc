"""Code keeps its lines and their numbers, tables are tables; all of a text is there, and nothing of it is markup."""

from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st
from tests.explore.conftest import Page

from relance.explore.blocks import blocks, excerpt, whole

TABLE = "Before\n\n| Name | Age |\n|---|:-:|\n| Ada \\| Lovelace | 36 |\n| Bo | <b>7</b> |\n\nAfter\n"
FENCED = "Do this:\n\n```python\nx = 1\n\ny = '<b>'\n```\n\nThat was it.\n"
CODE = "".join(f"line_{n}()\n" for n in range(1, 31))


def lines(markup: str) -> list[tuple[str, str]]:
    """Return number and text of the lines of code."""
    found = re.findall(r'<span class="line"(?: data-line="(\d+)")?>(.*?)\n</span>', markup, re.DOTALL)
    return [(number, html.unescape(re.sub("<.*?>", "", text))) for number, text in found]


def test_a_table_has_its_cells() -> None:
    page = Page(whole(TABLE, "text/markdown"))
    assert len(page.all("table")) == 1
    assert len(page.all("th")) == 2
    assert len(page.all("td")) == 4
    assert "---" not in page.words
    assert "Ada \\| Lovelace" in page.words
    assert not page.all("b"), "what a cell holds is text"
    assert page.words.index("Before") < page.words.index("Bo") < page.words.index("After")


def test_code_in_a_document_has_the_numbers_of_its_lines() -> None:
    assert lines(whole(FENCED, "text/markdown", 10)) == [("13", "x = 1"), ("14", ""), ("15", "y = '<b>'")]
    assert lines(whole(FENCED, "text/markdown")) == [("", "x = 1"), ("", ""), ("", "y = '<b>'")]
    assert "```" not in whole(FENCED, "text/markdown")


def test_a_fence_that_is_not_closed_hides_nothing() -> None:
    assert [each.kind for each in blocks("a\n```\nb\n", "text/markdown")] == ["prose"]


def test_a_hit_in_code_shows_whole_lines_around_it() -> None:
    at = CODE.index("line_20") + 3
    shown = lines(excerpt(CODE, "text/x-python", [(at, at + 4)], (at, at + 30), 101))
    assert [number for number, _ in shown] == ["120", "121", "122", "123"]
    assert shown[0][1] == "line_20()"
    assert "<mark>e_20</mark>" in excerpt(CODE, "text/x-python", [(at, at + 4)], (at, at + 30), 101)
    whole_chunk = excerpt(CODE, "text/x-python", (), (0, len(CODE)), 1)
    assert len(lines(whole_chunk)) == 12
    assert "… 18 more lines" in whole_chunk


def test_a_hit_in_a_table_shows_its_rows_under_the_header() -> None:
    text = "| n | word |\n|---|---|\n" + "".join(f"| {n} | w{n} |\n" for n in range(40))
    at = text.index("w20")
    page = Page(excerpt(text, "text/markdown", [(at, at + 3)], (at - 4, at + 40)))
    assert page.words.startswith("nword20w2021w21")
    assert len(page.all("mark")) == 1
    assert "w19" not in page.words
    assert "34 more rows" in Page(excerpt(text, "text/markdown")).words


def test_what_is_repeated_is_paler_in_all_blocks() -> None:
    shown = whole(CODE, "text/x-python", 1, repeated=CODE.index("line_2()") + 4)
    assert "".join(re.findall(r'passage before">(.*?)</span>', shown)) == "line_1()line"
    assert lines(shown)[1] == ("2", "line_2()")


words = st.lists(st.sampled_from(["a", " ", "\n", "|", "|-|", "\\", "<", "&", "**", "# ", "水", "\n\n"]), max_size=40)


@given(words.map("".join), st.sampled_from(["text/markdown", "text/plain", "text/x-python", "text/html"]), st.data())
def test_no_letter_is_lost_or_becomes_markup(text: str, media_type: str, data: st.DataObject) -> None:
    repeated, start = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))
    for markup in (
        whole(text, media_type, 1, repeated),
        excerpt(text, media_type, [(start, len(text))], (start, len(text)), 1),
    ):
        tags = set(re.findall(r"<(\w+)", markup))
        assert tags <= {"div", "p", "span", "pre", "code", "mark", "table", "thead", "tbody", "tr", "th", "td"}
    shown = html.unescape(re.sub("<[^>]*>", "", whole(text, media_type, 1, repeated)))
    assert [letter for letter in shown if letter in "a水&<"] == [letter for letter in text if letter in "a水&<"]


def test_a_heading_is_told_from_the_text_it_runs_on_into() -> None:
    text = "## Leaving\n\nPhone them. Why?\n\n### 水位\n\n很高。\n\n# Who?\n\nWe."
    written = excerpt(text, "text/markdown", [(12, 17)])
    assert "Leaving: <mark>Phone</mark> them. Why?" in written
    assert "水位：" in written
    assert "Who?\n" in written
    assert "## Leaving" in excerpt(text, "text/plain")
    table = "## Parts\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert "Parts:" not in excerpt(table, "text/markdown")
