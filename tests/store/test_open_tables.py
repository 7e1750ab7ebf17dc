"""Tables that stay open: the newest version is seen at once, however fast commits follow each other."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from relance.store.connection import Store
from relance.store.open_tables import OpenTables
from relance.store.waiting import begun, waited

SCHEMA = pa.schema([("id", pa.int64())])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with an empty table."""
    store = Store(str(tmp_path), storage_options={}, api_key="")
    store.create("notes", SCHEMA)
    return store


def add(store: Store, number: int, *, written_s: float) -> None:
    """Commit a row, and let the folder say when."""
    store.db.open_table("notes").add([{"id": number}])
    assert store.local is not None
    os.utime(store.local / "notes.lance" / "_versions", (written_s, written_s))


def ids(table: Any) -> list[int]:
    return sorted(waited(begun(table).to_arrow())["id"].to_pylist())


def test_commits_within_one_tick_of_the_clock_are_all_seen(store: Store) -> None:
    tables, tick = OpenTables(store), time.time()
    for number in range(3):
        add(store, number, written_s=tick)
        for _ in range(2):
            assert ids(tables.newest("notes")) == list(range(number + 1))


def test_a_table_at_rest_stays_open_until_the_next_commit(store: Store) -> None:
    tables, then = OpenTables(store), time.time() - 3600
    add(store, 0, written_s=then)
    first = tables.newest("notes")
    assert all(tables.newest("notes") is first for _ in range(3))
    add(store, 1, written_s=then + 1)
    assert ids(tables.newest("notes")) == [0, 1]
    store.db.drop_table("notes")
    assert tables.newest("notes") is None
    store.create("notes", SCHEMA)
    assert ids(tables.newest("notes")) == []


def test_queries_are_waited_for_in_threads_and_in_asynchronous_programs(store: Store) -> None:
    add(store, 7, written_s=time.time())
    table = store.db.open_table("notes")

    async def program() -> list[int]:
        return ids(table)

    assert asyncio.run(program()) == [7]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: ids(table), range(40))) == [[7]] * 40
    with pytest.raises((ValueError, RuntimeError), match="nowhere"):
        waited(begun(table).where("nowhere = 1").to_arrow())
    assert ids(table) == [7]
    place = waited(begun(table).with_row_id().to_arrow())["_rowid"].to_pylist()
    assert waited(begun(table, place).to_arrow())["id"].to_pylist() == [7]
