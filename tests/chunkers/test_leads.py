"""What a chunk needs before its span to be read alone; and what is not torn from what it belongs to."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.chunkers import chunk_document, embedding_text
from relance.config import ChunkingSpec
from relance.documents import Chunk, Document
from relance.embedding.tokenizers import open_tokenizer
from relance.testing.chunkers import FRAGMENTS

WORDS = open_tokenizer("words")


def document(text: str, syntax: str = "markdown", media_type: str = "text/plain") -> Document:
    return Document("doc", text, media_type, "", syntax=syntax)


def split(text: str, syntax: str = "markdown", media_type: str = "text/plain", **spec: Any) -> list[Chunk]:
    return chunk_document(document(text, syntax, media_type), ChunkingSpec.model_validate(spec), WORDS)


def leads(text: str, syntax: str = "markdown", **spec: Any) -> list[str]:
    return [chunk.lead for chunk in split(text, syntax, **spec)]


def spans(text: str, syntax: str = "markdown", **spec: Any) -> list[str]:
    return [text[chunk.start : chunk.end] for chunk in split(text, syntax, **spec)]


TABLE = "# Equipment\n\n| Name   | Pressure |\n|:-------|---------:|\n" + "".join(
    f"| Pump {i} | {7 * i} |\n" for i in range(60)
)


def test_what_continues_a_table_carries_its_header() -> None:
    first, *others = leads(TABLE, max_tokens=64)
    assert first == ""
    assert set(others) == {"| Name | Pressure |\n|:---|---:|"}
    assert len(others) > 4
    assert spans(TABLE, max_tokens=64)[1].startswith("| Pump"), "the stored span is exact"


def test_the_lead_is_what_the_model_is_sent_before_the_span() -> None:
    doc, spec = document(TABLE), ChunkingSpec(max_tokens=64, context=["headings"])
    chunk = chunk_document(doc, spec, WORDS)[1]
    span = TABLE[chunk.start : chunk.end]
    assert embedding_text(doc, chunk, spec) == f"Equipment\n| Name | Pressure |\n|:---|---:|\n{span}"


def test_a_chunk_that_begins_with_a_table_or_after_it_needs_nothing() -> None:
    text = f"{TABLE}\nAfter the table there is a sentence. " + "And others follow it, many of them. " * 30
    found = split(text, max_tokens=64)
    after = [chunk.lead for chunk in found if chunk.start >= len(TABLE)]
    assert len(after) > 1
    assert set(after) == {""}


def test_a_row_that_is_divided_carries_the_header_as_well() -> None:
    row = "| a | " + "one long cell that goes on and on; " * 20 + "|\n"
    assert leads(f"| Name | Text |\n|---|---|\n{row}", max_tokens=32)[1:] != []
    assert set(leads(f"| Name | Text |\n|---|---|\n{row}", max_tokens=32)[1:]) == {"| Name | Text |\n|---|---|"}


def test_of_a_wide_table_every_name_is_kept_in_part() -> None:
    names = [f"A quantity with a long name, number {i}" for i in range(40)]
    text = f"| {' | '.join(names)} |\n|{'---|' * 40}\n" + f"| {' | '.join(map(str, range(40)))} |\n" * 9
    lead = leads(text, max_tokens=256)[-1]
    assert len(lead.encode()) <= 1000
    assert lead.count("|") == 2 * 41
    assert lead.splitlines()[0].count("…") == 40


@pytest.mark.parametrize(("kind", "mark"), [("text/csv", ","), ("text/tab-separated-values", "\t")])
def test_lines_of_values_carry_the_first_line(kind: str, mark: str) -> None:
    text = "\n".join(mark.join(row) for row in [("Station", "Level"), *((f"Station {i}", f"{i}.5") for i in range(60))])
    chunks = split(text, "text", kind, max_tokens=32)
    assert [chunk.lead for chunk in chunks] == ["", *[f"Station{mark}Level"] * (len(chunks) - 1)]
    assert all(text[chunk.start : chunk.end].startswith("Station") for chunk in chunks)


LIST = """Pumps are tested every spring. Check these valves first:

- Intake
  - the grid is clean and not bent by anything
  - the lamp is green and not yellow at all

- Outlet
  - the flap moves freely and does not stick

    It must not leak, whatever the level is

After all that it is done. Then one goes home.

