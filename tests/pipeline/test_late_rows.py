"""Rows that are listed by name and marker are read when their marker says that they changed, and not before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rows import rows
from shelves import BROKEN, DRAWERS, READ, Drawer, shelf_index

from relance.documents import document_id
from relance.index import Index
from relance.store.manifest import Manifest


@pytest.fixture(autouse=True)
def drawer() -> Iterator[dict[int, dict[str, Any]]]:
    for each in (DRAWERS, BROKEN, READ):
        each.clear()
    DRAWERS["d"] = {number: {"text": f"Row number {number}.", "year": 2000 + number, "mark": 1} for number in range(9)}
    yield DRAWERS["d"]
    DRAWERS.clear()


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Index]:
    def make(**rows: Any) -> Index:
        section = {"type": "drawer", "place": "d", "rows": {"metadata": ["year"]} | rows}
        return shelf_index(tmp_path, [section])

    return make


def test_rows_are_documents_with_their_metadata(make):
    report = make().ingest()
    assert report.added == 9
    (row,) = [row for row in rows(make()) if row["uri"] == "drawer://d#3"]
    assert row["text"] == "Row number 3."
    metadata = row["metadata"] if isinstance(row["metadata"], dict) else json.loads(row["metadata"])
    assert (metadata["year"], metadata["path"]) == (2003, "drawer://d")


def test_only_rows_whose_marker_changed_are_read_and_embedded(make, drawer, log):
    make().ingest()
    READ.clear()
    assert make().ingest().unchanged == 9
    assert READ == []
    bought = len(log())
    drawer[4] |= {"text": "Row four says something else.", "mark": 2}
    drawer[99] = {"text": "A new row.", "year": 1, "mark": 1}
    del drawer[0]
    report = make().ingest()
    assert (report.changed, report.added, report.removed, report.unchanged) == (1, 1, 1, 7)
    assert sorted(READ) == ["drawer://d#4", "drawer://d#99"]
    assert len(log()) == bought + 2


def test_a_touched_row_is_read_once_and_not_embedded(make, drawer, log):
    make().ingest()
    bought = len(log())
    READ.clear()
    drawer[4]["mark"] = 2
    report = make().ingest()
    assert (report.changed, report.unchanged) == (0, 9)
    assert READ == ["drawer://d#4"]
    READ.clear()
    assert make().ingest().unchanged == 9
    assert (READ, len(log())) == ([], bought)


def test_another_choice_of_columns_reads_all_rows_again(make):
    make().ingest()
    READ.clear()
    report = make(text=["{text} ({year})"]).ingest()
    assert report.changed == 9
    assert len(READ) == 9


def test_a_row_that_goes_between_listing_and_reading_is_no_failure(make, drawer, monkeypatch):
    whole = Drawer.open_rows

    def racing(self, table, names):
        drawer.pop(5, None)
        return whole(self, table, names)

    monkeypatch.setattr(Drawer, "open_rows", racing)
    report = make().ingest()
    assert (report.added, report.failed) == (8, 0)
    assert make().ingest().unchanged == 8


def test_a_row_without_text_is_a_failure_that_alone_is_read_again(make, drawer):
    drawer[4]["text"] = ""
    report = make().ingest()
    assert (report.added, [failure.uri for failure in report.failures]) == (8, ["drawer://d#4"])
    READ.clear()
    report = make().ingest()
    assert (report.unchanged, report.failed) == (8, 1)
    assert READ == ["drawer://d#4"]


def test_only_the_rows_that_are_named_are_looked_at(make, drawer):
    make().ingest()
    READ.clear()
    for number in (1, 2):
        drawer[number] |= {"text": f"Changed {number}.", "mark": 2}
    del drawer[3]
    report = make().ingest(only=["drawer://d#1", "drawer://d#3"])
    assert (report.changed, report.removed) == (1, 1)
    assert READ == ["drawer://d#1"]
    assert make().ingest().changed == 1


def test_a_plan_counts_what_the_run_will_embed(make, drawer):
    plan = make().plan()
    assert (plan.added, plan.chunks) == (9, 9)
    make().ingest()
    drawer[4] |= {"text": "Row four says something else.", "mark": 2}
    plan = make().plan()
    assert (plan.changed, plan.unchanged, plan.chunks) == (1, 8, 1)


def test_rows_that_are_not_named_are_not_even_looked_up(make, drawer, monkeypatch):
    make().ingest()
    del drawer[3], drawer[4]
    looked: list[str] = []
    rows_of = Manifest.rows
    monkeypatch.setattr(Manifest, "rows", lambda self, ids, *more: (looked.extend(ids), rows_of(self, ids, *more))[1])
    report = make().ingest(only=["drawer://d#3"])
    assert (report.removed, report.unchanged) == (1, 8)
    assert set(looked) <= {document_id("drawer://d#3")}
    assert make().ingest().removed == 1
