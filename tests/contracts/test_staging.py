"""What a staging area promises wherever it is: a batch that leaves a process is whole for the next one."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from relance.config.reference import SpecReference
from relance.index import Index
from relance.pipeline.batch import Batch
from relance.pipeline.counts import Counts
from relance.pipeline.staging import Staging
from relance.pipeline.store_staging import StoreStaging
from relance.store import Store, open_store

Make = Callable[..., Index]
TABLES = {
    "items": pa.table({"uri": ["a", "b"], "row": pa.array([None, "{}"], pa.string())}),
    "chunks": pa.table(
        {"vector": pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)), "data": [b"\0", b"\xff" * 9]}
    ),
    "documents": pa.table({"uri": pa.array([], pa.string())}),
}


@pytest.fixture(params=["temporary", "folder", "store"])
def area(request: pytest.FixtureRequest, make_index: Make, tmp_path: Path) -> tuple[Any, Store]:
    """A staging area and the store beside it."""
    spec = make_index().spec
    store = open_store(spec)
    if request.param == "store":
        return StoreStaging(SpecReference.of(spec), store=store), store
    return Staging.beside(None if request.param == "temporary" else store), store


def test_a_batch_that_was_pickled_is_the_same_batch(area: tuple[Any, Store]) -> None:
    staging, _ = area
    with staging:
        batch = Batch(3, 7, TABLES, staging, counts=Counts({"unchanged": 2}))
        data = pickle.dumps(batch)
        assert len(data) < 1500, "what travels is its address"
        other = pickle.loads(data)
        assert (other.name, other.counts.amounts) == ("3/7", {"unchanged": 2})
        assert dict(other.tables) == TABLES
        back = pickle.loads(pickle.dumps(other.becomes({"items": other["items"].slice(1)}, Counts())))
        assert back["items"]["uri"].to_pylist() == ["b"]


def test_a_spooled_batch_is_read_again_and_a_released_one_is_gone(area: tuple[Any, Store]) -> None:
    staging, _ = area
    with staging:
        batch = Batch(1, 0, TABLES, staging)
        batch.spool()
        assert batch["items"] == TABLES["items"]
        batch.release()
        assert batch.tables == {}


def test_a_stop_is_seen_by_other_processes(area: tuple[Any, Store]) -> None:
    staging, _ = area
    with staging:
        Batch(1, 0, TABLES, staging).spool()
        assert not pickle.loads(pickle.dumps(staging)).stopped
        staging.stop()
        assert pickle.loads(pickle.dumps(staging)).stopped


def test_nothing_is_left_at_the_end(area: tuple[Any, Store], tmp_path: Path) -> None:
    staging, store = area
    with staging:
        Batch(1, 0, TABLES, staging).spool()
        staging.stop()
    assert not list(tmp_path.rglob("relance-staging-*"))
    assert [name for name in store.tables() if "staging" in name] == []
