"""Whether the embedding cache has what it says, and the same vectors as the chunks."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relance.counted import counted
from relance.store import Store
from relance.store.doctor.documents import bad_vectors
from relance.store.doctor.examination import Examination
from relance.store.doctor.finding import Finding
from relance.store.doctor.mending import begin_anew, drop_rows
from relance.store.doctor.reading import TableReading
from relance.store.embeddings import EmbeddingStore, table_name
from relance.store.frame import read_frame, read_heads
from relance.store.key_set import column_prefixes, prefixes
from relance.store.local_folder import local_folders
from relance.store.owner import is_alive
from relance.store.schemas import in_lists
from relance.store.vector_table import dense_matrix

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CacheRows", "Keys", "check_cache", "check_chunk_vectors", "check_journal"]

_NONE = np.zeros(0, np.uint64)
_SAME = 0.99  # cosine: the same model on another day, or on other hardware, gives no less
# What the key of a chunk's vector is made of, and which chunks count.
_NAMED_BY = ("doc_id", "title", "heading_path", "text", "media_type", "active")
# Names the vector of each chunk of a batch as the embedding cache does; empty where that cannot be told.
Keys = Callable[["pa.RecordBatch"], list[str]]


@dataclass(slots=True)
class CacheRows:
    """What is noted of the entries of the cache while they are read: 16 bytes each, and the keys of bad ones."""

    keys: list[NDArray[np.uint64]] = field(default_factory=list)
    sums: list[NDArray[np.uint64]] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)

    def look(self, batch: pa.RecordBatch) -> None:
        """Take entries."""
        if not batch.num_rows:
            return
        self.keys.append(column_prefixes(batch["key"]))
        self.sums.append(checksums(batch))
        bad = bad_vectors(batch)
        self.bad += [batch["key"][at].as_py() for at in np.flatnonzero(bad).tolist()]

    def add(self, keys: list[str], matrix: NDArray[np.float32]) -> None:
        """Take vectors of the journal."""
        self.keys.append(prefixes(keys))
        self.sums.append(_sums(matrix))

    def sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Return keys and checksums, sorted by key."""
        keys, sums = np.concatenate([_NONE, *self.keys]), np.concatenate([_NONE, *self.sums])
        order = np.argsort(keys, kind="stable")
        return keys[order], sums[order]


def has_columns(reading: TableReading) -> bool:
    """Whether a chunks table has what its vectors are named by."""
    return {*_NAMED_BY, "tokens"} <= set(reading.table.schema.names)


def checksums(batch: pa.RecordBatch) -> NDArray[np.uint64]:
    """Fold each dense vector into eight bytes; zeros where there is none."""
    if "vector" not in batch.schema.names:
        return np.zeros(batch.num_rows, np.uint64)
    return _sums(dense_matrix(batch["vector"]))


def _sums(matrix: NDArray[np.float32]) -> NDArray[np.uint64]:
    numbers = np.ascontiguousarray(matrix).view(np.uint32).astype(np.uint64)
    factors = np.random.default_rng(0).integers(1, 1 << 63, numbers.shape[1], dtype=np.uint64) | np.uint64(1)
    return numbers @ factors if numbers.shape[1] else np.zeros(len(numbers), np.uint64)


def check_cache(exam: Examination, store: Store, reading: TableReading | None, rows: CacheRows, *, dimension: int,
                part: str) -> None:  # fmt: skip
    """Look at the entries of one space: their length, whether they are numbers, and there once."""
    exam.cache_entries += sum(map(len, rows.keys))
    if reading is None:
        return
    name = reading.name
    column = reading.table.schema.field("vector").type if "vector" in reading.table.schema.names else None
    if dimension and (column is None or column.list_size != dimension):
        exam.find(Finding(
            code="dimension-differs", where=name, part=part,
            what=f"its vectors have {column.list_size if column is not None else 0} numbers, the model's {dimension}",
            remedy="begins the table anew; vectors of chunks are copied back",
            fix=lambda: begin_anew(store, name),
        ))  # fmt: skip
        return
    if rows.bad:
        exam.find(Finding(
            code="cache-bad", where=name, part=part,
            what=f"{counted(len(rows.bad), 'vector')} zero, missing or not a number",
            remedy="removes them; their texts are bought again when they are needed",
            vectors=len(rows.bad), lost=counted(len(rows.bad), "vector"),
            fix=lambda: _remove(store, name, rows.bad),
        ))  # fmt: skip
    keys, _ = rows.sorted()
    twice = np.unique(keys[1:][keys[1:] == keys[:-1]])
    if len(twice):
        exam.find(Finding(
            code="cache-twice", where=name, part=part, level="note",
            what=f"{len(twice):,} keys are there more than once",
            remedy="removes the additional entries",
            fix=lambda: _single(store, reading, twice),
        ))  # fmt: skip


