"""Asking an index."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from relance.errors import ConfigurationError, InputError

__all__ = ["MAX_HITS", "Hit", "Mode", "search_table"]

Mode = Literal["vector", "text", "hybrid"]

MAX_HITS = 100_000
# One bit a dimension loses order; reading ten times the hits exactly wins it back (recall 0.68 → 0.95 at 100,000).
_REFINE = 10
# Reciprocal rank fusion, Cormack et al. 2009.
_RRF_K = 60
_COLUMNS = ["uri", "title", "heading_path", "text", "start_char", "end_char", "page", "seq", "media_type", "metadata"]


@dataclass(slots=True, frozen=True)
class Hit:
    """A chunk that answers.

    Attributes:
        score: higher is better; cosine similarity (vector), BM25 (text) or fused reciprocal ranks (hybrid).
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


def search_table(table: Any, query: str, vector: NDArray[np.float32] | None, *, mode: Mode, k: int,
                 where: str | None = None) -> list[Hit]:  # fmt: skip
    """Search a chunks table; `vector` is needed unless the mode is `text`."""
    where = f"({where}) AND active" if where else None
    indexed = {index.columns[0] for index in table.list_indices()}
    if mode != "vector" and "text" not in indexed:
        if not table.count_rows("active"):
            return []
        msg = "this index has no full-text index yet; run `relance ingest`, or search with --mode vector"
        raise ConfigurationError(msg)
    try:
        match mode:
            case "vector":
                rows, score = _vector(table, vector, indexed).limit(k), "_distance"
            case "text":
                rows, score = table.search(_words(query), query_type="fts").limit(k), "_score"
            case "hybrid":
                from lancedb.rerankers import RRFReranker

                rows = table.search(query_type="hybrid", vector_column_name="vector").vector(vector).text(_words(query))
                rows = rows.distance_type("cosine").rerank(RRFReranker(K=_RRF_K)).limit(k)
                if "vector" in indexed:
                    rows = rows.refine_factor(_REFINE)
                score = "_relevance_score"
        if where:
            rows = rows.where(where)
        if mode != "hybrid":  # there, LanceDB warns about the score columns of its own two searches
            rows = rows.select([*_COLUMNS, score])
        found = rows.to_list()
    except (ValueError, RuntimeError) as error:
        if where:
            msg = f"the filter is not understood: {_first_line(error)}; columns: {', '.join(table.schema.names)}"
            raise InputError(msg) from error
        raise
    return [_hit(row, score) for row in found]


def _vector(table: Any, vector: NDArray[np.float32] | None, indexed: set[str]) -> Any:
    query = table.search(vector, vector_column_name="vector", query_type="vector").distance_type("cosine")
    return query.refine_factor(_REFINE) if "vector" in indexed else query


def _words(query: str) -> Any:
    """Match any of the words, taken literally: a question is not a query language."""
    from lancedb.query import MatchQuery

    return MatchQuery(query.encode("utf-8", "replace").decode(), "text")  # a terminal may hand over half a character


def _hit(row: dict[str, Any], score: str) -> Hit:
    value = float(row[score])
    return Hit(
        uri=row["uri"],
        title=row["title"] or "",
        heading_path=list(row["heading_path"] or []),
        text=row["text"],
        start=row["start_char"],
        end=row["end_char"],
        score=round(1 - value if score == "_distance" else value, 6),
        page=row["page"],
        seq=row["seq"],
        media_type=row["media_type"],
        metadata=json.loads(row["metadata"] or "{}"),
    )


def _first_line(error: Exception) -> str:
    # LanceDB names the place in its own source, too.
    return re.sub(r", /\S*\.rs:.*", "", (str(error).splitlines() or ["?"])[0])[:200]
