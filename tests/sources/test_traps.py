"""The traps of this trade: each of these has cost users of such tools stale rows, lost rows or rows twice."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from files import fill, write
from rows import rows

from relance.index import Index
from relance.pipeline.run_handle import RunHandle
from relance.store.manifest import Manifest

Make = Callable[..., Index]
Log = Callable[[], list[str]]


def save_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@contextmanager
def killed_between_chunks_and_manifest() -> Generator[None]:
    """Let a run die after it has written chunks and before it has written their manifest rows."""

    def die(*_: object, **__: object) -> None:
        raise SystemExit(9)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Manifest, "upsert", die)
        yield


# -- stale rows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chunking",
    [{"max_tokens": 24, "overlap_tokens": 8}, {"strategy": "whole"},
     {"max_tokens": 48, "context": ["title", "headings"]}],
    ids=str,
)  # fmt: skip
def test_another_way_of_cutting_leaves_no_chunk_of_the_old_one(
    make_index: Make, docs: Path, chunking: dict[str, Any], in_sync: Callable[[Index], None]
) -> None:
    """Validators elsewhere: files did not change, so nothing was cut again, and old and new chunks lay side by side."""
    fill(docs, 3)
    make_index(chunking={"max_tokens": 48}).ingest()
    index = make_index(chunking=chunking)
    assert index.ingest().changed == 3
    in_sync(index)
    assert index.ingest().unchanged == 3


def test_a_change_of_many_documents_is_a_handful_of_commits(make_index: Make, docs: Path) -> None:
    """Validators elsewhere: one commit per row, and a table that is slower with every run."""
    fill(docs, 300)
    index = make_index()
    index.ingest()
    before = index.status().table_version
    assert before < 10
    fill(docs, 300, "second")
    assert index.ingest().changed == 300
    assert index.status().table_version - before < 10


def test_a_deleted_file_a_deleted_folder_and_an_emptied_source_leave_nothing(
    make_index: Make, docs: Path, in_sync: Callable[[Index], None]
) -> None:
    fill(docs, 3)
    fill(docs / "sub", 3)
    index = make_index()
    index.ingest()
    (docs / "1.md").unlink()
    shutil.rmtree(docs / "sub")
    assert index.ingest().removed == 4
    in_sync(index)
    for path in docs.iterdir():
        path.unlink()
    assert index.ingest(approved=True).removed == 2
    assert rows(index, vectors=True) == []


def test_a_rename_that_keeps_the_date_moves_the_rows(
    make_index: Make, docs: Path, log: Log, in_sync: Callable[[Index], None]
) -> None:
    fill(docs, 3)
    index = make_index()
    index.ingest()
    paid = log()
    stat = (docs / "0.md").stat()
    (docs / "0.md").rename(docs / "moved.md")
    (docs / "1.md").rename(docs / "swap")
    (docs / "2.md").rename(docs / "1.md")  # other content of the same size under a known name
    (docs / "swap").rename(docs / "2.md")
    assert (docs / "moved.md").stat().st_mtime_ns == stat.st_mtime_ns
    index.ingest()
    assert log() == paid
    in_sync(index)


def test_an_edit_that_keeps_size_and_date_is_seen_by_a_full_run_only(
    make_index: Make, docs: Path, in_sync: Callable[[Index], None]
) -> None:
    """The marker of a file is its date (in nanoseconds) and its size; reading every file in every run would tell."""
    path = write(docs, "a.md", "The gauge is at 1.20 m.")
    index = make_index()
    index.ingest()
    stat = path.stat()
    write(docs, "a.md", "The gauge is at 3.70 m.")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size
    assert index.ingest().unchanged == 1
    assert "1.20" in rows(index, vectors=True)[0]["text"]
    assert index.ingest(full=True).changed == 1
    in_sync(index)


def test_an_edit_with_an_older_date_is_seen(make_index: Make, docs: Path, in_sync: Callable[[Index], None]) -> None:
    """Validators elsewhere: only files newer than the last run were read, and a restored backup was not."""
    path = write(docs, "a.md", "The gauge is at 1.20 m.")
    index = make_index()
    index.ingest()
    write(docs, "a.md", "The gauge is at 3.70 m.")
    os.utime(path, (1, 1))
    assert index.ingest().changed == 1
    in_sync(index)


def test_a_document_that_two_sources_share_is_indexed_once(make_index: Make, docs: Path) -> None:
    fill(docs, 3)
    index = make_index(sources=[{"type": "files", "root": str(docs)},
                                {"type": "files", "root": str(docs), "include": ["1.md", "2.md"]}])  # fmt: skip
    report = index.ingest()
    assert (report.added, index.status().documents) == (3, 3)
    rows(index, vectors=True)
    assert index.ingest().unchanged == 3


# -- handles and processes ---------------------------------------------------------------------------------------


def test_a_handle_from_before_another_process_wrote_duplicates_nothing(
    make_index: Make, docs: Path, in_sync: Callable[[Index], None]
) -> None:
    """LanceDB's default handle stays on the version it opened: it inserts twice and deletes nothing, silently."""
    fill(docs, 4)
    ours, theirs = make_index(), make_index()
    ours.ingest()
    table = ours.table()
    assert table.count_rows() == len(rows(ours, vectors=True))
    fill(docs, 4, "second")
    fill(docs / "sub", 2)
    theirs.ingest()
    fill(docs / "sub", 2, "third")
    (docs / "0.md").unlink()
    report = ours.ingest()
    assert (report.changed, report.removed, report.unchanged) == (2, 1, 3)
    in_sync(ours)
    assert table.count_rows() == len(rows(ours, vectors=True))


