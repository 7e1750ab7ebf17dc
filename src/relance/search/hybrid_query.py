"""The ways a table can be searched: dense, full-text, sparse, and hybrid, which merges their lists."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from relance.errors import ConfigurationError
from relance.search.candidate import Candidate
from relance.search.filters import FilterError
from relance.search.fusion import DEPTH, Usual, fused, usual
from relance.search.mode import COLUMNS, Mode
from relance.search.rows import PLACE, taken
from relance.store.maintenance import stemmed
from relance.store.open_tables import TableVersion, is_gone
from relance.store.waiting import begun, waited

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relance.embedding.embedder import Vector

__all__ = ["HybridQuery", "refine_factor"]

# One bit a dimension loses order; comparing candidates exactly wins it back. At 100,000 × 1,024, of ten hits it found
# 0.68 without, 0.97 with a hundred candidates (7 ms), 1.00 with three hundred (10 ms); of a hundred hits 1.00, too.
_EXACT = 300
_AT_LEAST = 3
# Of the thousand of a list to be merged, as many are compared, and the others are where the index estimates them: what
# stands out is far above its end. Of the ten best of two exact lists merged it found 0.999 in 12 CPU-ms; with all
# thousand compared 0.999 in 34, with none 0.986. At 20,000 × 256 it found 0.990, with all thousand 0.963.
# Of fewer nobody can say what is usual: they are all shown.
_ENOUGH = 30
_MISSING = {
    "full-text": "this index has no full-text index yet; run `relance ingest`, or search with mode dense",
    "dense": "this index has sparse vectors only (embedding.output_type: sparse); search with mode sparse or full-text",
    "sparse": "this index has no sparse vectors; set embedding.output_type to dense&sparse and run `relance ingest`",
}


_SCORE = {"dense": "_distance", "full-text": "_score"}

# A row in a list, by its place in the table or by its id, and what it scores there.
Scored = tuple[Any, float]


class HybridQuery:
    """One question to one table.

    Attributes:
        indexes: how each list is made, by mode.
        language: whose word endings do not matter to a full-text search; `none` where all do.
        cut: how many rows of the lists were left out by the floor.
    """

    def __init__(self, table: Any, query: str, vector: Vector | None, *, mode: Mode, first: int,
                 where: str | None = None, same: str = "", floor: float = 0.0) -> None:  # fmt: skip
        """Prepare a question.

        Args:
            table: that is asked.
            query: in words.
            vector: of it.
            mode: which lists are made.
            first: how deep a single list is read at first.
            where: SQL condition.
            same: column whose value is the same in copies: only the best of each is in a list.
            floor: standard deviations above the mean of a list that a hit has, in one of them at least; 0 for none.
        """
        self._table = table
        self._same, self._floor = same, floor
        self.cut = 0
        self._text = query
        self._dense, self._sparse = vector or (None, None)
        self._where = f"({where}) AND active" if where else None
        self._names = table.schema.names
        self._first = first
        found = {index.columns[0]: index for index in table.list_indices()}
        indexed = {column: index.index_type for column, index in found.items()}
        words = next((column for column in ("words", "text") if column in found), "words")  # earlier versions: text
        self._columns = COLUMNS | {"full-text": words}
        self.language = (stemmed(found[words]) if words in found else "") or "none"
        scanned = isinstance(table, TableVersion) and table.scanned
        self._indexed = "vector" in indexed and not scanned
        has = {mode for mode, column in self._columns.items()
               if column in (indexed if mode == "full-text" else self._names)}  # fmt: skip
        self._wanted = has if mode == "hybrid" else {mode}
        growing = isinstance(table, TableVersion) and table.growing
        if missing := ({"full-text"} if mode == "hybrid" and not growing else self._wanted) - has:
            if table.count_rows("active"):
                raise ConfigurationError(_MISSING[missing.pop()])
            self._wanted = set()  # an empty index has not been indexed, and nothing is found in it
        if len(self._wanted) > 1 or same:
            self._first = DEPTH
        # A row keeps its place in one version, and LanceDB finds a thousand places 3 ms sooner than their ids.
        by_place = isinstance(table, TableVersion) and table.has_places and "sparse" not in self._wanted
        self._key = PLACE if by_place else "id"
        self._places: dict[str, int] = {}
        self._shown: dict[Any, Any] = {}  # of copies, the row that is shown
        if scanned:
            indexed.pop("vector", None)
        self.indexes = {each: str(indexed.get(self._columns[each], "exact")) for each in sorted(self._wanted)}

    @property
    def alone(self) -> bool:
        """Whether there is a single list, and one that LanceDB makes: all columns are read at once then."""
        return len(self._wanted) == 1 and "sparse" not in self._wanted and not self._same

    def best(self, n: int, columns: Sequence[str] = ()) -> list[Candidate]:
        """Find the `n` best rows, best first.

        `id` and `columns` of them are read already, but for those of the sparse list alone. The list begins with the
        `first` best, then come the best of ten times as many that are not among those, and so on: so it is the same
        however much of it is asked for, also where many rows have the same score. Scores never rise.

        Raises FilterError where LanceDB does not understand the condition.
        """
        if not self._wanted:
            return []
        ranked: dict[Any, Candidate] = {}
        depth = self._first
        try:
            while True:
                found, whole = self._found(depth, n, columns, ranked)
                floor = min((each.score for each in ranked.values()), default=math.inf)
                for key, candidate in found:
                    candidate.score = min(candidate.score, floor)
                    ranked.setdefault(key, candidate)
                if len(ranked) >= n or whole:
                    return list(ranked.values())[:n]
                depth *= 10
        except (ValueError, RuntimeError) as error:
            if self._where and not is_gone(error):
                raise FilterError.of_lancedb("the condition", error, self._names) from error
            raise

    def _found(self, depth: int, n: int, columns: Sequence[str],
               known: Mapping[Any, Candidate]) -> tuple[list[tuple[Any, Candidate]], bool]:  # fmt: skip
        """Find what comes behind the known ones, until there are `n`, and whether that is all there is."""
        if len(self._wanted) == 1 and not self._same:
            (mode,) = self._wanted
            single = self._single(mode, depth, columns)
            return [(each.id, each) for each in single], len(single) < depth
        lists = self._lists(depth)
        whole = all(len(found) < depth for found in lists.values())
        known_of = usual(lists)
        merged = [each for each in self._merged(lists, known_of) if each[0] not in known]
        if self._floor and max((each.count for each in known_of.values()), default=0) >= _ENOUGH:
            # What is further down a list stands out less: there is no second look.
            left, whole = self._outstanding(merged, lists, known_of), True
            self.cut, merged = len(merged) - len(left), left
        if not merged:
            return [], whole
        # All that score the same are read, for of these the ids decide.
        last = merged[min(n - len(known), len(merged)) - 1][1]
        return self._named([each for each in merged if each[1] >= last], lists, known_of, columns), whole

    def _merged(self, lists: Mapping[str, Sequence[Scored]], known: Mapping[str, Usual]) -> list[Scored]:
        return fused(lists, known) if len(lists) > 1 else list(*lists.values())

    def _outstanding(self, found: Sequence[Scored], lists: Mapping[str, Sequence[Scored]],
                     known: Mapping[str, Usual]) -> list[Scored]:  # fmt: skip
        """Take what stands out of a list; with words alone, everything has some of them."""
        if set(lists) == {"full-text"}:
            return list(found)
        out = {key for mode, each in lists.items() for key, score in each
               if known[mode].deviations(score) >= self._floor}  # fmt: skip
        return [each for each in found if each[0] in out]

    def _single(self, mode: str, n: int, columns: Sequence[str]) -> list[Candidate]:
        """Make the only list, with its columns."""
        if mode == "sparse":
            found = [({"id": name}, score) for name, score in self._sparse_list(n)]
        else:
            rows = self._query(mode, n, ["id", *columns])
            rows = rows.refine_factor(refine_factor(n)) if mode == "dense" and self._indexed else rows
            listed = waited(rows.to_arrow()).to_pylist()
            found = [(row, 1 - row["_distance"] if mode == "dense" else row["_score"]) for row in listed]
        found = sorted(((round(score, 6), row) for row, score in found), key=lambda each: (-each[0], each[1]["id"]))
        return [Candidate(row["id"], row, score, ranks={mode: rank}, scores={mode: score})
                for rank, (score, row) in enumerate(found, start=1)]  # fmt: skip

    def _lists(self, n: int) -> dict[str, list[Scored]]:
        """Make all lists, at the same time: with a filter on metadata that takes 136 ms for two instead of 176."""
        first, *others = sorted(self._wanted)
        if not others:
            return {first: self._list(first, n)}
        with ThreadPoolExecutor(len(others), "relance-search") as threads:
            made = {mode: threads.submit(self._list, mode, n) for mode in others}
            return {first: self._list(first, n)} | {mode: each.result() for mode, each in made.items()}

    def _list(self, mode: str, n: int) -> list[Scored]:
        """Make a list to be merged: of `n` rows, or of `n` that are no copies of others."""
        if mode == "sparse":
            return [(name, round(score, 6)) for name, score in self._sparse_list(n)]
        rows = n
        while True:
            table, found = self._rows(mode, rows)
            if not self._same:
                return found
            of_row = dict(zip(table[self._key].to_pylist(), table[self._same].to_pylist(), strict=True))
            best: dict[Any, Scored] = {}
            for row, score in found:
                best.setdefault(of_row[row], (row, score))
            if len(best) >= n or len(found) < rows:
                return self._copies(mode, list(best.items())[:n])
            rows *= 4

    def _copies(self, mode: str, found: list[tuple[Any, Scored]]) -> list[Scored]:
        """Let what is the same stand for its rows; the one whose words answer is shown, else the nearest."""
        for same, (row, _) in found:
            if mode == "full-text":
                self._shown[same] = row
            else:
                self._shown.setdefault(same, row)
        return [(same, score) for same, (_, score) in found]

    def _rows(self, mode: str, n: int) -> tuple[Any, list[Scored]]:
        """Ask for a list; returns what LanceDB does, and its scores, best first."""
        by_place, estimated = self._key == PLACE, mode == "dense" and self._indexed
        columns = ([] if by_place else ["id"]) + ([self._same] if self._same else [])
        rows = self._query(mode, n, columns)
        table = waited((rows.refine_factor(1) if estimated and not by_place else rows).to_arrow())
        keys, scores = table[self._key].to_pylist(), table[_SCORE[mode]].to_numpy().astype(np.float64)
        scores = 1 - scores if mode == "dense" else scores
        if estimated and by_place and keys:
            scores = self._compared(keys, scores, math.ceil(n * _EXACT / DEPTH))
        if not by_place:
            self._places.update(zip(keys, table[PLACE].to_pylist(), strict=True))
        found = zip(keys, scores.round(6).tolist(), strict=True)
        return table, sorted(found, key=lambda each: (-each[1], each[0]))

    def _query(self, mode: str, n: int, columns: Sequence[str]) -> Any:
        """Ask LanceDB for a list; `columns` come with the score."""
        rows = self._table.begin() if isinstance(self._table, TableVersion) else begun(self._table)
        rows = rows.limit(n).select([*columns, _SCORE[mode]]).with_row_id()
        rows = rows.where(self._where) if self._where else rows
        if mode == "full-text":
            return rows.nearest_to_text(_words(self._text, self._columns["full-text"]))
        rows = rows.nearest_to(self._dense).column("vector").distance_type("cosine")
        return rows if self._indexed else rows.bypass_vector_index()

    def _compared(self, places: list[int], cosines: NDArray[np.float64], exact: int) -> NDArray[np.float64]:
        """Replace the first so many cosines, which the index estimates, and put the others on the same scale.

        LanceDB 0.40 estimates twice the distance that it gives for exact vectors, or compares all of them exactly where
        some rows are not indexed yet; so the scale is taken from the rows that are known by both.
        """
        table = taken(self._table, places[:exact], ["vector"])
        at = {place: row for row, place in enumerate(places[:exact])}
        rows = [at[place] for place in table[PLACE].to_pylist()]
        vectors = np.asarray(table["vector"].combine_chunks().flatten(), np.float32).reshape(len(rows), -1)
        question = np.asarray(self._dense, np.float32)
        # Not by BLAS, whose threads cost more than they gain here: 11.6 → 8 CPU-ms of the list.
        squares = np.einsum("ij,ij->i", vectors, vectors) * np.einsum("i,i->", question, question)
        known = np.einsum("ij,j->i", vectors, question) / np.sqrt(np.maximum(squares, 1e-24), dtype=np.float64)
        estimated = 1 - cosines[rows]
        scaled = 1 - (1 - cosines) * (estimated @ (1 - known) / (estimated @ estimated or 1.0))
        scaled[rows] = known
        return scaled

    def _named(self, found: Sequence[Scored], lists: Mapping[str, Sequence[Scored]], known: Mapping[str, Usual],
               columns: Sequence[str]) -> list[tuple[Any, Candidate]]:  # fmt: skip
        """Read the ids of merged rows, with columns, and say where they stand in the lists; equals by id."""
        rows: dict[Any, dict[str, Any]]
        at = {key: self._shown.get(key, key) for key, _ in found}
        if self._key == PLACE:
            table = taken(self._table, list(at.values()), ["id", *columns])
            by_place = {row[PLACE]: row for row in table.to_pylist()}
            rows = {key: by_place[place] for key, place in at.items()}
        else:
            rows = {key: {"id": name} | ({PLACE: self._places[name]} if name in self._places else {})
                    for key, name in at.items()}  # fmt: skip
        ranks = {mode: {key: rank for rank, (key, _) in enumerate(each, start=1)} for mode, each in lists.items()}
        named = []
        for key, score in sorted(found, key=lambda each: (-each[1], rows[each[0]]["id"])):
            scores = {"fused": round(score, 6)} if len(lists) > 1 else {}
            candidate = Candidate(rows[key]["id"], rows[key], round(score, 6), scores=scores)
            for mode, each in lists.items():
                if (rank := ranks[mode].get(key)) is not None:
                    candidate.ranks[mode] = rank
                    candidate.scores[mode] = each[rank - 1][1]
                    candidate.deviations[mode] = round(known[mode].deviations(each[rank - 1][1]), 3)
            named.append((key, candidate))
        return named

    def _sparse_list(self, n: int) -> list[Scored]:
        from relance.embedding.sparse import search_sparse

        if self._sparse is None:
            return []
        return search_sparse(self._table, self._sparse, k=n, where=self._where or "active")


def refine_factor(n: int) -> int:
    """Say how many candidates of a vector index are compared exactly for each of `n` hits."""
    return max(_AT_LEAST, _EXACT // n)


def _words(query: str, column: str) -> Any:
    """Match any of the words, taken literally: a question is not a query language."""
    from lancedb.query import MatchQuery

    return MatchQuery(query.encode("utf-8", "replace").decode(), column)  # a terminal may hand over half a character