def check_chunk_vectors(exam: Examination, reading: TableReading, rows: CacheRows, keys_of: Keys, *, room: int,
                        part: str, cache: Callable[[], EmbeddingStore],
                        mark: Callable[[pa.Table], str]) -> None:  # fmt: skip
    """Compare the vectors of chunks with those the cache has for the same texts.

    Args:
        exam: takes what is found.
        reading: of the chunks table.
        rows: of the cache, journal included.
        keys_of: names the vectors of chunks.
        room: vectors that fit into the cache before it is pruned.
        part: of the index.
        cache: opens the cache, to copy vectors into it.
        mark: lets documents be written again.
    """
    known, sums = rows.sorted()
    more = [name for name in ("lead", "vector") if name in reading.table.schema.names]
    lacks = tokens = 0
    differing: dict[str, str] = {}
    for batch, keys in _keyed(reading, [*_NAMED_BY, "uri", "tokens", *more], keys_of):
        there = prefixes(keys)
        at = np.minimum(np.searchsorted(known, there), max(0, len(known) - 1))
        has = known[at] == there if len(known) else np.zeros(len(keys), bool)
        lacks += int((~has).sum())
        counts = batch["tokens"].fill_null(0).to_numpy(zero_copy_only=False)
        tokens += int(counts[~has].sum())
        same = sums[at] == checksums(batch) if len(known) else has
        for place in _strange(batch, keys, np.flatnonzero(has & ~same & ~bad_vectors(batch)), cache):
            differing[batch["doc_id"][place].as_py()] = batch["uri"][place].as_py()
    if lacks and lacks <= room:
        exam.find(Finding(
            code="cache-lacks", where=table_name(reading.name.rpartition("__")[2]), part=part, level="note",
            what=f"it lacks the vectors of {counted(lacks, 'chunk')}: a run over all documents, or one after the "
            "table is lost, would buy them again",
            remedy="copies them from the chunks",
            vectors=lacks, tokens=tokens,
            fix=lambda: _fill(reading, keys_of, cache),
        ))  # fmt: skip
    if differing:
        import pyarrow as pa

        named = pa.table({"doc_id": list(differing), "uri": list(differing.values())})
        exam.find(Finding(
            code="vector-differs", where=reading.name, part=part, marks=True,
            what=f"{counted(len(differing), 'document')} with chunks that have another vector than the embedding cache "
            "has for them",
            remedy="marks the documents; the next run writes them again, with the vectors of the cache",
            documents=list(differing.values()),
            fix=lambda: mark(named),
        ))  # fmt: skip


def _strange(batch: pa.RecordBatch, keys: list[str], places: NDArray[np.int64],
             cache: Callable[[], EmbeddingStore]) -> list[int]:  # fmt: skip
    """Choose the places whose vector is another one than that of the cache, not only one bought at another time."""
    if not len(places):
        return []
    with contextlib.closing(cache()) as store:  # which only reads
        cached = store.get([keys[place] for place in places.tolist()])
    matrix, found = dense_matrix(batch["vector"]), []
    for place in places.tolist():
        there = cached.get(keys[place])
        if there is not None:
            one, other = matrix[place], there[0]
            length = float(np.linalg.norm(one) * np.linalg.norm(other))
            if length and float(one @ other) / length < _SAME:
                found.append(place)
    return found


def _keyed(reading: TableReading, columns: list[str], keys_of: Keys) -> Any:
    """Stream the active chunks whose keys can be told, with them."""
    import pyarrow as pa

    for batch in reading.stream(columns):
        batch = batch.filter(batch["active"])  # noqa: PLW2901
        keys = keys_of(batch) if batch.num_rows else []
        told = [bool(key) for key in keys]
        if any(told):
            yield batch.filter(pa.array(told)), [key for key in keys if key]


