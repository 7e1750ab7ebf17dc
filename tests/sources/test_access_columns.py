"""Who may see a row, from tables of each kind: the column is read, and a change of it alone embeds nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from by_hand import by_hand
from databases import Database
from lakes import SCHEMA, LakeTable, some_rows
from shelves import BROKEN, DRAWERS, READ, shelf_index

import relance
from relance.errors import ConfigurationError
from relance.index import Index

ACCESS = {"access": {"field": "who"}}
LISTS = SCHEMA.append(pa.field("who", pa.list_(pa.string())))
Log = Callable[[], list[str]]


@pytest.fixture
def drawer() -> Iterator[dict[int, dict[str, Any]]]:
    for each in (DRAWERS, BROKEN, READ):
        each.clear()
    DRAWERS["d"] = {n: {"text": f"Row number {n}.", "year": 2000, "mark": 1, "who": ["ada"]} for n in range(4)}
    yield DRAWERS["d"]
    DRAWERS.clear()


def texts(embedded: list[str]) -> list[str]:
    """Leave out of what was embedded what was searched for."""
    return [each for each in embedded if each.startswith("Row number ")]


def seen(index: Index, *principals: str) -> set[str]:
    """Name the rows that a search finds for somebody, by each way to search."""
    found = [
        {hit.uri.rpartition("#")[2] for hit in index.search("row number", k=50, mode=mode, principals=principals)}
        for mode in ("dense", "full-text")
    ]
    assert found[0] == found[1]
    return found[0]


def test_rows_with_markers_say_who_sees_them(tmp_path: Path, drawer: dict[int, Any], log: Log) -> None:
    def make() -> Index:
        return shelf_index(tmp_path, [{"type": "drawer", "place": "d", **ACCESS}])

    drawer[3]["who"] = None
    assert make().ingest().added == 4
    index, bought = make(), texts(log())
    assert (seen(index), seen(index, "ada")) == (set(), {"0", "1", "2"})
    assert [each.uri for each in index.failures()] == ["drawer://d#3"]
    READ.clear()
    assert make().ingest().unchanged == 4
    assert READ == []
    with index:
        assert "1" in seen(index, "ada")
        drawer[1] |= {"who": ["bob"], "mark": 2}
        drawer[2] |= {"who": ["*"], "mark": 2}
        report = make().ingest()
        assert (report.changed, report.unchanged, sorted(READ)) == (2, 2, ["drawer://d#1", "drawer://d#2"])
        assert (seen(index), seen(index, "ada"), seen(index, "bob")) == ({"2"}, {"0", "2"}, {"1", "2"})
    assert "who" not in make().search("row", principals=["ada"])[0].metadata
    assert texts(log()) == bought


def test_the_section_is_added_to_rows_whose_markers_stay(tmp_path: Path, drawer: dict[int, Any], log: Log) -> None:
    shelf_index(tmp_path, [{"type": "drawer", "place": "d"}]).ingest()
    bought = texts(log())
    index = shelf_index(tmp_path, [{"type": "drawer", "place": "d", **ACCESS}])
    assert index.ingest().changed == len(drawer)
    assert (seen(index), seen(index, "ada")) == (set(), {"0", "1", "2", "3"})
    assert texts(log()) == bought


@pytest.mark.parametrize("database", ["postgresql", *by_hand("mariadb", "sqlite", "duckdb")], indirect=True)
@pytest.mark.parametrize(("marker", "metadata"), [("auto", []), ("year", ["who", "year"]), ("hash", [])])
def test_rows_of_a_database_say_who_sees_them(database: Database, log: Log, marker: str, metadata: list[str]) -> None:
    access = {"field": "who", "separator": ";"}
    options: dict[str, Any] = {"access": access, "marker": marker, "rows": {"metadata": metadata}}
    database.fill(4)
    database.execute("ALTER TABLE notes ADD COLUMN who VARCHAR(100)", "UPDATE notes SET who = 'ada;bob' WHERE id < 3")
    index = database.index(**options)
    index.ingest()
    bought = texts(log())
    assert (seen(index), seen(index, "ada"), seen(index, "bob")) == (set(), {"0", "1", "2"}, {"0", "1", "2"})
    assert index.ingest().unchanged == 4
    database.execute("UPDATE notes SET who = 'bob', year = year + 1 WHERE id = 1")
    if marker == "hash":
        database.execute("UPDATE notes SET who = '*' WHERE id = 2")
    report = index.ingest()
    assert report.changed == (2 if marker == "hash" else 1)
    assert seen(index, "ada") == ({"0", "2"})
    assert seen(index) == ({"2"} if marker == "hash" else set())
    (hit,) = [each for each in index.search("row", k=9, principals=["bob"]) if each.uri.endswith("#1")]
    assert hit.metadata.get("who") == ("bob" if metadata else None)
    assert texts(log()) == bought


def test_a_list_of_a_database_is_read_as_json(make_database: Callable[[str], Database]) -> None:
    database = make_database("postgresql")
    database.fill(2)
    database.execute("ALTER TABLE notes ADD COLUMN who TEXT[]", "UPDATE notes SET who = '{ada,bob}' WHERE id = 1")
    index = database.index(**ACCESS)
    index.ingest()
    assert (seen(index, "bob"), seen(index)) == ({"1"}, set())


def test_a_column_that_is_not_there_is_told_before_anything_is_hidden(database: Database) -> None:
    database.fill(2)
    with pytest.raises(ConfigurationError, match="has no column 'yaer'; did you mean 'year'"):
        database.index(access={"field": "yaer"}).ingest()


def test_rows_of_a_lake_say_who_sees_them(lake: LakeTable, log: Log) -> None:
    def write(*who: Any) -> None:
        lake.write([row | {"who": each} for row, each in zip(some_rows(len(who)), who, strict=True)], LISTS)

    write(["ada"], ["ada", "bob"], None)
    index = lake.index(**ACCESS)
    index.ingest()
    bought = texts(log())
    assert (seen(index), seen(index, "ada"), seen(index, "bob")) == (set(), {"0", "1"}, {"1"})
    write(["ada"], ["bob"], ["*"])
    report = index.ingest()
    assert (report.changed, report.unchanged) == (2, 1)
    assert (seen(index), seen(index, "ada"), seen(index, "bob")) == ({"2"}, {"0", "2"}, {"1", "2"})
    assert all("who" not in hit.metadata for hit in index.search("row", principals=relance.OWNER))
    assert texts(log()) == bought


def test_no_bytes_of_the_column_are_in_what_a_reader_gets(tmp_path: Path, drawer: dict[int, Any]) -> None:
    drawer[0]["who"] = ["ada", "group:secret"]
    index = shelf_index(tmp_path, [{"type": "drawer", "place": "d", **ACCESS}])
    index.ingest()
    assert "group:secret" not in json.dumps([hit.as_dict() for hit in index.search("row", principals=["ada"])])
