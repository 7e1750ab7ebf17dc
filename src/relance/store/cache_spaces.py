"""What the embedding cache takes, space by space, and how it is made smaller."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relance.store.connection import Store
from relance.store.embeddings import PREFIX, EmbeddingStore
from relance.store.faults import store_errors
from relance.store.journal import measure
from relance.store.local_folder import local_folders
from relance.store.maintenance import compact

__all__ = ["CacheSpace", "describe", "prune"]

_LEEWAY = timedelta(seconds=1)  # nobody goes back to old versions, and who reads one now reads again


@dataclass(slots=True, frozen=True)
class CacheSpace:
    """What the embedding cache has of one vector space: how many vectors, and the bytes they take."""

    space: str
    vectors: int
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def describe(store: Store) -> list[CacheSpace]:
    """Count the vectors of each space and the bytes they take."""
    found = {
        name.removeprefix(PREFIX): (table.count_rows(), _row_bytes(table)) for name, table in _tables(store).items()
    }
    for space, (rows, dimension, sparse) in _journals(store).items():
        there, size = found.get(space, (0, _bytes(dimension, sparse=sparse)))
        found[space] = (there + rows, size)
    return [CacheSpace(space, rows, rows * size) for space, (rows, size) in sorted(found.items())]


def _tables(store: Store) -> dict[str, Any]:
    names = sorted(name for name in store.tables() if name.startswith(PREFIX))
    return {name: table for name in names if (table := store.open(name)) is not None}


def _journals(store: Store) -> dict[str, tuple[int, int, bool]]:
    """Return vectors, dimension, and whether there are sparse ones, of each space that has a journal here."""
    found = {}
    for base in local_folders(store, "vectors"):
        with contextlib.suppress(OSError):
            for folder in sorted(base.iterdir()):
                if (journal := measure(folder)) is not None:
                    found[folder.name] = journal
    return found


def _row_bytes(table: Any) -> int:
    names = table.schema.names
    return _bytes(table.schema.field("vector").type.list_size if "vector" in names else 0, sparse="sparse" in names)


def _bytes(dimension: int, *, sparse: bool) -> int:
    # Key and date beside the vector; a sparse vector has some hundred pairs of eight bytes.
    return 4 * dimension + 48 + (800 if sparse else 0)


def prune(store: Store, *, max_bytes: int) -> dict[str, int]:
    """Drop the oldest vectors until all spaces together fit; returns rows dropped by table.

    Their age is when they were bought: a vector that is dropped while its text is still indexed is only bought again
    if that text moves.
    """
    if sum(space.bytes for space in describe(store)) <= max_bytes:
        return {}
    for space, (_, dimension, sparse) in _journals(store).items():
        with contextlib.closing(EmbeddingStore(store, space, dimension, sparse=sparse)) as cache:
            cache.flush()
    tables = _tables(store)
    ages: list[tuple[NDArray[np.int64], str, int]] = []
    total = 0
    for name, table in tables.items():
        size = _row_bytes(table)
        stamps = [batch["created_at"] for batch in table.search().select(["created_at"]).limit(None).to_batches()]
        times = np.concatenate([np.zeros(0, np.int64)] + [np.asarray(part.cast("int64")) for part in stamps])
        ages.append((np.sort(times), name, size))
        total += len(times) * size
    if total <= max_bytes:
        return {}
    merged = np.concatenate([times for times, _, _ in ages])
    sizes = np.concatenate([np.full(len(times), size) for times, _, size in ages])
    order = np.argsort(merged, kind="stable")
    freed = np.cumsum(sizes[order])
    cutoff = int(merged[order[min(int(np.searchsorted(freed, total - max_bytes)), len(order) - 1)]])
    moment = datetime.fromtimestamp(cutoff / 1e6, UTC)
    dropped = {}
    for name, table in tables.items():
        with store_errors(f"pruning {name}"):
            result = table.delete(f"created_at <= timestamp '{moment.strftime('%Y-%m-%d %H:%M:%S.%f')}+00:00'")
        if result.num_deleted_rows:
            dropped[name] = result.num_deleted_rows
            compact(table, retention=_LEEWAY)
    return dropped
