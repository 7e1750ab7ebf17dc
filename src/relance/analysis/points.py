"""The vectors of an index as points: of its chunks, its documents, or its media."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from relance.errors import ConfigurationError, InputError
from relance.search import condition as conditions
from relance.search.filters import FilterError
from relance.search.filters.literals import quoted

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["Described", "Level", "Points", "count_points", "describe_points", "read_points", "selection",
           "stream_points", "unit"]  # fmt: skip

Level = Literal["documents", "chunks", "media"]

_TEXT = 400  # characters of a document that are shown
_NAMED = 5  # unknown uris that are told, each with what it may have meant
_ID = {"documents": "doc_id", "chunks": "id", "media": "id"}


@dataclass(slots=True, frozen=True)
class Points:
    """Vectors and what they belong to.

    Attributes:
        table: the physical table they are of, as it was in `version`.
        ids: of documents, chunks or media rows, by `level`; `uris` of the documents.
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


@dataclass(slots=True, frozen=True)
class Described:
    """What a person wants to know of a point.

    Attributes:
        text: of a chunk, of the beginning of a document, or the caption of a medium; at most 400 characters.
        url: of a medium; empty for texts.
    """

    id: str
    uri: str
    title: str
    text: str
    heading_path: list[str]
    media_type: str
    metadata: dict[str, Any]
    url: str = ""


def selection(index: Index, level: Level, *, filter: str | None = None, where: str | None = None) -> str | None:  # noqa: A002  # its name everywhere
    """Put a filter (docs/search.md) and an SQL condition together to the `where` of an analysis; None of neither."""
    if not (filter and filter.strip()):
        return where
    return conditions.condition(index.table(media=level == "media").schema, filter=filter, where=where)


def read_points(index: Index, *, level: Level = "documents", sample: int | None = None, where: str | None = None,
                uris: Sequence[str] | None = None, seed: int = 0) -> Points:  # fmt: skip
    """Read points into memory.

    A document's vector is the mean of its chunks' unit vectors, made a unit vector again.

    Args:
        index: what is read.
        level: of what there is a point each.
        sample: at most so many, chosen uniformly; the same ones for the same `seed` and table version.
        where: SQL condition on the columns of the table.
        uris: only these documents; InputError names those that the index does not have.
        seed: of the choice.
    """
    table = _frozen(index, level)
    if uris is not None:
        where = _and(where, _uris(table, uris))
    rows = None
    if sample is not None:
        rows = _rows(table, level, where)
        if len(rows) > sample:
            ids = list(rows)
            drawn = np.random.default_rng(seed).choice(len(ids), sample, replace=False)
            rows = {ids[at]: rows[ids[at]] for at in drawn}
    found = list(_stream(table, level, where, rows, batch=8192))
    nothing = np.zeros((0, table.schema.field("vector").type.list_size), np.float32)
    return Points(
        level=level,
        table=table.name,
        version=table.version,
        ids=[name for each in found for name in each.ids],
        uris=[uri for each in found for uri in each.uris],
        vectors=np.concatenate([nothing, *(each.vectors for each in found)]),
    )


def stream_points(index: Index, *, level: Level = "documents", where: str | None = None,
                  batch: int = 8192) -> Iterator[Points]:  # fmt: skip
    """Yield every point of one version of the table once, some `batch` at a time, in bounded memory."""
    yield from _stream(_frozen(index, level), level, where, None, batch=batch)


def count_points(index: Index, *, level: Level = "documents", where: str | None = None) -> int:
    """Count points; for documents this reads the column of their ids."""
    return len(_rows(_frozen(index, level), level, where))


def describe_points(index: Index, level: Level, ids: Sequence[str]) -> dict[str, Described]:
    """Fetch title, text and metadata of points, by id; of a document its first chunk's."""
    from relance.store.schemas import in_lists

    table = index.table(media=level == "media")
    columns = ["uri", "title", "text", "heading_path", "media_type", "metadata", "seq", "active"]
    columns += [_ID[level]] + (["url"] if level == "media" else [])
    found: dict[str, tuple[int, Described]] = {}
    for condition in in_lists(_ID[level], list(ids)):
        for row in table.search().where(condition).select(columns).limit(None).to_list():
            name, seq = row[_ID[level]], row["seq"] or 0
            if row["active"] and (name not in found or seq < found[name][0]):
                found[name] = (seq, _described(name, row))
    return {name: described for name, (_, described) in found.items()}


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale rows to unit length; rows of zeros stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32, copy=False)


