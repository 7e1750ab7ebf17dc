"""The embedding store: every vector that was paid for, found again by content."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relance.errors import RelanceError
from relance.store import schemas
from relance.store.connection import Store, store_error
from relance.store.maintenance import compact

if TYPE_CHECKING:
    from relance.embedding.embedder import Vector
    from relance.embedding.sparse import Sparse

__all__ = ["CacheSpace", "EmbeddingStore", "dense_matrix", "describe", "prune", "table_name"]

PREFIX = "relance__vectors__"
_FLUSH_S = 0.4  # bought vectors are on disk this long after the reply at the latest, plus one commit
_FLUSH_ROWS = 4096
_COMPACT_COMMITS = 200  # look-ups slow down with the number of small files
_MERGE_KEYS = 50_000


def table_name(space: str) -> str:
    """Name the table of a vector space."""
    return PREFIX + space


def _prefixes(keys: list[str]) -> NDArray[np.uint64]:
    """Return the first eight bytes of hex keys."""
    raw = bytes.fromhex("".join([key[:16] for key in keys]))
    return np.frombuffer(raw, dtype=">u8").astype(np.uint64)


class EmbeddingStore:
    """Vectors of one space; safe to use from several threads, and from several processes.

    Implements `VectorStore`. `put` is buffered: a thread commits what has come in several times a second,
    so a killed run loses what arrived within the last moment and nothing more. `flush_s` is the longest time from
    `put` to the next commit.
    """

    def __init__(self, store: Store, space: str, dimension: int, *, sparse: bool = False,
                 flush_s: float = _FLUSH_S) -> None:  # fmt: skip
        self._store = store
        self._name = table_name(space)
        self._dimension = dimension
        self._flush_s = flush_s
        self._schema = schemas.vectors(dimension, sparse=sparse)
        self._columns = [name for name in ("key", "vector", "sparse") if name in self._schema.names]
        self._lock = threading.Lock()
        self._commit = threading.Lock()
        self._known: NDArray[np.uint64] | None = None  # sorted; eight bytes a key, so a million cost 8 MB
        self._recent: set[int] = set()
        self._buffer: dict[str, Vector] = {}
        self._flushing: dict[str, Vector] = {}
        self._table: Any = None
        self._commits = 0
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    def contains(self, keys: list[str]) -> NDArray[np.bool_]:
        """Tell which keys have a vector; shape (len(keys),). Costs no request once the keys are loaded."""
        if not keys:
            return np.zeros(0, dtype=bool)
        prefixes = _prefixes(keys)
        with self._lock:
            known = self._load_keys()
            found = np.fromiter((int(prefix) in self._recent for prefix in prefixes), dtype=bool, count=len(keys))
            if len(known):
                places = np.minimum(np.searchsorted(known, prefixes), len(known) - 1)
                found |= known[places] == prefixes
        return found

    def get(self, keys: list[str]) -> dict[str, Vector]:
        """Return the vectors there are for `keys`."""
        wanted = [key for key, there in zip(keys, self.contains(keys), strict=True) if there]
        found: dict[str, Vector] = {}
        with self._lock:
            for buffer in (self._buffer, self._flushing):
                found.update({key: buffer[key] for key in wanted if key in buffer})
            table = self._table
        missing = [key for key in wanted if key not in found]
        if missing and table is not None:
            for condition in schemas.in_lists("key", missing):
                rows = table.search().where(condition).select(self._columns).limit(None).to_arrow()
                names = rows["key"].to_pylist()
                matrix = dense_matrix(rows["vector"]) if self._dimension else np.zeros((len(names), 0), np.float32)
                sparse = self._sparse(rows)
                found.update({name: (matrix[i], sparse[i]) for i, name in enumerate(names)})
        return found

    def put(self, keys: list[str], vectors: NDArray[np.float32], sparse: list[Sparse] | None = None) -> None:
        """Keep vectors, shape (len(keys), dimension), and sparse ones where the space has them; returns at once.

        Errors of earlier commits are raised here.
        """
        if self._error is not None:
            raise self._error
        with self._lock:
            for at, key in enumerate(keys):
                self._buffer[key] = (vectors[at], sparse[at] if sparse else None)
            self._recent.update(int(prefix) for prefix in _prefixes(keys))
            if self._thread is None:
                self._thread = threading.Thread(target=self._flush_regularly, name="relance-vectors", daemon=True)
                self._thread.start()
        self._wake.set()

    def drain(self) -> None:
        """Wait while more is buffered than memory should hold; for threads, never for the event loop."""
        if len(self._buffer) >= _FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Commit what has been put; returns when it is on disk."""
        with self._commit:
            with self._lock:
                self._buffer, self._flushing = {}, self._buffer
                rows = self._flushing
            if not rows:
                return
            try:
                self._write(rows)
            except Exception as error:
                with self._lock:
                    self._buffer = {**rows, **self._buffer}
                    self._flushing = {}
                raise (
                    error if isinstance(error, RelanceError) else store_error(error, f"writing {self._name}")
                ) from error
            with self._lock:
                self._flushing = {}
                if len(self._recent) > _MERGE_KEYS:
                    recent = np.fromiter(self._recent, dtype=np.uint64, count=len(self._recent))
                    self._known = np.union1d(self._load_keys(), recent)
                    self._recent = set()

    def close(self) -> None:
        """Commit the rest and stop the thread."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _write(self, rows: dict[str, Vector]) -> None:
        import pyarrow as pa

        if self._table is None:
            self._table = self._store.create(self._name, self._schema)
        now = pa.scalar(datetime.now(UTC), self._schema.field("created_at").type)
        columns = {"key": pa.array(list(rows)), "created_at": pa.repeat(now, len(rows))}
        if self._dimension:
            flat = np.ascontiguousarray(np.stack([dense for dense, _ in rows.values()]), dtype=np.float32).reshape(-1)
            columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, self._dimension)
        if "sparse" in self._columns:
            from relance.embedding.sparse import to_arrow

            columns["sparse"] = to_arrow([sparse for _, sparse in rows.values()])
        self._table.add(pa.table([columns[name] for name in self._schema.names], schema=self._schema))
        self._commits += 1
        if self._commits % _COMPACT_COMMITS == 0:
            compact(self._table, retention=timedelta(hours=1))

    def _sparse(self, rows: Any) -> list[Sparse | None]:
        if "sparse" not in self._columns:
            return [None] * rows.num_rows
        from relance.embedding.sparse import from_arrow

        return from_arrow(rows["sparse"].combine_chunks())

    def _flush_regularly(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._closing.is_set():
                return
            if len(self._buffer) < _FLUSH_ROWS:
                self._closing.wait(self._flush_s)
            try:
                self.flush()
            except Exception as error:
                self._error = error
                return

    def _load_keys(self) -> NDArray[np.uint64]:
        if self._known is None:
            self._table = self._store.open(self._name)
            parts = [np.zeros(0, dtype=np.uint64)]
            if self._table is not None:
                batches = self._table.search().select(["key"]).limit(None).to_batches()
                parts += [_prefixes(batch["key"].to_pylist()) for batch in batches if batch.num_rows]
            self._known = np.unique(np.concatenate(parts))
        return self._known


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
    return [
        CacheSpace(name.removeprefix(PREFIX), rows, rows * _row_bytes(table))
        for name, table in _tables(store).items()
        for rows in [table.count_rows()]
    ]


def _tables(store: Store) -> dict[str, Any]:
    names = sorted(name for name in store.tables() if name.startswith(PREFIX))
    return {name: table for name in names if (table := store.open(name)) is not None}


def _row_bytes(table: Any) -> int:
    names = table.schema.names
    dense = 4 * table.schema.field("vector").type.list_size if "vector" in names else 0
    # Key and date beside the vector; a sparse vector has some hundred pairs of eight bytes.
    return dense + 48 + (800 if "sparse" in names else 0)


def dense_matrix(column: Any) -> NDArray[np.float32]:
    """View a column of vectors as a matrix, shape (rows, dimension)."""
    values = column.combine_chunks()
    width = values.type.list_size
    flat = values.values.to_numpy(zero_copy_only=False)
    return flat[values.offset * width : (values.offset + len(values)) * width].reshape(-1, width)


def prune(store: Store, *, max_bytes: int) -> dict[str, int]:
    """Drop the oldest vectors until all spaces together fit; returns rows dropped by table.

    Their age is when they were bought: a vector that is dropped while its text is still indexed is only bought again
    if that text moves.
    """
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
        try:
            result = table.delete(f"created_at <= timestamp '{moment.strftime('%Y-%m-%d %H:%M:%S.%f')}+00:00'")
        except Exception as error:
            raise store_error(error, f"pruning {name}") from error
        if result.num_deleted_rows:
            dropped[name] = result.num_deleted_rows
            compact(table, retention=timedelta(hours=1))
    return dropped
