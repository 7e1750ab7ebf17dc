"""A search from the table to the page of hits."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from relance.search.candidate import Candidate
from relance.search.grouping import MAX_HITS, grouped
from relance.search.highlight import best_passage
from relance.search.hit import Explanation, Hit
from relance.search.hits import Hits
from relance.search.hybrid_query import HybridQuery
from relance.search.links import Link, nowhere
from relance.search.mode import Mode
from relance.search.rows import held, read_rows
from relance.store.schemas import in_lists

if TYPE_CHECKING:
    from relance.embedding.embedder import Vector

__all__ = ["MAX_HITS", "TextSearch", "find_rows", "read_chunks"]

_COLUMNS = ["uri", "title", "heading_path", "lead", "text", "start_char", "end_char", "page", "page_end",
            "line", "line_end", "seq", "media_type", "metadata"]  # fmt: skip
# Chunks looked at for each document that is wanted, and those shown below the best one.
_CHUNKS_A_DOCUMENT = 5
_SHOWN = 3


class TextSearch:
    """A question to a chunks table: the best rows, and hits made of them.

    Args:
        table: the LanceDB table.
        query: in words; may be empty with mode `dense`.
        vector: of the query; needed unless the mode is `full-text`.
        mode: `hybrid` merges the dense, full-text and sparse lists, as far as the table has them.
        k: hits on a page.
        where: SQL condition on columns.
        group: one hit for each document.
        explain: is filled in, and every hit says where its place comes from.

    Attributes:
        link: finds the page of a hit.
    """

    def __init__(self, table: Any, query: str, vector: Vector | None, *, mode: Mode, k: int,
                 where: str | None = None, group: bool = False,
                 explain: Explanation | None = None) -> None:  # fmt: skip
        self._began = time.perf_counter()
        self._table, self._query, self._k, self._group, self._explain = table, query, k, group, explain
        self.link: Link = nowhere
        self._notes = explain or Explanation(mode)
        self._columns = held(table, _COLUMNS)
        self._rows_each = _CHUNKS_A_DOCUMENT if group else 1
        self._hybrid = HybridQuery(table, query, vector, mode=mode, first=(k + 1) * self._rows_each, where=where)
        self._notes.indexes = self._hybrid.indexes

    def best(self, n: int) -> list[Candidate]:
        """Find the `n` best, with what a hit has to say."""
        return _best(self._table, self._hybrid, [*self._columns, "doc_id"], n)

    def page(self, ranked: list[Candidate] | None = None, *, offset: int) -> Hits[Hit]:
        """Make the hits of a page: of rows that were ranked, or of those that the search finds best."""
        if ranked is None:
            # What stands before the page is found, and not read.
            read = ["doc_id"] if self._group else self._columns if self._hybrid.alone or not offset else []
            best = partial(_best, self._table, self._hybrid, read)
        else:
            best = partial(_first, ranked)
        k, key = self._k, "doc_id" if self._group else ""
        groups = grouped(best, offset + k + 1, key=key, rows_each=self._rows_each)
        page = groups[offset : offset + k]
        there = read_rows(self._table, [each for rows in page for each in rows[: 1 + _SHOWN]], self._columns)
        explained = self._explain is not None
        made = {
            each.id: _hit(each, self._query, self._hybrid.language, self.link, explained=explained) for each in there
        }
        hits = [_with_chunks([made[each.id] for each in rows[: 1 + _SHOWN] if each.id in made], further=len(rows) - 1)
                for rows in page if rows[0].id in made]  # fmt: skip
        self._notes.seconds["search"] = time.perf_counter() - self._began - self._notes.seconds.get("rerank", 0.0)
        return Hits(Hit, hits, more=len(groups) > offset + k, explanation=self._explain)


def find_rows(table: Any, query: str, vector: Vector | None, *, mode: Mode, k: int, where: str | None = None,
              more: Sequence[str] = ()) -> list[tuple[dict[str, Any], float]]:  # fmt: skip
    """Find the best rows, with their scores: the columns of a hit, and those named in `more`."""
    columns = held(table, [*_COLUMNS, *more])
    hybrid = HybridQuery(table, query, vector, mode=mode, first=k, where=where)
    found = read_rows(table, hybrid.best(k, columns if hybrid.alone else ()), columns)
    return [(each.row, each.score) for each in found]


def read_chunks(table: Any, ids: Sequence[str], link: Link) -> list[Hit]:
    """Read chunks by their ids, in the order given; those that are not there are left out."""
    wanted = list(dict.fromkeys(ids))
    columns, there = held(table, _COLUMNS), {}
    for condition in in_lists("id", wanted):
        rows = table.search().where(condition).where("active").select(["id", *columns]).limit(None).to_list()
        there.update({row["id"]: Candidate(row["id"], row) for row in rows})
    return [_hit(there[each], "", "none", link, explained=False) for each in wanted if each in there]


def _best(table: Any, hybrid: HybridQuery, columns: list[str], n: int) -> list[Candidate]:
    return read_rows(table, hybrid.best(n, columns), columns)


def _first(pool: list[Candidate], n: int) -> list[Candidate]:
    return pool[:n]


def _hit(found: Candidate, query: str, language: str, link: Link, *, explained: bool) -> Hit:
    row = found.row
    metadata = json.loads(row["metadata"] or "{}")
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
        page_end=row.get("page_end"),
        line=row.get("line"),
        line_end=row.get("line_end"),
        link=link(row["uri"], metadata, row.get("line"), row.get("line_end")),
        seq=row["seq"],
        media_type=row["media_type"],
        metadata=metadata,
        lead=row.get("lead") or "",
        id=found.id,
        highlights=spans,
        snippet=snippet,
        relevance=found.relevance,
        found_by=found.found_by,
        explained=found.explained() if explained else None,
    )


def _with_chunks(hits: list[Hit], *, further: int) -> Hit:
    best, *others = hits
    return replace(best, further=further, chunks=others) if further else best