def _frozen(index: Index, level: Level) -> Any:
    """Open the table at the version it has now, so that what is read fits together while a run writes."""
    table = index.table(media=level == "media")
    if "vector" not in table.schema.names:
        msg = f"index {index.spec.name!r} has sparse vectors only; set embedding.output_type to dense or dense&sparse"
        raise ConfigurationError(msg)
    table.checkout(table.version)
    return table


def _rows(table: Any, level: Level, where: str | None) -> dict[str, int]:
    """Count the rows of each point, by id in the order of the table."""
    rows: dict[str, int] = {}
    for read in _batches(table, [_ID[level]], where):
        for name in read[_ID[level]].to_pylist():
            rows[name] = rows.get(name, 0) + 1
    return rows


def _stream(table: Any, level: Level, where: str | None, chosen: dict[str, int] | None, *,
            batch: int) -> Iterator[Points]:  # fmt: skip
    """Yield points: those whose rows are counted in `chosen`, or all."""
    if level == "documents":
        yield from _documents(table, where, _rows(table, level, where) if chosen is None else chosen, batch)
        return
    for read in _batches(table, ["id", "uri", "vector"], where, batch):
        ids, uris, vectors = read["id"].to_pylist(), read["uri"].to_pylist(), _matrix(read["vector"])
        if chosen is not None:
            at = [place for place, name in enumerate(ids) if name in chosen]
            ids, uris, vectors = [ids[place] for place in at], [uris[place] for place in at], vectors[at]
        if ids:
            yield Points(level, table.name, table.version, ids, uris, unit(vectors))


def _documents(table: Any, where: str | None, missing: dict[str, int], batch: int) -> Iterator[Points]:
    """Add up chunks until a document has all of its own: those of one document lie together, so few are open."""
    sums: dict[str, NDArray[np.float32]] = {}
    whole: list[tuple[str, str, NDArray[np.float32]]] = []
    for read in _batches(table, ["doc_id", "uri", "vector"], where, batch):
        vectors = unit(_matrix(read["vector"]))
        for name, uri, vector in zip(read["doc_id"].to_pylist(), read["uri"].to_pylist(), vectors, strict=True):
            if name not in missing:
                continue
            sums[name] = sums[name] + vector if name in sums else vector
            missing[name] -= 1
            if not missing[name]:
                whole.append((name, uri, sums.pop(name)))
            if len(whole) == batch:
                yield _points(table, whole)
                whole = []
    if whole:
        yield _points(table, whole)


def _points(table: Any, whole: list[tuple[str, str, NDArray[np.float32]]]) -> Points:
    ids, uris, vectors = zip(*whole, strict=True)
    return Points("documents", table.name, table.version, list(ids), list(uris), unit(np.stack(vectors)))


def _batches(table: Any, columns: list[str], where: str | None, batch: int = 8192) -> Iterator[Any]:
    try:
        query = table.search().where(_and(where, "active")).select(columns).limit(None)
        yield from query.to_batches(batch_size=batch)
    except (ValueError, RuntimeError) as error:
        if where is None:
            raise
        raise FilterError.of_lancedb(f"the condition {where!r}", error, table.schema.names) from error


def _matrix(column: Any) -> NDArray[np.float32]:
    size = column.type.list_size
    return column.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False).reshape(-1, size)


def _uris(table: Any, uris: Sequence[str]) -> str:
    """Write the condition for some documents, all of which the table has."""
    wanted, condition = list(dict.fromkeys(uris)), _in("uri", uris)
    there = {uri for batch in _batches(table, ["uri"], condition) for uri in batch["uri"].to_pylist()}
    if unknown := [uri for uri in wanted if uri not in there]:
        known = {uri for batch in _batches(table, ["uri"], None) for uri in batch["uri"].to_pylist()}
        told = "; ".join(_nearest(uri, known) for uri in unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        msg = f"the index has no document {told}{more}; `relance search` and `relance explore` show the uris it has"
        raise InputError(msg)
    return condition


def _nearest(uri: str, known: set[str]) -> str:
    close = difflib.get_close_matches(uri, known, n=1)
    return f"{uri!r} (did you mean {close[0]!r}?)" if close else repr(uri)


def _in(column: str, values: Sequence[str]) -> str:
    return f"{column} IN ({', '.join(map(quoted, values))})" if values else "false"


def _and(first: str | None, second: str) -> str:
    return f"({first}) AND {second}" if first else second


def _described(name: str, row: dict[str, Any]) -> Described:
    return Described(
        id=name,
        uri=row["uri"],
        title=row["title"] or "",
        text=(row["text"] or "")[:_TEXT],
        heading_path=list(row["heading_path"] or []),
        media_type=row["media_type"] or "",
        metadata=json.loads(row["metadata"] or "{}"),
        url=row.get("url") or "",
    )
