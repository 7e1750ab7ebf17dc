"""The vectors of a table as points: of its chunks, its documents, or its media."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["ID", "Level", "Points", "count_points", "read_batches", "read_points", "stream_points", "unit"]

Level = Literal["documents", "chunks", "media"]

# The column that names a point. A film has a row for each of its key frames, and is one point.
ID = {"documents": "doc_id", "chunks": "id", "media": "doc_id"}


@dataclass(slots=True, frozen=True)
class Points:
    """Vectors and what they belong to.

    Attributes:
        table: the physical table they are of, as it was in `version`.
        ids: of documents, chunks, or images and videos, by `level`; `uris` of the documents.
        vectors: float32, shape (points, dimension), rows of unit length.
    """

    level: Level
    table: str
    version: int
    ids: list[str]
    uris: list[str]
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)


def read_points(table: Any, level: Level, *, sample: int | None = None, where: str | None = None,
                seed: int = 0) -> Points:  # fmt: skip
    """Read the points of an open table into memory.

    A document's vector is the mean of its chunks' unit vectors, made a unit vector again; a film's that of its key
    frames'.

    Args:
        table: is moved to the version it has now, so that what is read fits together while a run writes.
        level: of what there is a point each.
        sample: at most so many, chosen uniformly; the same ones for the same `seed` and table version.
        where: SQL condition on the columns of the table; what LanceDB raises for a wrong one is not translated.
        seed: of the choice.
    """
    table.checkout(table.version)
    rows = None
    if sample is not None:
        rows = _rows(table, level, where)
        if len(rows) > sample:
            ids = list(rows)
            drawn = np.random.default_rng(seed).choice(len(ids), sample, replace=False)
            rows = {ids[at]: rows[ids[at]] for at in drawn}
    found = list(_stream(table, level, where, rows, 8192))
    nothing = np.zeros((0, table.schema.field("vector").type.list_size), np.float32)
    return Points(
        level=level,
        table=table.name,
        version=table.version,
        ids=[name for each in found for name in each.ids],
        uris=[uri for each in found for uri in each.uris],
        vectors=np.concatenate([nothing, *(each.vectors for each in found)]),
    )


def stream_points(table: Any, level: Level, *, where: str | None = None, batch: int = 8192) -> Iterator[Points]:
    """Yield every point of one version of the table once, some `batch` at a time, in bounded memory."""
    table.checkout(table.version)
    yield from _stream(table, level, where, None, batch)


def count_points(table: Any, level: Level, *, where: str | None = None) -> int:
    """Count points; for this the column of their ids is read."""
    table.checkout(table.version)
    return len(_rows(table, level, where))


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale rows to unit length; rows of zeros stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32, copy=False)


def read_batches(table: Any, columns: list[str], where: str | None, batch: int = 8192) -> Iterator[Any]:
    """Stream columns of the rows that readers find."""
    condition = f"({where}) AND active" if where else "active"
    yield from table.search().where(condition).select(columns).limit(None).to_batches(batch_size=batch)


def _rows(table: Any, level: Level, where: str | None) -> dict[str, int]:
    """Count the rows of each point, by id in the order of the table."""
    rows: dict[str, int] = {}
    for read in read_batches(table, [ID[level]], where):
        for name in read[ID[level]].to_pylist():
            rows[name] = rows.get(name, 0) + 1
    return rows


def _stream(table: Any, level: Level, where: str | None, chosen: dict[str, int] | None, batch: int) -> Iterator[Points]:
    """Yield points: those whose rows are counted in `chosen`, or all."""
    if level != "chunks":
        yield from _documents(table, level, where, _rows(table, level, where) if chosen is None else chosen, batch)
        return
    for read in read_batches(table, ["id", "uri", "vector"], where, batch):
        ids, uris, vectors = read["id"].to_pylist(), read["uri"].to_pylist(), _matrix(read["vector"])
        if chosen is not None:
            at = [place for place, name in enumerate(ids) if name in chosen]
            ids, uris, vectors = [ids[place] for place in at], [uris[place] for place in at], vectors[at]
        if ids:
            yield Points(level, table.name, table.version, ids, uris, unit(vectors))


def _documents(table: Any, level: Level, where: str | None, missing: dict[str, int], batch: int) -> Iterator[Points]:
    """Add up chunks until a document has all of its own: those of one document lie together, so few are open."""
    sums: dict[str, NDArray[np.float32]] = {}
    whole: list[tuple[str, str, NDArray[np.float32]]] = []
    for read in read_batches(table, ["doc_id", "uri", "vector"], where, batch):
        vectors = unit(_matrix(read["vector"]))
        for name, uri, vector in zip(read["doc_id"].to_pylist(), read["uri"].to_pylist(), vectors, strict=True):
            if name not in missing:
                continue
            sums[name] = sums[name] + vector if name in sums else vector
            missing[name] -= 1
            if not missing[name]:
                whole.append((name, uri, sums.pop(name)))
            if len(whole) == batch:
                yield _points(table, level, whole)
                whole = []
    if whole:
        yield _points(table, level, whole)


def _points(table: Any, level: Level, whole: list[tuple[str, str, NDArray[np.float32]]]) -> Points:
    ids, uris, vectors = zip(*whole, strict=True)
    return Points(level, table.name, table.version, list(ids), list(uris), unit(np.stack(vectors)))


def _matrix(column: Any) -> NDArray[np.float32]:
    size = column.type.list_size
    return column.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False).reshape(-1, size)
