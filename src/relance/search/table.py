"""A search from the table to the page of hits."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from relance.search.candidate import Candidate
from relance.search.grouping import MAX_HITS, grouped
from relance.search.highlight import best_passage
from relance.search.hit import Explanation, Hit
from relance.search.hits import Hits
from relance.search.hybrid_query import HybridQuery
from relance.search.mode import Mode
from relance.search.rows import read_rows

if TYPE_CHECKING:
    from relance.embedding.embedder import Vector
    from relance.search.rerankers import Reranker

__all__ = ["MAX_HITS", "find_rows", "search_table"]

_COLUMNS = ["uri", "title", "heading_path", "text", "start_char", "end_char", "page", "seq", "media_type", "metadata"]
# Chunks looked at for each document that is wanted, and those shown below the best one.
_CHUNKS_A_DOCUMENT = 5
_SHOWN = 3


def search_table(table: Any, query: str, vector: Vector | None, *, mode: Mode, k: int,  # noqa: PLR0913
                 offset: int = 0, where: str | None = None, group: bool = False, reranker: Reranker | None = None,
                 candidates: int = 50,
                 explain: Explanation | None = None) -> Hits[Hit]:  # fmt: skip
    """Search a chunks table.

    Args:
        table: the LanceDB table.
        query: in words; may be empty with mode `dense`.
        vector: of the query; needed unless the mode is `full-text`.
        mode: `hybrid` merges the dense, full-text and sparse lists, as far as the table has them.
        k: hits on a page.
        offset: hits on the pages before.
        where: SQL condition on columns.
        group: one hit for each document.
        reranker: sorts the best hits once more; there are no others then.
        candidates: how many of them, or `k` if that is more.
        explain: is filled in, and every hit says where its place comes from.
    """
    began = time.perf_counter()
    notes = explain or Explanation(mode)
    rows_each = _CHUNKS_A_DOCUMENT if group else 1
    hybrid = HybridQuery(table, query, vector, mode=mode, first=(k + 1) * rows_each, where=where)
    notes.indexes = hybrid.indexes
    # What stands before the page is found, and not read.
    best = partial(_best, table, hybrid, ["doc_id"] if group else _COLUMNS if hybrid.alone or not offset else [])
    if reranker is not None:
        pool = read_rows(table, best(max(candidates, k)), [*_COLUMNS, "doc_id"])
        best = _reranked(reranker, query, pool, notes)
    groups = grouped(best, offset + k + 1, key="doc_id" if group else "", rows_each=rows_each)
    page = groups[offset : offset + k]
    there = read_rows(table, [each for rows in page for each in rows[: 1 + _SHOWN]], _COLUMNS)
    made = {each.id: _hit(each, query, hybrid.language, explained=explain is not None) for each in there}
    hits = [_with_chunks([made[each.id] for each in rows[: 1 + _SHOWN] if each.id in made], further=len(rows) - 1)
            for rows in page if rows[0].id in made]  # fmt: skip
    notes.seconds["search"] = time.perf_counter() - began - notes.seconds.get("rerank", 0.0)
    return Hits(Hit, hits, more=len(groups) > offset + k, explanation=explain)


def find_rows(table: Any, query: str, vector: Vector | None, *, mode: Mode, k: int, where: str | None = None,
              more: Sequence[str] = ()) -> list[tuple[dict[str, Any], float]]:  # fmt: skip
    """Find the best rows, with their scores: the columns of a hit, and those named in `more`."""
    columns = [*_COLUMNS, *more]
    hybrid = HybridQuery(table, query, vector, mode=mode, first=k, where=where)
    found = read_rows(table, hybrid.best(k, columns if hybrid.alone else ()), columns)
    return [(each.row, each.score) for each in found]


def _best(table: Any, hybrid: HybridQuery, columns: list[str], n: int) -> list[Candidate]:
    return read_rows(table, hybrid.best(n, columns), columns)


def _reranked(
    reranker: Reranker, query: str, pool: list[Candidate], notes: Explanation
) -> Callable[[int], list[Candidate]]:
    """Sort candidates by a reranker; equals stay in the order they came in."""
    began = time.perf_counter()
    result = reranker.rerank(query, pool)
    for each, score in zip(pool, result.scores.tolist(), strict=True):
        each.score = each.scores["rerank"] = round(score, 6)
    ordered = sorted(pool, key=lambda each: -each.score)
    notes.rerank, notes.reranked = reranker.info.name, len(pool)
    notes.tokens, notes.cost_usd = result.tokens, result.cost_usd
    notes.seconds["rerank"] = time.perf_counter() - began
    return lambda n: ordered[:n]


def _hit(found: Candidate, query: str, language: str, *, explained: bool) -> Hit:
    row = found.row
    spans, snippet = best_passage(query, row["text"], language)
    return Hit(
        uri=row["uri"],
        title=row["title"] or "",
        heading_path=list(row["heading_path"] or []),
        text=row["text"],
        start=row["start_char"],
        end=row["end_char"],
        score=found.score,
        page=row["page"],
        seq=row["seq"],
        media_type=row["media_type"],
        metadata=json.loads(row["metadata"] or "{}"),
        id=found.id,
        highlights=spans,
        snippet=snippet,
        explained=found.explained() if explained else None,
    )


def _with_chunks(hits: list[Hit], *, further: int) -> Hit:
    best, *others = hits
    return replace(best, further=further, chunks=others) if further else best
