"""Housekeeping: what is tidied, what is kept for a rollback, and that readers and later runs notice nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import Run
from files import put
from rows import rows

from relance.errors import IndexBusyError, InputError
from relance.index import Index
from relance.store import open_store
from relance.store.chunks import ChunkTable
from relance.store.index_tables import IndexTables
from relance.store.lock import hold
from relance.store.maintain import Maintained, maintain
from relance.store.maintenance import MaintenanceLimits, reach
from relance.store.runs import Runs

Make = Callable[..., Index]

SOON = {"retention_days": 1e-6}  # a tenth of a second
NO_LEEWAY = MaintenanceLimits(leeway=timedelta(milliseconds=1))
FEW_FILES = MaintenanceLimits(files=4)


def tables(index: Index) -> IndexTables:
    found = IndexTables.serving(open_store(index.spec), index.spec.name)
    assert found is not None
    return found


def tidy(index: Index, limits: MaintenanceLimits) -> Maintained:
    return maintain(index.spec, open_store(index.spec), limits=limits)


@pytest.fixture
def short(make_index: Make, tmp_path: Path) -> Callable[..., Index]:
    """Declare indexes whose old versions are past the retention at once, where maintenance has no leeway."""

    def make(**sections: Any) -> Index:
        return make_index(**({"store": {"uri": str(tmp_path / "db"), **SOON}} | sections))

    return make


def test_many_small_files_become_few_and_a_tidy_index_gets_no_new_version(make_index: Make, docs: Path) -> None:
    index = make_index()
    for i in range(6):
        put(docs / f"{i}.md", f"Note {i}.")
        index.ingest()
    before = rows(index)
    done = tidy(index, FEW_FILES)
    compacted = {name.removeprefix(tables(index).name): files for name, files in done.compacted.items()}
    assert compacted["__documents"] == (6, 1)
    assert (compacted[""][0], compacted[""][1] <= 2) == (6, True), "rows that are indexed and rows that are not yet"
    assert rows(index) == before
    assert "words_idx" in done.indexes
    assert done.versions == 0, "a week of versions is kept"
    versions = tables(index).versions
    assert tidy(index, FEW_FILES).compacted == {}
    assert tables(index).versions == versions
    report = index.ingest()
    assert (report.unchanged, report.chunks) == (6, 0)


def test_old_versions_go_when_they_are_past_the_retention(short: Make, docs: Path) -> None:
    index = short()
    for text in ("One.", "Two.", "Three."):
        put(docs / "a.md", text)
        index.ingest()
    first = index.runs()[-1].run_id
    done = tidy(index, NO_LEEWAY)
    assert done.versions > 0
    assert done.bytes_before is not None
    assert [row["text"] for row in rows(index)] == ["Three."]
    with pytest.raises(InputError, match="past the retention"):
        index.rollback(first)


def test_what_readers_had_when_the_retention_began_can_be_gone_back_to(make_index: Make, docs: Path) -> None:
    """LanceDB drops versions by age alone; an old one that was replaced only yesterday has to stay."""
    put(docs / "a.md", "Good.")
    index = make_index()
    index.ingest()
    good = index.runs()[0].run_id
    began = datetime.now(UTC)
    for text in ("Bad.", "Worse."):
        put(docs / "a.md", text)
        index.ingest()
    age = (datetime.now(UTC) - began) / timedelta(days=1)  # everything since then is younger, the good one older
    spec = index.spec.model_copy(update={"store": index.spec.store.model_copy(update={"retention_days": age})})
    Index(spec).maintain()
    assert index.rollback(good).run_id == good
    assert [row["text"] for row in rows(index)] == ["Good."]


def test_a_rollback_over_a_maintenance_finds_what_was_there_before_the_bad_run(short: Make, docs: Path) -> None:
    index = short()
    for text in ("First.", "Good."):
        put(docs / "a.md", text)
        index.ingest()
    tidy(index, NO_LEEWAY)
    assert index.runs()[0].status == "maintained"
    put(docs / "a.md", "Bad.")
    index.ingest()
    index.rollback()
    assert [row["text"] for row in rows(index)] == ["Good."]


def test_a_rollback_after_a_maintenance_goes_back_over_it(make_index: Make, docs: Path) -> None:
    index = make_index()
    for i in range(6):
        put(docs / f"{i}.md", f"Note {i}.")
        index.ingest()
        if i == 4:
            assert tidy(index, FEW_FILES).compacted
    tidy(index, FEW_FILES)
    for left in (5, 4, 3):
        index.rollback()
        assert len(rows(index)) == left


def test_tables_of_an_earlier_model_go_when_no_rollback_may_want_them(
    short: Make, make_index: Make, docs: Path
) -> None:
    put(docs / "a.md", "Text.")
    old = make_index()
    old.ingest()
    name = tables(old).name
    (neighbour := make_index(name="notes-2")).ingest()
    new = {"model": "fake/hash", "dimension": 32}
    began = datetime.now(UTC)
    make_index(embedding=new).ingest()
    days = (datetime.now(UTC) - began) / timedelta(days=1)
    kept = make_index(embedding=new, store={"uri": str(docs.parent / "db"), "retention_days": days})
    assert tidy(kept, NO_LEEWAY).dropped == [], "it is what readers had when the retention began"
    time.sleep(0.2)  # the retention is a tenth of a second, and this machine may be quicker
    done = tidy(short(embedding=new), NO_LEEWAY)
    assert set(done.dropped) == {name, f"{name}__documents"}
    assert [(row["uri"], row["text"]) for row in rows(short(embedding=new))] == [("docs/a.md", "Text.")]
    assert [(row["uri"], row["text"]) for row in rows(neighbour)] == [("docs/a.md", "Text.")]


def test_tables_that_are_being_built_stay(short: Make, docs: Path) -> None:
    from relance.pipeline.run_handle import RunHandle

    put(docs / "a.md", "Text.")
    short().ingest()
    building = short(embedding={"model": "fake/hash", "dimension": 32})
    handle = RunHandle(on_progress=lambda progress: handle.stop.set() if progress.documents else None)
    assert building.ingest(handle=handle).status == "stopped"
    there = set(open_store(building.spec).tables())
    assert tidy(building, NO_LEEWAY).dropped == []
    assert set(open_store(building.spec).tables()) == there


def test_vectors_over_the_limit_are_pruned_and_failures_counted(make_index: Make, docs: Path, tmp_path: Path) -> None:
    for i in range(20):
        put(docs / f"{i}.md", f"Note {i}.")
    put(docs / "broken.pdf", "no PDF")
    make_index().ingest()
    index = make_index(store={"uri": str(tmp_path / "db"), "cache_max_bytes": 2000})
    done = index.maintain()
    assert (done.failures, done.retryable) == (1, 0)
    assert done.pruned > 0
    assert index.cache()[0].bytes <= 2000


def test_nothing_is_touched_while_a_run_writes(make_index: Make, docs: Path) -> None:
    put(docs / "a.md", "Text.")
    index = make_index()
    index.ingest()
    with hold(open_store(index.spec), "notes"), pytest.raises(IndexBusyError):
        index.maintain()


def test_what_an_interrupted_run_left_is_left_to_the_next_one(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(docs / "a.md", "Text.")
    index = make_index()
    index.ingest()
    put(docs / "a.md", "Other text.")
    with monkeypatch.context() as patch:
        patch.setattr(ChunkTable, "sweep", lambda _: exec("raise SystemExit(9)"))
        with pytest.raises(SystemExit):
            index.ingest()
    versions = tables(index).versions
    done = index.maintain()
    assert done.interrupted is not None
    assert tables(index).versions == versions
    index.ingest()
    assert index.maintain().interrupted is None


def test_an_index_that_is_not_there_yet_needs_no_maintenance(make_index: Make, tmp_path: Path) -> None:
    done = make_index().maintain()
    assert (done.compacted, done.indexes, done.bytes_before) == ({}, [], 0)
    assert not (tmp_path / "db").exists()


def test_media_are_tidied_with_the_texts(gallery: Any) -> None:
    index = gallery.index()
    for i in range(5):
        gallery.paint(f"pics/{i}.png", f"rgb({i},0,0)")
        index.ingest()
    done = tidy(index, FEW_FILES)
    assert any("__media__" in name for name in done.compacted)
    assert len(index.table(media=True).to_arrow()) == 5
    assert index.ingest().media.unchanged == 5


def test_the_command_tells_what_was_done(declare: Callable[..., Path], docs: Path, run: Run) -> None:
    put(docs / "a.md", "Text.")
    path = declare()
    Index(path).ingest()
    for arguments, expected in ([], "notes: maintained in"), (["--json"], '"compacted": {'):
        said = run("maintain", path, *arguments)
        assert (said.code, said.err) == (0, "")
        assert expected in said.out
    assert said.json["failures"] == 0


class Aged:
    """Stands for a table with versions of these ages in days, the oldest first."""

    def __init__(self, *days: float) -> None:
        self._days = days

    def list_versions(self) -> list[dict[str, Any]]:
        now = datetime.now(UTC)
        return [{"version": n, "timestamp": now - timedelta(days=age)} for n, age in enumerate(self._days, start=1)]


@pytest.mark.parametrize(
    ("ages", "left", "kept"),
    [
        ((3, 2, 1), {2, 3}, {2, 3}),  # what was before the end of the first run is of no use to anybody
        ((3, 2, 1), {3}, {3}),
        ((3, 2, 1), {1, 3}, {1, 2, 3}),  # LanceDB drops by age alone
        ((9, 8, 1), {3}, {2, 3}),  # the second is what readers had when the retention began
        ((9, 8, 1), {1, 3}, {2, 3}),
        ((0.3, 0.2, 0.01), set(), {3}),  # nothing was left yet: a first run compacts before it is recorded
        ((3, 2, 1), None, {1, 2, 3}),
    ],
)
def test_versions_stay_as_long_as_somebody_may_go_back_to_them(
    ages: tuple[float, ...], left: set[int] | None, kept: set[int]
) -> None:
    oldest = reach(Aged(*ages), timedelta(days=7), left=left)
    assert {n for n, age in enumerate(ages, start=1) if timedelta(days=age) < oldest} == kept


def test_the_log_of_runs_names_the_versions_that_can_be_gone_back_to(make_index: Make, docs: Path) -> None:
    index = make_index()
    for i in range(3):
        put(docs / f"{i}.md", f"Note {i}.")
        index.ingest()
    chunks, documents, failures = Runs(open_store(index.spec), "notes").versions(tables(index).name)
    assert chunks == {run.table_version for run in index.runs()}
    assert (len(documents), failures) == (3, {0})
    before = tables(index).versions
    tidy(index, MaintenanceLimits(files=1))
    found = Runs(open_store(index.spec), "notes").versions(tables(index).name)
    assert {before[0], tables(index).versions[0]} <= found[0], "what maintenance found is what the last run left"
