"""The store of paid-for vectors: exact, durable within a second, shared, and pruned oldest first."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from relance.documents import digest
from relance.embedding.sparse import Sparse
from relance.errors import RelanceError, StoreError
from relance.store import Store
from relance.store.cache_spaces import describe, prune
from relance.store.embeddings import EmbeddingStore, table_name

DIMENSION = 8
ROW_BYTES = 4 * DIMENSION + 48
Open = Callable[..., EmbeddingStore]


def keys(start: int, stop: int) -> list[str]:
    return [digest("key", str(i)) for i in range(start, stop)]


def vectors(start: int, stop: int, dimension: int = DIMENSION) -> NDArray[np.float32]:
    return np.stack([np.random.default_rng(i).normal(size=dimension).astype(np.float32) for i in range(start, stop)])


def connect(folder: Path) -> Store:
    return Store(str(folder / "db"), storage_options={}, api_key="")


class HookedStore(Store):
    """A store that calls a function before rows are added to one of its tables."""

    def __init__(self, folder: Path, before_add: Callable[[], object]) -> None:
        super().__init__(str(folder / "db"), storage_options={}, api_key="")
        self._before_add = before_add

    def create(self, name: str, schema: Any) -> Any:
        table = super().create(name, schema)
        add = table.add

        def hooked(rows: Any) -> Any:
            self._before_add()
            return add(rows)

        table.add = hooked
        return table


@pytest.fixture
def open_(tmp_path: Path) -> Open:
    """Open the store as another process would: with a connection of its own."""

    def make(space: str = "s", dimension: int = DIMENSION, **options: Any) -> EmbeddingStore:
        return EmbeddingStore(connect(tmp_path), space, dimension, **options)

    return make


def test_what_was_put_is_there_at_once_and_after_closing(open_: Open) -> None:
    store = open_()
    store.put(keys(0, 3), vectors(0, 3))
    for each in (store, None):
        if each is None:
            store.close()
        opened = each or open_()
        assert opened.contains(keys(0, 5)).tolist() == [True, True, True, False, False]
        found = opened.get(keys(1, 5))
        assert found.keys() == set(keys(1, 3))
        np.testing.assert_array_equal(found[keys(2, 3)[0]][0], vectors(2, 3)[0])


def test_an_empty_store_answers_and_creates_nothing(open_: Open, tmp_path: Path) -> None:
    store = open_()
    assert store.contains([]).tolist() == []
    assert store.get([]) == store.get(keys(0, 2)) == {}
    store.flush()
    store.close()
    assert not (tmp_path / "db").exists()


floats = hnp.from_dtype(np.dtype(np.float32), allow_nan=False, allow_infinity=False)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(matrix=hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(DIMENSION)), elements=floats))
def test_vectors_come_back_bit_for_bit(open_: Open, matrix: NDArray[np.float32]) -> None:
    names = [digest("exact", row.tobytes()) for row in matrix]
    store = open_()
    store.put(names, matrix)
    store.close()
    found = open_().get(names)
    for name, row in zip(names, matrix, strict=True):
        dense, sparse = found[name]
        assert sparse is None
        assert dense.dtype == np.float32
        assert dense.tobytes() == row.tobytes()


weights = hnp.from_dtype(np.dtype(np.float32), allow_nan=False, allow_infinity=False).filter(bool)
sparse_vectors = st.dictionaries(st.integers(0, 2**31 - 1), weights, max_size=6).map(
    lambda terms: Sparse.of(list(terms), list(terms.values()))
)


@pytest.mark.parametrize("dimension", [DIMENSION, 0])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(sparse_vectors, min_size=1, max_size=5), salt=st.integers())
def test_sparse_vectors_come_back_bit_for_bit_beside_dense_ones_or_alone(
    open_: Open, dimension: int, batch: list[Sparse], salt: int
) -> None:
    parts = [(each.indices.tobytes(), each.values.tobytes()) for each in batch]
    names = [digest("sparse", str(salt), str(i), *part) for i, part in enumerate(parts)]
    dense = vectors(0, len(batch))[:, :dimension]
    store = open_(f"sparse{dimension}", dimension, sparse=True)
    store.put(names, dense, batch)
    for opened in (store, None):
        if opened is None:
            store.close()
        found = (opened or open_(f"sparse{dimension}", dimension, sparse=True)).get(names[::-1])
        assert found.keys() == set(names)
        for i, name in enumerate(names):
            there, sparse = found[name]
            np.testing.assert_array_equal(there, dense[i])
            assert sparse is not None
            assert sparse.indices.tobytes() == batch[i].indices.tobytes()
            assert sparse.values.tobytes() == batch[i].values.tobytes()


@pytest.mark.parametrize("dimension", [DIMENSION, 0])
def test_many_sparse_vectors_written_in_several_commits_are_found_by_their_own_keys(
    open_: Open, dimension: int
) -> None:
    store = open_("many", dimension, sparse=True)
    for start in range(0, 2500, 500):
        batch = [Sparse.of([i, i + 7], [i + 1, 0.25]) for i in range(start, start + 500)]
        store.put(keys(start, start + 500), vectors(start, start + 500)[:, :dimension], batch)
        store.flush()
    store.close()
    found = open_("many", dimension, sparse=True).get(keys(0, 2600)[::-1])
    assert found.keys() == set(keys(0, 2500))
    for i, key in enumerate(keys(0, 2500)):
        assert found[key][1] == Sparse.of([i, i + 7], [i + 1, 0.25])
        np.testing.assert_array_equal(found[key][0], vectors(i, i + 1)[0][:dimension])


@pytest.mark.parametrize("dimension", [DIMENSION, 0])
def test_spaces_with_sparse_vectors_are_counted_and_pruned_too(open_: Open, tmp_path: Path, dimension: int) -> None:
    store = open_("sparse", dimension, sparse=True)
    store.put(keys(0, 10), vectors(0, 10)[:, :dimension], [Sparse.of([1], [1])] * 10)
    store.close()
    store = open_("dense")
    store.put(keys(10, 20), vectors(10, 20))
    store.close()
    shared = connect(tmp_path)
    sizes = {row.space: row.bytes for row in describe(shared)}
    assert sizes["sparse"] > 10 * (4 * dimension + 48)
    assert sizes["dense"] == 10 * ROW_BYTES
    assert prune(shared, max_bytes=sizes["dense"]) == {"relance__vectors__sparse": 10}
    assert not open_("sparse", dimension, sparse=True).contains(keys(0, 10)).any()
    assert open_("dense").contains(keys(10, 20)).all()


def test_the_order_of_the_keys_asked_for_does_not_matter(open_: Open) -> None:
    store = open_()
    store.put(keys(0, 2500), vectors(0, 2500))
    store.close()
    asked = keys(0, 2500)[::-1]
    found = open_().get(asked)
    np.testing.assert_array_equal(np.stack([found[key][0] for key in asked]), vectors(0, 2500)[::-1])


def test_a_reply_is_on_disk_within_a_second_though_nobody_flushes(open_: Open) -> None:
    writer = open_()
    try:
        writer.put(keys(0, 1), vectors(0, 1))  # creates the table, which happens once
        writer.flush()
        writer.put(keys(1, 5), vectors(1, 5))
        deadline = time.monotonic() + 1.0
        while not open_().contains(keys(1, 5)).all():
            assert time.monotonic() < deadline, "bought, and not durable after a second"
            time.sleep(0.05)
    finally:
        writer.close()


def test_what_comes_in_during_a_commit_is_committed_next(open_: Open, tmp_path: Path) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        inside.set()
        go_on.wait(10)

    store = EmbeddingStore(HookedStore(tmp_path, slow), "s", DIMENSION, fold_bytes=1)
    store.put(keys(0, 2), vectors(0, 2))
    assert inside.wait(5)
    store.put(keys(2, 4), vectors(2, 4))
    assert store.get(keys(0, 4)).keys() == set(keys(0, 4)), "nothing is out of sight while it is being written"
    go_on.set()
    store.close()
    assert open_().contains(keys(0, 4)).all()


def test_threads_that_put_and_get_at_once_lose_nothing(open_: Open) -> None:
    store, errors = open_(), []

    def work(part: int) -> None:
        try:
            for i in range(part * 40, part * 40 + 40, 4):
                store.put(keys(i, i + 4), vectors(i, i + 4))
                assert len(store.get(keys(i, i + 4))) == 4
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    assert not errors
    found = open_().get(keys(0, 240))
    np.testing.assert_array_equal(np.stack([found[key][0] for key in keys(0, 240)]), vectors(0, 240))


PUTTER = """
import sys
import numpy as np
from relance.store import Store
from relance.store.embeddings import EmbeddingStore, table_name
connected = Store(sys.argv[1], storage_options={}, api_key="")
connected.db
store = EmbeddingStore(connected, "s", 8)
print("begins", flush=True)
with np.load(sys.argv[2]) as given:
    for i in range(0, 60, 10):
        store.put(given["keys"][i : i + 10].tolist(), given["vectors"][i : i + 10])
        store.flush()