def _fill(reading: TableReading, keys_of: Keys, cache: Callable[[], EmbeddingStore]) -> str:
    """Copy vectors of chunks into the cache."""
    filled = 0
    names = reading.table.schema.names
    columns = [*_NAMED_BY, *(name for name in ("lead", "vector", "sparse") if name in names)]
    with contextlib.closing(cache()) as store:
        for batch, keys in _keyed(reading, columns, keys_of):
            there = store.contains(keys)
            at = np.flatnonzero(~there & ~bad_vectors(batch)).tolist()
            if not at:
                continue
            sparse = None
            if "sparse" in names:
                from relance.embedding.sparse import from_arrow

                found = from_arrow(batch["sparse"])
                sparse = [found[place] for place in at]
            matrix = dense_matrix(batch["vector"])[at] if "vector" in names else np.zeros((len(at), 0), np.float32)
            store.put([keys[place] for place in at], matrix, sparse)
            store.drain()
            filled += len(at)
        store.flush()
    return f"copied {counted(filled, 'vector')} from the chunks into the embedding cache"


def _remove(store: Store, name: str, keys: list[str]) -> str:
    table = store.open(name)
    removed = sum(table.delete(each).num_deleted_rows for each in in_lists("key", keys)) if table is not None else 0
    return f"removed {removed:,} entries of {name}"


def _single(store: Store, reading: TableReading, twice: NDArray[np.uint64]) -> str:
    """Remove all entries but the first of each key."""
    seen: set[int] = set()
    surplus: list[int] = []
    query = reading.table.search().select(["key", "_rowid"]).limit(None)
    for batch in query.to_batches():
        keys = column_prefixes(batch["key"])
        for at in np.flatnonzero(np.isin(keys, twice)).tolist():
            key = int(keys[at])
            if key in seen:
                surplus.append(batch["_rowid"][at].as_py())
            seen.add(key)
    removed = 0
    for start in range(0, len(surplus), 1000):
        listed = ", ".join(map(str, surplus[start : start + 1000]))
        removed += drop_rows(store, reading.name, f"_rowid IN ({listed})")
    return f"removed {removed:,} additional entries of {reading.name}"


def check_journal(exam: Examination, store: Store, space: str, rows: CacheRows, *, dimension: int, part: str,
                  cache: Callable[[], EmbeddingStore]) -> None:  # fmt: skip
    """Read the journal of a space on this machine."""
    for folder in local_folders(store, f"vectors/{space}"):
        for path in sorted(folder.glob("*.vectors")) if folder.is_dir() else ():
            whole = 0
            try:
                with path.open("rb", buffering=0) as file:
                    size = path.stat().st_size
                    for head in read_heads(file, 0, size):
                        if head.dimension != dimension:
                            msg = f"vectors of {head.dimension} numbers instead of {dimension}"
                            raise ValueError(msg)  # noqa: TRY301  # as what is damaged
                        frame = read_frame(file, head)
                        whole += head.rows
                        rows.add(frame.keys, frame.dense)
            except FileNotFoundError:  # folded meanwhile
                continue
            except (OSError, ValueError) as error:
                if is_alive(folder, path.stem.rpartition("-")[0]):  # it is being written
                    continue
                exam.find(Finding(
                    code="journal-hurt", where=str(path), part=part,
                    what=f"after {counted(whole, 'vector')} the file is damaged: {error}",
                    remedy="puts what is whole into the embedding cache, and removes the file; texts after that are "
                    "bought again",
                    lost="the vectors after the damage",
                    fix=lambda path=path: _fold(cache, path),
                ))  # fmt: skip
        claims = folder / "claims.db"
        if claims.is_file() and claims.stat().st_size and (said := _damage(claims)):
            exam.find(Finding(
                code="claims-hurt", where=str(claims), part=part, level="note",
                what=f"the file is damaged: {said}",
                remedy="removes it; the next run begins it anew",
                fix=lambda claims=claims: _drop_claims(claims),
            ))  # fmt: skip


def _fold(cache: Callable[[], EmbeddingStore], path: Any) -> str:
    with contextlib.closing(cache()) as store:
        store.flush()
    path.unlink(missing_ok=True)
    return f"folded what was whole of {path.name}, and removed it"


def _damage(path: Any) -> str:
    """Say what SQLite says of a damaged file."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
            said = database.execute("pragma quick_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        return "" if isinstance(error, sqlite3.OperationalError) else str(error)
    return "" if said == "ok" else str(said)


def _drop_claims(path: Any) -> str:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return f"removed {path.name}"
