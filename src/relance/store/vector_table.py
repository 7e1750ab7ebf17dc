"""The table of the embedding cache: large commits of what the journal had, and which keys are in it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from relance.store import schemas
from relance.store.allocators import return_memory
from relance.store.columns import fit_columns
from relance.store.connection import Store
from relance.store.durable import sync_tables
from relance.store.faults import is_damage, store_error, store_errors
from relance.store.frame import Frame
from relance.store.key_set import KeySet, column_prefixes, prefixes
from relance.store.maintenance import MEASURED, MaintenanceLimits, compact_if_due, index_lookups
from relance.store.mending import mend

if TYPE_CHECKING:
    import pyarrow as pa

    from relance.embedding.embedder import Vector

__all__ = ["VectorTable", "dense_matrix"]

log = logging.getLogger(__name__)

T = TypeVar("T")

# Nobody goes back to an old version, and who is reading one reads again from the newest.
_LEEWAY = timedelta(seconds=1)


class VectorTable:
    """The vectors of one space in LanceDB; safe to use from several threads.

    `refresh` is what makes it see what others have written: it reads the keys of new files only.
    """

    def __init__(self, store: Store, name: str, dimension: int, *, sparse: bool) -> None:
        self.name = name
        self._store = store
        self._dimension = dimension
        self._schema = schemas.vectors(dimension, sparse=sparse)
        self._columns = [name for name in ("key", "vector", "sparse") if name in self._schema.names]
        self._lock = threading.Lock()
        self._table: Any = None
        self._version = -1
        self._keys = KeySet()
        self._rows = 0
        self._files = 0  # those before this number have been read

    def refresh(self) -> None:
        """Read the keys that were added since the last time."""
        with self._lock:
            self._twice(self._follow, "reading")

    def _may_exist(self) -> bool:
        # LanceDB takes 1 ms to find that there is no table.
        return self._store.local is None or (self._store.local / f"{self.name}.lance").is_dir()

    def _follow(self) -> None:
        if self._table is None and self._may_exist():
            self._warn(fit_columns(self._store, self.name, self._schema))
            self._table = self._store.open(self.name)
        while self._table is not None and (version := self._table.version) != self._version:
            fresh, files = self._read_keys(self._files)
            count = self._table.count_rows()
            keys, rows = self._keys, self._rows + len(fresh)
            if rows != count:  # rows were dropped, or all files were written anew
                if len(fresh) != count:
                    fresh, files = self._read_keys(0)
                keys, rows = KeySet(), len(fresh)
            keys.add(fresh)
            self._keys, self._rows = keys, rows
            self._files = max(files, self._files)
            self._version = version

    def _read_keys(self, files: int) -> tuple[NDArray[np.uint64], int]:
        # The upper half of a row's id is the number of its file; a file is never changed, and numbers only grow.
        query = self._table.search().select(["key"]).with_row_id(True).limit(None)
        query = query.where(f"_rowid >= {files << 32}") if files else query
        parts = [np.zeros(0, np.uint64)]
        for batch in query.to_batches():
            if batch.num_rows:
                parts.append(column_prefixes(batch["key"]))
                files = max(files, (int(batch["_rowid"].to_numpy().max()) >> 32) + 1)
        return np.concatenate(parts), files

    def contains(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Tell which prefixes of keys there are, as of the last `refresh`; shape (len(keys),)."""
        return self._keys.contains(keys)

    def read(self, keys: list[str]) -> dict[str, Vector]:
        """Return the vectors of `keys` that are there."""
        if self._table is None or not keys:
            return {}
        return self._twice(lambda: self._read(keys), "reading")

    def _read(self, keys: list[str]) -> dict[str, Vector]:
        found: dict[str, Vector] = {}
        if self._table is None:
            self._follow()
        if self._table is None:
            return found
        for condition in schemas.in_lists("key", keys):
            rows = self._table.search().where(condition).select(self._columns).limit(None).to_arrow()
            names = rows["key"].to_pylist()
            matrix = dense_matrix(rows["vector"]) if self._dimension else np.zeros((len(names), 0), np.float32)
            sparse = self._sparse(rows)
            found.update({name: (matrix[i], sparse[i]) for i, name in enumerate(names)})
        return found

    def _sparse(self, rows: Any) -> list[Any]:
        if "sparse" not in self._columns:
            return [None] * rows.num_rows
        from relance.embedding.sparse import from_arrow

        return from_arrow(rows["sparse"].combine_chunks())

    def add(self, frames: Iterable[Frame]) -> None:
        """Add vectors in one commit, less those that are there already: adding the same twice adds it once.

        When it returns a power cut takes none of them: the journal they came from may go.
        """
        import pyarrow as pa

        self.refresh()
        began = time.time_ns()
        batches = self._batches(frames)
        first = next(batches, None)
        if first is None:
            return
        if self._table is None:
            self._table = self._store.create(self.name, self._schema)
        with store_errors(f"writing {self.name}"):
            self._table.add(pa.RecordBatchReader.from_batches(self._schema, chain([first], batches)))
        sync_tables(self._store, [self.name], since_ns=began)
        self.refresh()
        return_memory()

    def _batches(self, frames: Iterable[Frame]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        added: set[int] = set()
        for frame in frames:
            keys = prefixes(frame.keys)
            known = self._keys.contains(keys).tolist()
            places = []
            for at, key in enumerate(keys.tolist()):
                if not known[at] and key not in added:
                    added.add(key)
                    places.append(at)
            if not places:
                continue
            bought_at = pa.scalar(frame.bought_at, pa.int64()).cast(self._schema.field("created_at").type)
            columns = {
                "key": pa.array([frame.keys[at] for at in places]),
                "created_at": pa.repeat(bought_at, len(places)),
            }
            if self._dimension:
                dense = frame.dense if len(places) == len(keys) else frame.dense[places]
                flat = np.ascontiguousarray(dense, dtype=np.float32).reshape(-1)
                columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, self._dimension)
            if "sparse" in self._columns:
                from relance.embedding.sparse import to_arrow

                sparse = frame.sparse or [None] * len(keys)
                columns["sparse"] = to_arrow([sparse[at] for at in places])
            yield pa.record_batch([columns[name] for name in self._schema.names], schema=self._schema)

    def tidy(self, limits: MaintenanceLimits = MEASURED) -> None:
        """Index keys, and compact, where that pays.

        With an index, 10 keys of a million in 62 files take 5 ms as in one file (without 60), so files are rewritten
        only when there are many. An index is made anew when a quarter of the rows is not in it: 0.4 s a million, where
        LanceDB extends it only together with rewriting all files (1.6 s a million × 64).
        """
        if self._table is None:
            return
        try:
            index_lookups(self._table, "key", limits=limits)
            compact_if_due(self._table, retention=_LEEWAY, limits=limits)
            for index in self._table.list_indices():
                stats = self._table.index_stats(index.name)
                behind = stats.num_unindexed_rows if stats else 0
                if behind > max(limits.lookup_rows, (self._rows - behind) // 3):
                    index_lookups(self._table, "key", limits=limits, again=True)
        except Exception as error:  # all is there, if slower to find
            log.warning("could not tidy %s: %s", self.name, str(error)[:300])

    def _twice(self, action: Callable[[], T], doing: str) -> T:
        try:
            return action()
        except Exception:  # another process may have dropped the files of an old version meanwhile
            self._forget()
        try:
            return action()
        except Exception as error:
            mended = mend(self._store, self.name, ["key"]) if is_damage(error) else None
            if mended is None:
                raise store_error(error, f"{doing} {self.name}") from error
        self._warn(mended.sentence)
        self._forget()
        with store_errors(f"{doing} {self.name}"):
            return action()

    def _forget(self) -> None:
        """Open the table anew, and read all keys."""
        self._table, self._version, self._keys, self._rows, self._files = None, -1, KeySet(), 0, 0

    def _warn(self, mended: str | None) -> None:
        if mended:
            log.warning("%s; vectors that are lost by it are bought again when their texts are embedded anew", mended)


def dense_matrix(column: Any) -> NDArray[np.float32]:
    """View a column of vectors, in one piece or in several, as a matrix, shape (rows, dimension)."""
    values = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    width = values.type.list_size
    flat = values.values.to_numpy(zero_copy_only=False)
    return flat[values.offset * width : (values.offset + len(values)) * width].reshape(-1, width)