store.close()
"""


def test_processes_that_write_the_same_keys_leave_the_right_vectors(open_: Open, tmp_path: Path) -> None:
    np.savez(tmp_path / "given.npz", keys=keys(0, 60), vectors=vectors(0, 60))
    command = [sys.executable, "-c", PUTTER, str(tmp_path / "db"), str(tmp_path / "given.npz")]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "begins\n"
    ours = open_()
    for i in range(0, 60, 10):
        ours.put(keys(i, i + 10), vectors(i, i + 10))
        ours.flush()
    ours.close()
    _, errors = other.communicate(timeout=120)
    assert other.returncode == 0, errors
    found = open_().get(keys(0, 60))
    np.testing.assert_array_equal(np.stack([found[key][0] for key in keys(0, 60)]), vectors(0, 60))


def test_a_commit_that_somebody_else_came_before_is_tried_again(tmp_path: Path) -> None:
    refused = iter(["This Append transaction is incompatible with concurrent transaction Overwrite at version 2"])

    def refuse() -> None:
        for text in refused:
            raise RuntimeError(f"lance error: Incompatible transaction: {text}")

    store = EmbeddingStore(HookedStore(tmp_path, refuse), "s", DIMENSION)
    store.put(keys(0, 10), vectors(0, 10))
    store.flush()
    assert next(refused, None) is None
    table = connect(tmp_path).open(table_name("s"))
    assert table is not None
    assert table.count_rows() == 10
    store.close()


def test_spaces_do_not_mix(open_: Open) -> None:
    one, other = open_("one"), open_("other", 4)
    one.put(keys(0, 1), vectors(0, 1))
    other.put(keys(0, 1), vectors(0, 1, 4))
    one.close()
    other.close()
    assert open_("one").get(keys(0, 1))[keys(0, 1)[0]][0].shape == (DIMENSION,)
    assert open_("other", 4).get(keys(0, 1))[keys(0, 1)[0]][0].shape == (4,)
    assert not open_("third").contains(keys(0, 1)).any()


def test_pruning_drops_the_oldest_first_across_spaces(open_: Open, tmp_path: Path) -> None:
    for start, space in ((0, "one"), (10, "other"), (20, "one"), (30, "other")):
        store = open_(space)
        store.put(keys(start, start + 10), vectors(start, start + 10))
        store.close()
    shared = connect(tmp_path)
    assert prune(shared, max_bytes=40 * ROW_BYTES) == {}
    assert sum(row.bytes for row in describe(shared)) == 40 * ROW_BYTES
    assert sum(prune(shared, max_bytes=25 * ROW_BYTES).values()) == 20
    assert not open_("one").contains(keys(0, 10)).any()
    assert not open_("other").contains(keys(10, 20)).any()
    assert open_("one").contains(keys(20, 30)).all()
    assert open_("other").contains(keys(30, 40)).all()
    prune(shared, max_bytes=0)
    assert [row.vectors for row in describe(shared)] == [0, 0]


def test_a_vector_pruned_by_another_process_is_bought_again_and_not_invented(open_: Open, tmp_path: Path) -> None:
    writer, reader = open_(), open_()
    writer.put(keys(0, 4), vectors(0, 4))
    writer.close()
    assert reader.contains(keys(0, 4)).all()
    prune(connect(tmp_path), max_bytes=0)
    assert reader.get(keys(0, 4)) == {}
    reader.put(keys(0, 4), vectors(0, 4))
    reader.close()
    assert len(open_().get(keys(0, 4))) == 4


def test_an_error_in_the_background_is_raised_where_the_next_vectors_are_put(open_: Open, tmp_path: Path) -> None:
    freed = threading.Event()

    def check() -> None:
        if not freed.is_set():
            raise OSError("No space left on device")

    store = EmbeddingStore(HookedStore(tmp_path, check), "s", DIMENSION, fold_bytes=1)
    store.put(keys(0, 2), vectors(0, 2))
    deadline = time.monotonic() + 10
    with pytest.raises(RelanceError, match="No space left"):
        while time.monotonic() < deadline:
            store.put(keys(2, 3), vectors(2, 3))
            time.sleep(0.05)
    with pytest.raises(StoreError, match="relance__vectors__s"):
        store.close()
    freed.set()
    store.close()
    assert open_().contains(keys(0, 3)).all(), "what could not be written was kept for the next try"


def test_draining_commits_a_large_journal_and_leaves_a_small_one(open_: Open, tmp_path: Path) -> None:
    store = open_(dimension=1, fold_bytes=50_000)
    store.put(keys(0, 1), np.zeros((1, 1), np.float32))
    store.drain()
    assert connect(tmp_path).open("relance__vectors__s") is None
    many = 5000
    store.put(keys(1, many), np.arange(1, many, dtype=np.float32)[:, None])
    store.drain()
    assert connect(tmp_path).open("relance__vectors__s").count_rows() == many
    store.close()


def test_closing_twice_is_harmless_and_writes_no_version(open_: Open, tmp_path: Path) -> None:
    store = open_()
    store.put(keys(0, 1), vectors(0, 1))
    store.flush()
    store.close()
    version = connect(tmp_path).open("relance__vectors__s").version
    store.close()
    store.flush()
    assert connect(tmp_path).open("relance__vectors__s").version == version