# -- crashes whose repair meets something else -------------------------------------------------------------------

Middle = Callable[[Index, Path], None]


def only_another_and_stopped_at_once(index: Index, _: Path) -> None:
    index.ingest(only=["docs/3.md"])
    handle = RunHandle()
    handle.stop.set()
    assert index.ingest(handle=handle).status == "stopped"


def one_is_bad_for_a_while(index: Index, docs: Path) -> None:
    good = (docs / "1.md").read_bytes()
    (docs / "1.md").write_bytes(bytes(range(256)))
    assert index.ingest().failed == 1
    (docs / "1.md").write_bytes(good)


def killed_again(index: Index, docs: Path) -> None:
    write(docs, "0.md", "Again another text.")
    with killed_between_chunks_and_manifest():
        index.ingest()


@pytest.mark.slow
@pytest.mark.parametrize("middle", [only_another_and_stopped_at_once, one_is_bad_for_a_while, killed_again])
def test_what_a_killed_run_left_is_repaired_by_whichever_run_can(
    make_index: Make, docs: Path, middle: Middle, in_sync: Callable[[Index], None]
) -> None:
    fill(docs, 5)
    index = make_index(chunking={"max_tokens": 24})
    index.ingest()
    fill(docs, 4, "second")
    with killed_between_chunks_and_manifest():
        index.ingest()
    fill(docs, 4, "third")
    (docs / "2.md").unlink()
    middle(index, docs)
    assert index.ingest().status == "completed"
    in_sync(index)
    assert index.status().interrupted is None
    version = index.status().table_version
    index.ingest()
    assert index.status().table_version == version


ROWS = [{"id": i, "text": f"Reading {i} of the first series."} for i in range(6)]


@pytest.fixture
def tables(make_index: Make, docs: Path) -> Index:
    save_rows(docs / "a.jsonl", ROWS)
    index = make_index(sources=[{"type": "files", "root": str(docs), "rows": {}}])
    index.ingest()
    return index


def test_rows_of_a_file_that_did_not_change_survive_a_killed_full_run(
    tables: Index, in_sync: Callable[[Index], None]
) -> None:
    with killed_between_chunks_and_manifest():
        tables.ingest(full=True)
    assert tables.ingest().removed == 0
    in_sync(tables)


def test_a_run_over_one_row_does_not_hide_the_changes_of_the_others(
    tables: Index, docs: Path, in_sync: Callable[[Index], None]
) -> None:
    changed = [{"id": i, "text": f"Reading {i} of the second series."} for i in range(1, 6)]
    save_rows(docs / "a.jsonl", changed)
    save_rows(docs / "new.jsonl", ROWS)
    assert tables.ingest(only=["docs/a.jsonl#3"]).changed == 1
    report = tables.ingest()
    assert (report.changed, report.removed, report.added) == (4, 1, 6)
    in_sync(tables)


def test_a_run_over_one_file_of_rows_sees_what_is_gone_from_it(
    tables: Index, docs: Path, in_sync: Callable[[Index], None]
) -> None:
    save_rows(docs / "b#1.jsonl", ROWS)
    tables.ingest()
    save_rows(docs / "a.jsonl", ROWS[:2])
    save_rows(docs / "b#1.jsonl", ROWS[:3])
    report = tables.ingest(only=["docs/a.jsonl"])
    assert (report.removed, tables.status().documents) == (4, 8)
    assert tables.ingest().removed == 3
    in_sync(tables)


@pytest.mark.parametrize("name", ["a.jsonl", "a#b.jsonl"])
def test_a_bad_row_is_tried_again_although_its_file_does_not_change(make_index: Make, docs: Path, name: str) -> None:
    save_rows(docs / name, [*ROWS, {"id": "bad", "text": ""}])
    index = make_index(sources=[{"type": "files", "root": str(docs), "rows": {}}])
    for _ in range(3):
        report = index.ingest()
        assert (report.status, report.failed) == ("completed with failures", 1)
        assert len(index.failures()) == 1
    save_rows(docs / name, ROWS)
    assert index.ingest().status == "completed"
    assert index.failures() == []
