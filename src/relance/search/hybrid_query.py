"""The ways a table can be searched: dense, full-text, sparse, and hybrid, which merges their lists."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from relance.errors import ConfigurationError
from relance.search.candidate import Candidate
from relance.search.filters import FilterError
from relance.search.fusion import DEPTH, fused
from relance.search.mode import COLUMNS, Mode
from relance.store.maintenance import stemmed

if TYPE_CHECKING:
    from relance.embedding.embedder import Vector

__all__ = ["HybridQuery", "refine_factor"]

# One bit a dimension loses order; comparing candidates exactly wins it back. At 100,000 × 1,024, of ten hits it found
# 0.68 without, 0.97 with a hundred candidates (7 ms), 1.00 with three hundred (10 ms); of a hundred hits 1.00, too.
_EXACT = 300
_AT_LEAST = 3
_MISSING = {
    "full-text": "this index has no full-text index yet; run `relance ingest`, or search with mode dense",
    "dense": "this index has sparse vectors only (embedding.output_type: sparse); search with mode sparse or full-text",
    "sparse": "this index has no sparse vectors; set embedding.output_type to dense&sparse and run `relance ingest`",
}


class _Found(NamedTuple):
    """A row in a list, and what it scores there."""

    id: str
    score: float
    row: dict[str, Any]


class HybridQuery:
    """One question to one table.

    Attributes:
        indexes: how each list is made, by mode.
        language: whose word endings do not matter to a full-text search; `none` where all do.
    """

    def __init__(self, table: Any, query: str, vector: Vector | None, *, mode: Mode, first: int,
                 where: str | None = None) -> None:  # fmt: skip
        self._table = table
        self._query = query
        self._dense, self._sparse = vector or (None, None)
        self._where = f"({where}) AND active" if where else None
        self._names = table.schema.names
        self._first = first
        found = {index.columns[0]: index for index in table.list_indices()}
        indexed = {column: index.index_type for column, index in found.items()}
        self.language = (stemmed(found["text"]) if "text" in found else "") or "none"
        self._indexed = "vector" in indexed
        has = {mode for mode, column in COLUMNS.items()
               if column in (indexed if mode == "full-text" else self._names)}  # fmt: skip
        self._wanted = has if mode == "hybrid" else {mode}
        if missing := ({"full-text"} if mode == "hybrid" else self._wanted) - has:
            if table.count_rows("active"):
                raise ConfigurationError(_MISSING[missing.pop()])
            self._wanted = set()  # an empty index has not been indexed, and nothing is found in it
        if len(self._wanted) > 1:
            self._first = DEPTH
        self.indexes = {each: str(indexed.get(COLUMNS[each], "exact")) for each in sorted(self._wanted)}

    @property
    def alone(self) -> bool:
        """Whether there is a single list, and one that LanceDB makes: all columns are read at once then."""
        return len(self._wanted) == 1 and "sparse" not in self._wanted

    def best(self, n: int, columns: Sequence[str] = ()) -> list[Candidate]:
        """Find the `n` best rows, best first.

        `id` and `columns` of them are read already, but for those of the sparse list alone. The list begins with the
        `first` best, then come the best of ten times as many that are not among those, and so on: so it is the same
        however much of it is asked for, also where many rows have the same score. Scores never rise.

        Raises FilterError where LanceDB does not understand the condition.
        """
        if not self._wanted:
            return []
        ranked: dict[str, Candidate] = {}
        depth = self._first
        try:
            while True:
                lists = self._lists(depth, columns)
                floor = min((each.score for each in ranked.values()), default=math.inf)
                for candidate in _merged(lists):
                    candidate.score = min(candidate.score, floor)
                    ranked.setdefault(candidate.id, candidate)
                    if len(ranked) == n:
                        return list(ranked.values())
                if all(len(found) < depth for found in lists.values()):
                    return list(ranked.values())
                depth *= 10
        except (ValueError, RuntimeError) as error:
            if self._where:
                raise FilterError.of_lancedb("the condition", error, self._names) from error
            raise

    def _lists(self, n: int, columns: Sequence[str]) -> dict[str, list[_Found]]:
        """Make all lists, at the same time: with a filter on metadata that takes 136 ms for two instead of 176."""
        modes = sorted(self._wanted)
        one = partial(self._one, n=n, columns=columns)
        if len(modes) == 1:
            return {mode: one(mode) for mode in modes}
        with ThreadPoolExecutor(len(modes), "relance-search") as threads:
            return dict(zip(modes, threads.map(one, modes), strict=True))

    def _one(self, mode: str, n: int, columns: Sequence[str]) -> list[_Found]:
        """Make one list."""
        if mode == "sparse":
            return self._sparse_list(n)
        rows, column, score = self._dense_list(n) if mode == "dense" else self._full_text_list()
        rows = rows.limit(n).select(["id", *columns, column]).with_row_id(True)
        rows = (rows.where(self._where) if self._where else rows).to_list()
        found = [_Found(row["id"], round(score(float(row[column])), 6), row) for row in rows]
        return sorted(found, key=lambda each: (-each.score, each.id))  # LanceDB puts equals in any order

    def _dense_list(self, n: int) -> tuple[Any, str, Callable[[float], float]]:
        rows = self._table.search(self._dense, vector_column_name="vector", query_type="vector")
        rows = rows.distance_type("cosine")
        # What stands out of a list to be merged is far above its end, where candidates go missing.
        least = 1 if len(self._wanted) > 1 else _AT_LEAST
        rows = rows.refine_factor(refine_factor(n, least)) if self._indexed else rows
        return rows, "_distance", lambda distance: 1 - distance

    def _full_text_list(self) -> tuple[Any, str, Callable[[float], float]]:
        return self._table.search(_words(self._query), query_type="fts"), "_score", lambda score: score

    def _sparse_list(self, n: int) -> list[_Found]:
        from relance.embedding.sparse import search_sparse

        if self._sparse is None:
            return []
        found = search_sparse(self._table, self._sparse, k=n, where=self._where or "active")
        return [_Found(name, round(score, 6), {"id": name}) for name, score in found]


def refine_factor(n: int, least: int = _AT_LEAST) -> int:
    """Say how many candidates of a vector index are compared exactly for each of `n` hits."""
    return max(least, _EXACT // n)


def _merged(lists: Mapping[str, Sequence[_Found]]) -> Iterator[Candidate]:
    """Merge lists, each best first; a single one stays as it is.

    Candidates are made as they are asked for: lists are deep, and few of their rows are wanted.
    """
    if len(lists) == 1:
        ((mode, found),) = lists.items()
        for rank, each in enumerate(found, start=1):
            yield Candidate(each.id, each.row, each.score, ranks={mode: rank}, scores={mode: each.score})
        return
    places = {mode: {each.id: rank for rank, each in enumerate(found)} for mode, found in lists.items()}
    for name, score in fused({mode: [(each.id, each.score) for each in found] for mode, found in lists.items()}):
        candidate = Candidate(name, {"id": name}, round(score, 6), scores={"fused": round(score, 6)})
        for mode, found in lists.items():
            if (rank := places[mode].get(name)) is not None:
                candidate.row |= found[rank].row
                candidate.ranks[mode] = rank + 1
                candidate.scores[mode] = found[rank].score
        yield candidate


def _words(query: str) -> Any:
    """Match any of the words, taken literally: a question is not a query language."""
    from lancedb.query import MatchQuery

    return MatchQuery(query.encode("utf-8", "replace").decode(), "text")  # a terminal may hand over half a character
