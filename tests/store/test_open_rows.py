"""Rows that everybody sees are written in one way, once, when a section `access` comes or goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import relance
from relance.index import Index
from relance.store.index_tables import IndexTables
from relance.store.open_rows import settle_open_rows
from relance.store.visible_table import VisibleTable

Log = Callable[[], list[str]]
Declared = Callable[..., Index]


@pytest.fixture
def declared(make_index: Callable[..., Index], tmp_path: Path) -> Declared:
    """Two folders, `open` and `shut`; who is named may see the second."""
    for name in ("open", "shut"):
        (tmp_path / name).mkdir()
        for n in range(3):
            (tmp_path / name / f"{n}.md").write_text(f"# {name} {n}\n\nThe ferry {name} {n}.\n", encoding="utf-8")

    def make(*principals: str) -> Index:
        sources: list[dict[str, Any]] = [{"type": "files", "root": str(tmp_path / name)} for name in ("open", "shut")]
        sources[1] |= {"access": {"principals": [*principals]}} if principals else {}
        return make_index(sources=sources)

    return make


def rows(index: Index) -> list[dict[str, Any]]:
    columns = ["id", "uri", "access", "updated_at", "run_id", "active", "text"]
    return sorted(index.table().search().select(columns).limit(None).to_list(), key=lambda row: row["id"])


def written(index: Index) -> set[tuple[str, tuple[str, ...] | None]]:
    """Say what rows of each folder say."""
    return {(row["uri"][:4], None if row["access"] is None else tuple(row["access"])) for row in rows(index)}


def sealed(index: Index) -> bool:
    tables = IndexTables.serving(index._store, index.spec.name)
    return tables is not None and tables.is_sealed


def forget(index: Index) -> None:
    """Make a table as an earlier version left it: rows of one source say nothing, and it is sealed so."""
    index.table().update(where="array_has(access, '*')", values_sql={"access": "NULL"})
    tables = IndexTables.serving(index._store, index.spec.name)
    assert tables is not None
    IndexTables.seal([tables])


def test_the_section_comes_and_goes(declared: Declared, log: Log) -> None:
    declared().ingest()
    assert written(declared()) == {("open", None), ("shut", None)}
    before, bought = {row["id"]: row for row in rows(declared()) if row["uri"][:4] == "open"}, len(log())
    restricted = declared("ada")
    report = restricted.ingest()
    assert (report.changed, report.unchanged) == (3, 3)
    assert written(restricted) == {("open", ("*",)), ("shut", ("ada",))}
    for row in rows(restricted):
        if row["uri"][:4] == "open":
            assert row | {"access": None} == before[row["id"]], "nothing else of it is another"
    version = restricted.table().version
    assert restricted.ingest().changed == 0
    assert restricted.table().version == version
    assert sealed(restricted)
    assert not restricted.doctor().findings
    assert declared().ingest().changed == 3
    assert written(declared()) == {("open", None), ("shut", None)}
    assert not isinstance(declared().visible(), VisibleTable)
    assert declared().search("ferry", where="title = title"), "SQL is for everybody again"
    assert len(log()) == bought + 1


def test_a_table_of_an_earlier_version_is_settled_by_maintenance(declared: Declared) -> None:
    index = declared("ada")
    index.ingest()
    forget(index)
    assert written(index) == {("open", None), ("shut", ("ada",))}
    with index as opened:
        shown = {hit.uri for hit in opened.search("ferry", k=9)}
        index.maintain()
        assert written(index) == {("open", ("*",)), ("shut", ("ada",))}
        assert {hit.uri for hit in opened.search("ferry", k=9)} == shown
        assert len(opened.search("ferry", k=9, principals=["ada"])) == 6
    assert sealed(index)
    version = index.table().version
    index.maintain()
    assert index.table().version == version
    assert not index.doctor().findings


def test_a_table_of_an_earlier_version_is_settled_by_the_next_run_that_writes(
    declared: Declared, tmp_path: Path
) -> None:
    index = declared("ada")
    index.ingest()
    forget(index)
    assert index.ingest().changed == 0
    assert ("open", None) in written(index), "a run that has nothing to do writes nothing"
    (tmp_path / "shut/new.md").write_text("# New\n\nA new ferry.\n")
    index.ingest()
    assert written(index) == {("open", ("*",)), ("shut", ("ada",))}


def test_who_reads_a_version_keeps_it(declared: Declared) -> None:
    index = declared("ada")
    index.ingest()
    forget(index)
    pinned = index._serving.pin().table()
    assert settle_open_rows(index.table(), index.spec) == 3
    assert pinned.count_rows("access IS NULL") == 3
    assert index.table().count_rows("access IS NULL") == 0
    assert settle_open_rows(index.table(), index.spec) == 0


def test_a_table_without_principals_is_left_as_it_is(declared: Declared) -> None:
    index = declared()
    index.ingest()
    version = index.table().version
    assert settle_open_rows(index.table(), declared("ada").spec) == 0
    assert index.table().version == version
    index.table().drop_columns(["access"])
    assert settle_open_rows(index.table(), declared("ada").spec) == 0


def test_what_cannot_be_settled_stops_no_run(
    declared: Declared, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from lancedb.table import LanceTable

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    declared().ingest()
    monkeypatch.setattr(LanceTable, "update", refuse)
    index = declared("ada")
    assert index.ingest().status == "completed"
    assert "no space left" in caplog.text
    assert written(index) == {("open", None), ("shut", ("ada",))}
    assert len(index.search("ferry", k=9)) == 3
    assert len(index.search("ferry", k=9, principals=relance.OWNER)) == 6
