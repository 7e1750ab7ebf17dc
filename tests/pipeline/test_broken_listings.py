"""A source that cannot be listed to its end loses nothing, and stops no other source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rows import rows
from shelves import AT_ONCE, BAD, BROKEN, DRAWERS, READ, SHELVES, shelf_index

from relance.errors import SourceError
from relance.index import Index


@pytest.fixture(autouse=True)
def shelves() -> Iterator[None]:
    for each in (SHELVES, DRAWERS, BROKEN, BAD, READ):
        each.clear()
    AT_ONCE[:] = [0, 0]
    SHELVES["one"] = {f"{number}.txt": f"Document {number} of one." for number in range(5)}
    SHELVES["two"] = {f"{number}.txt": f"Document {number} of two." for number in range(5)}
    yield
    BROKEN.clear()


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return shelf_index(tmp_path, [{"type": "shelf", "place": "one"}, {"type": "shelf", "place": "two"}])


def uris(index: Index) -> set[str]:
    return {row["uri"] for row in rows(index)}


@pytest.mark.parametrize("after", [0, 2, 5])
def test_what_is_indexed_of_a_broken_source_stays_and_the_others_go_on(index, after):
    index.ingest()
    before = uris(index)
    SHELVES["one"] = {"0.txt": "Document 0 of one."}  # nobody can know: the listing breaks
    BROKEN["one"] = min(after, 1)
    SHELVES["two"]["0.txt"] = "Another text."
    del SHELVES["two"]["1.txt"]
    SHELVES["two"]["new.txt"] = "A new text."
    report = index.ingest()
    assert uris(index) == (before - {"shelf://two/1.txt"}) | {"shelf://two/new.txt"}
    assert (report.removed, report.changed, report.added, report.failed) == (1, 1, 1, 1)
    (failure,) = report.failures
    assert failure.uri == "shelf://one/"
    assert failure.reason.endswith("so what is indexed of it stays: the server does not answer")


def test_it_is_followed_again_when_it_is_back(index):
    index.ingest()
    BROKEN["one"] = 0
    assert index.ingest().failed == 1
    assert index.status().failures == 1
    del BROKEN["one"]
    del SHELVES["one"]["3.txt"]
    report = index.ingest()
    assert (report.removed, report.failed) == (1, 0)
    assert index.status().failures == 0
    assert "shelf://one/3.txt" not in uris(index)


def test_what_was_listed_before_it_broke_is_indexed(index):
    BROKEN["one"] = 3
    report = index.ingest()
    assert (report.added, report.failed) == (8, 1)


def test_a_run_in_which_no_source_answers_fails_and_changes_nothing(index):
    index.ingest()
    before = rows(index)
    BROKEN.update(one=0, two=0)
    with pytest.raises(SourceError, match="does not answer"):
        index.ingest()
    assert rows(index) == before


def test_a_plan_removes_nothing_of_a_broken_source(index):
    index.ingest()
    SHELVES["one"].clear()
    BROKEN["one"] = 0
    plan = index.plan()
    assert (plan.removed, plan.failed) == (0, 1)


def test_a_broken_table_loses_no_row(tmp_path):
    DRAWERS["rows"] = {number: {"text": f"Row {number}.", "year": 2000, "mark": 1} for number in range(4)}
    index = shelf_index(tmp_path, [{"type": "shelf", "place": "one"}, {"type": "drawer", "place": "rows"}])
    index.ingest()
    before = uris(index)
    del DRAWERS["rows"][1]
    DRAWERS["rows"][3]["mark"] = 2
    BROKEN["rows"] = 2
    report = index.ingest()
    assert (report.removed, report.failed) == (0, 1)
    assert uris(index) == before
    BROKEN.clear()
    assert index.ingest().removed == 1
    assert uris(index) == before - {"drawer://rows#1"}


@pytest.mark.parametrize(("bad", "gone"), [("docs.txt", True), ("docs.txt/", False), ("rows.jsonl", True)])
def test_what_cannot_be_listed_stays_alone_or_with_its_rows_and_a_folder_with_all_below_it(tmp_path, bad, gone):
    listed = {"docs.txt": "A page.", "docs.txt/a.txt": "A page below.", "rows.jsonl": '{"id": 1, "text": "A row."}\n'}
    SHELVES["one"] = dict(listed)
    index = shelf_index(tmp_path, [{"type": "shelf", "place": "one", "rows": {}}])
    assert index.ingest().added == 3
    before = uris(index)
    for name in {bad, "docs.txt/a.txt"} & set(listed):
        del SHELVES["one"][name]
    BAD.add(f"shelf://one/{bad}")
    report = index.ingest()
    assert (report.removed, report.failed) == (int(gone), 1)
    assert uris(index) == before - ({"shelf://one/docs.txt/a.txt"} if gone else set())


def test_a_source_over_a_network_is_read_several_at_a_time(index):
    index.ingest()
    assert 1 < AT_ONCE[1] <= 8  # four of each batch, and two batches may be under way
    READ.clear()
    index.ingest()
    assert READ == []
