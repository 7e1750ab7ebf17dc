"""Where a filter leaves nothing, the answer says why; it quotes nothing that its reader may not see."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import relance
from relance.index import Index

SOMETHING = "the filter may leave nothing that fits: search without it, or with less of it"


@pytest.mark.parametrize(
    ("filter", "hints"),
    [
        ("yeer > 1950", ["no document has the metadata key 'yeer'; did you mean 'year'?"]),
        ("Year > 1950", ["no document has the metadata key 'Year'; did you mean 'year'?"]),
        ("colour = 'red'", ["no document has the metadata key 'colour'"]),
        ("colour = 'red' and yeer = 1", ["no document has the metadata key 'colour'",
                                         "no document has the metadata key 'yeer'; did you mean 'year'?"]),
        ("meta.uri = 'a'", ["no document has the metadata key 'uri'; did you mean 'uri'?"]),
        ("year > 4000", [SOMETHING]),
        ("uri ~ 'nowhere/*' and not lang = 'en'", [SOMETHING]),
        ("year > 1950", []),
    ],
)  # fmt: skip
def test_a_key_that_no_document_has_is_named(notes: Index, filter: str, hints: list[str]) -> None:  # noqa: A002
    found = notes.search("ferry", filter=filter, k=3)
    assert (bool(found), found.hints) == (not hints, hints)


def test_without_a_filter_there_are_no_hints(notes: Index) -> None:
    assert notes.search("zeppelin", mode="full-text").hints == []
    assert notes.search("ferry", filter=" ", offset=900).hints == []


def test_a_key_of_documents_a_reader_may_not_see_is_not_proposed(make_index: Callable[..., Index], docs: Path) -> None:
    rows = [{"id": 1, "text": "the ferry", "readers": ["*"], "open": 1},
            {"id": 2, "text": "the other ferry", "readers": ["ada"], "salary": 9}]  # fmt: skip
    (docs / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    source = {"type": "files", "root": "docs", "rows": {"metadata": ["open", "salary"]},
              "access": {"field": "readers"}}  # fmt: skip
    index = make_index(sources=[source])
    index.ingest()
    assert index.search("ferry", filter="salari > 1", principals=relance.OWNER).hints == [
        "no document has the metadata key 'salari'; did you mean 'salary'?"
    ]
    assert index.search("ferry", filter="salari > 1").hints == ["no document has the metadata key 'salari'"]
    assert index.search("ferry", filter="salary > 1").hints == ["no document has the metadata key 'salary'"]
