"""Asking an index."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from relance.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from relance.embedder import Vector
    from relance.sparse import Sparse

__all__ = ["MAX_HITS", "FilterError", "Hit", "Mode", "find_rows", "search_table"]

Mode = Literal["vector", "text", "sparse", "hybrid"]

MAX_HITS = 100_000
# One bit a dimension loses order; reading ten times the hits exactly wins it back (recall 0.68 → 0.95 at 100,000).
_REFINE = 10
# Reciprocal rank fusion, Cormack et al. 2009.
_RRF_K = 60
# How far down each list is looked when they are fused, however few hits are wanted: what is second by meaning and
# thirtieth by words should come before what is first by a stray word alone. What is lower adds less than 1/160.
_DEPTH = 100
_MISSING = {
    "text": "this index has no full-text index yet; run `relance ingest`, or search with --mode vector",
    "vector": "this index has sparse vectors only (embedding.output_type: sparse); search with --mode sparse or text",
    "sparse": "this index has no sparse vectors; set embedding.output_type to dense&sparse and run `relance ingest`",
}
_COLUMNS = ["uri", "title", "heading_path", "text", "start_char", "end_char", "page", "seq", "media_type", "metadata"]


class FilterError(InputError):
    """A condition that this table cannot be asked."""


@dataclass(slots=True, frozen=True)
class Hit:
    """A chunk that answers.

    Attributes:
        score: higher is better; cosine similarity (vector), BM25 (text), inner product (sparse) or fused reciprocal
            ranks (hybrid).
        start: character offset in the document's text, as `end`.
        page: page it begins on, for paged documents.
    """

    uri: str
    title: str
    heading_path: list[str]
    text: str
    start: int
    end: int
    score: float
    page: int | None
    seq: int
    media_type: str
    metadata: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def search_table(table: Any, query: str, vector: Vector | None, *, mode: Mode, k: int,
                 where: str | None = None) -> list[Hit]:  # fmt: skip
    """Search a chunks table; `vector` is needed unless the mode is `text`."""
    return [_hit(row, score) for row, score in find_rows(table, query, vector, mode=mode, k=k, where=where)]


def find_rows(table: Any, query: str, vector: Vector | None, *, mode: Mode, k: int, where: str | None = None,
              more: Sequence[str] = ()) -> list[tuple[dict[str, Any], float]]:  # fmt: skip
    """Find the best rows, with their scores: the columns of a hit, and those named in `more`.

    `hybrid` fuses every way the table can be searched: by meaning, by words, and by terms where it has sparse vectors.
    """
    where = f"({where}) AND active" if where else None
    indexed = {index.columns[0] for index in table.list_indices()}
    has = {"vector", "sparse"}.intersection(table.schema.names) | ({"text"} & indexed)
    if not table.count_rows("active"):
        return []
    wanted = has if mode == "hybrid" else {mode}
    if missing := wanted - has:
        raise ConfigurationError(_MISSING[missing.pop()])
    if mode == "hybrid" and "text" not in has:
        raise ConfigurationError(_MISSING["text"])
    columns = [*_COLUMNS, *more]
    dense, sparse = vector or (None, None)
    try:
        if mode == "hybrid":
            deep = max(_DEPTH, k)
            rankings = [_ids(table, query, vector, way, indexed, k=deep, where=where) for way in sorted(wanted)]
            return _rows_of(table, _fused(rankings)[:k], columns)
        if wanted == {"sparse"}:
            assert sparse is not None  # noqa: S101  # a table has such a column because its model makes them
            return _rows_of(table, _sparse(table, sparse, k=k, where=where), columns)
        rows, score = _one_way(table, query, dense, mode, indexed)
        rows = rows.limit(k).select([*columns, score])
        return _with(rows.where(where) if where else rows, score)
    except (ValueError, RuntimeError) as error:
        if where:
            msg = f"the filter is not understood: {_first_line(error)}; columns: {', '.join(table.schema.names)}"
            raise FilterError(msg) from error
        raise


def _one_way(
    table: Any, query: str, dense: NDArray[np.float32] | None, mode: str, indexed: set[str]
) -> tuple[Any, str]:
    """Begin a search by meaning or by words; returns it and the column of its score."""
    if mode == "vector":
        return _vector(table, dense, indexed), "_distance"
    return table.search(_words(query), query_type="fts"), "_score"


def _ids(table: Any, query: str, vector: Vector | None, way: str, indexed: set[str], *, k: int,
         where: str | None) -> list[str]:  # fmt: skip
    """Rank rows one way; returns their ids, best first."""
    dense, sparse = vector or (None, None)
    if way == "sparse":
        return [] if sparse is None else [name for name, _ in _sparse(table, sparse, k=k, where=where)]
    rows, score = _one_way(table, query, dense, way, indexed)
    rows = rows.limit(k).select(["id", score])
    return [row["id"] for row in (rows.where(where) if where else rows).to_list()]


def _sparse(table: Any, sparse: Sparse, *, k: int, where: str | None) -> list[tuple[str, float]]:
    from relance.sparse import search_sparse

    return search_sparse(table, sparse, k=k, where=where or "active")


def _fused(rankings: list[list[str]]) -> list[tuple[str, float]]:
    from relance.sparse import fuse

    return fuse(rankings, k=_RRF_K)


def _rows_of(table: Any, ranked: list[tuple[str, float]], columns: list[str]) -> list[tuple[dict[str, Any], float]]:
    """Fetch rows by id, in the order given."""
    from relance.store.schemas import in_lists

    found: dict[str, dict[str, Any]] = {}
    for condition in in_lists("id", [name for name, _ in ranked]):
        rows = table.search().where(condition).select(["id", *columns]).limit(None).to_list()
        found.update({row["id"]: row for row in rows})
    return [(found[name], round(score, 6)) for name, score in ranked if name in found]


def _with(rows: Any, score: str) -> list[tuple[dict[str, Any], float]]:
    return [(row, round(1 - row[score] if score == "_distance" else float(row[score]), 6)) for row in rows.to_list()]


def _vector(table: Any, vector: NDArray[np.float32] | None, indexed: set[str]) -> Any:
    query = table.search(vector, vector_column_name="vector", query_type="vector").distance_type("cosine")
    return query.refine_factor(_REFINE) if "vector" in indexed else query


def _words(query: str) -> Any:
    """Match any of the words, taken literally: a question is not a query language."""
    from lancedb.query import MatchQuery

    return MatchQuery(query.encode("utf-8", "replace").decode(), "text")  # a terminal may hand over half a character


def _hit(row: dict[str, Any], score: float) -> Hit:
    return Hit(
        uri=row["uri"],
        title=row["title"] or "",
        heading_path=list(row["heading_path"] or []),
        text=row["text"],
        start=row["start_char"],
        end=row["end_char"],
        score=score,
        page=row["page"],
        seq=row["seq"],
        media_type=row["media_type"],
        metadata=json.loads(row["metadata"] or "{}"),
    )


def _first_line(error: Exception) -> str:
    # LanceDB names the place in its own source, too, and the columns, which we do better.
    return re.sub(r"\.? Valid fields are.*|, /\S*\.rs:.*", "", (str(error).splitlines() or ["?"])[0])[:200]