- This list
- is about
- nothing that was said before it
- at all, as far as anybody could tell from it
"""


def test_what_continues_a_list_carries_what_it_is_about() -> None:
    found = dict(zip(spans(LIST, max_tokens=16), leads(LIST, max_tokens=16), strict=True))
    intro = "Check these valves first:"
    of = {word: next(lead for span, lead in found.items() if span.lstrip().startswith(word))
          for word in ("- the grid", "- the lamp", "- Outlet", "It must", "After all")}  # fmt: skip
    assert of["- the grid"] == of["- the lamp"] == f"{intro}\n- Intake"
    assert of["- Outlet"] == intro
    assert of["It must"] == "- Outlet\n  - the flap moves freely and does not stick", (
        "the innermost, where room is short"
    )
    assert of["After all"] == ""
    assert found[next(span for span in found if "nothing that was said" in span)] == ""


CODE = '''class Intake:
    """Where the water comes in."""

    # About opening.
    def open(
        self,
        valve,
    ):
        first = valve + 1
        second = first * 2

        for each in range(second):
            print(each, first, second, valve)
            print(each, first, second)

    def close(self):
        return 12345
'''


def test_what_continues_code_carries_what_it_is_part_of() -> None:
    found = dict(zip(spans(CODE, "code:python", max_tokens=24), leads(CODE, "code:python", max_tokens=24), strict=True))
    of = {span.split()[0]: lead for span, lead in found.items()}
    assert of["first"] == "class Intake:\n    def open("
    assert of["print(each,"] == "class Intake:\n    def open(\n        for each in range(second):"
    assert next(lead for span, lead in found.items() if span.lstrip().startswith("def close")) == "class Intake:"


def test_what_continues_a_fence_carries_its_opening_too() -> None:
    text = f"# Code\n\n```python\n{CODE}```\n"
    found = dict(zip(spans(text, max_tokens=24), leads(text, max_tokens=24), strict=True))
    of = {span.split()[0]: lead for span, lead in found.items()}
    assert of["print(each,"] == "```python\nclass Intake:\n    def open(\n        for each in range(second):"


def test_a_lead_that_does_not_fit_the_model_is_left_out_before_chunks_become_scraps() -> None:
    names = " | ".join(f"quantity{i}" for i in range(60))
    text = f"| {names} |\n|{'---|' * 60}\n" + f"| {' | '.join(map(str, range(60)))} |\n" * 9
    doc, spec = document(text), ChunkingSpec(max_tokens=125)
    whole, narrow = (chunk_document(doc, spec, WORDS, limit) for limit in (400, 128))
    assert [chunk.tokens for chunk in narrow] == [chunk.tokens for chunk in whole]
    assert whole[-1].lead
    assert not narrow[-1].lead
    for limit, chunks in ((400, whole), (128, narrow)):
        assert WORDS.count([embedding_text(doc, chunk, spec) for chunk in chunks]).max() <= limit


def test_a_bold_question_goes_with_its_answer() -> None:
    text = "".join(
        f"**Q{i}: How do I reset sensor {i}?**\n\nHold the button for {i} seconds. {'Then wait. ' * (i % 5)}\n\n"
        for i in range(60)
    )
    for most in (24, 32, 48, 64):
        for span in spans(text, max_tokens=most):
            assert not span.splitlines()[-1].startswith("**")


def test_lines_that_are_all_bold_are_still_divided_between_them() -> None:
    text = "\n\n".join(f"**Warning number {i} is here**" for i in range(30))
    assert all(span.startswith("**") and span.endswith("**") for span in spans(text, max_tokens=32))


def test_a_short_line_between_blank_ones_goes_with_what_follows_in_plain_text() -> None:
    text = "".join(f"Part {i} of it\n\nFirst you open the lid. {'Then you wait. ' * (i % 4)}\n\n" for i in range(60))
    for most in (16, 24, 40):
        assert not [span for span in spans(text, "text", max_tokens=most) if span.splitlines()[-1].endswith("of it")]


@pytest.mark.parametrize("caption", ["*The pump at its place in Lyon.*", "Figure 1: The pump at its place in Lyon."])
def test_a_picture_keeps_its_caption(caption: str) -> None:
    picture = f"![A pump on a table](a.png)\n\n{caption}"
    for before in range(1, 30):
        text = f"{'One word after another. ' * before}\n\n{picture}\n\nMore text follows here, and it ends now. Or not."
        assert any(picture in span for span in spans(text, max_tokens=32))


def test_a_caption_above_a_table_goes_with_it() -> None:
    table = "Table 1: Pressures\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    for before in range(1, 30):
        text = f"{'One word after another. ' * before}\n\n{table}\n\nMore text follows here, and it ends now. Or not."
        assert any(table in span for span in spans(text, max_tokens=32))


def test_headings_up_to_a_depth_begin_a_chunk_where_that_is_asked_for() -> None:
    text = "# T\n\nIntro.\n\n## A\n\nText a.\n\n### A1\n\nText a1.\n\n## B\n\nText b.\n\n# C\n\n## D\n\nText d."
    found = split(text, max_tokens=100, split_at=2)
    assert [chunk.heading_path for chunk in found] == [("T",), ("T", "A"), ("T", "B"), ("C", "D")]
    assert [text[chunk.start : chunk.end].splitlines()[0] for chunk in found] == ["# T", "## A", "## B", "# C"]
    assert len(split(text, max_tokens=100)) == 1


@given(
    text=st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=60).map("".join), depth=st.integers(1, 6)
)
@settings(max_examples=100, deadline=None)
def test_no_chunk_has_a_second_section_where_they_are_split(text: str, depth: int) -> None:
    chunks = split(text, max_tokens=32, split_at=depth)
    edges = [0, *(edge for chunk in chunks for edge in (chunk.start, chunk.end)), len(text)]
    assert edges == sorted(edges)
    assert all(not text[gap[0] : gap[1]].strip() for gap in zip(edges[::2], edges[1::2], strict=True))


@given(text=st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=60).map("".join),
       syntax=st.sampled_from(["markdown", "code:python", "text"]))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_a_lead_has_no_words_that_are_not_above_its_span(text: str, syntax: str) -> None:
    for chunk in split(text, syntax, max_tokens=24):
        above = set(text[: chunk.end].split())
        words = {word for line in chunk.lead.splitlines() for word in line.replace("|", " ").split()}
        assert {word for word in words if not word.endswith("…") and "---" not in word} <= above | {
            part for word in above for part in word.split("|")
        }
        assert len(chunk.lead.encode("utf-8", "replace")) <= 4 * 24


@pytest.mark.long
@pytest.mark.parametrize(
    "line", ["| a | b |\n", "- item of a list\n", "    x = 1\n", "**Why?**\n\n", "```\n", "  - deeper\n"]
)
def test_leads_are_found_in_linear_time(line: str) -> None:
    def seconds(size: int) -> float:
        text = ("| a | b |\n|---|---|\n" if line.startswith("|") else "") + line * (size // len(line))
        began = time.process_time()
        split(text, max_tokens=256)
        return time.process_time() - began

    seconds(1 << 14)
    assert seconds(1 << 20) < 40 * max(seconds(1 << 16), 0.02)
