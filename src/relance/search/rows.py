"""Reading what has been found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from relance.search.candidate import Candidate
from relance.store.schemas import in_lists
from relance.store.waiting import begun, waited

__all__ = ["PLACE", "held", "read_rows", "taken"]

PLACE = "_rowid"


def held(table: Any, columns: Sequence[str]) -> list[str]:
    """Name those of the columns that a table has: one that an earlier version wrote lacks some until the next run."""
    names = set(table.schema.names)
    return [each for each in columns if each in names]


def read_rows(table: Any, candidates: Sequence[Candidate], columns: Sequence[str]) -> list[Candidate]:
    """Read columns of the rows that lack them; returns those that are still there, in the order given.

    Rows are taken by their place (4 ms for ten, at any size of the table; 34 ms by id among 100,000). Somebody may have
    rewritten the table since they were found, so a row that is not the one expected is looked up by its id.
    """
    lacking = [each for each in candidates if not each.row.keys() >= set(columns)]
    if lacking:
        found = _taken(table, [each.row[PLACE] for each in lacking if PLACE in each.row], columns)
        left = [each.id for each in lacking if each.id not in found]
        for condition in in_lists("id", left):
            rows = table.search().where(condition).select(["id", *columns]).limit(None).to_list()
            found.update({row["id"]: row for row in rows})
        for each in lacking:
            each.row = each.row | found.get(each.id, {})
    return [each for each in candidates if each.row.keys() >= set(columns)]


def taken(table: Any, places: list[int], columns: Sequence[str]) -> Any:
    """Read columns of rows by their places, as an Arrow table with `PLACE`: in any order, without those that moved.

    The places are what a search has found: nobody looks who reads.
    """
    return waited(begun(table, places).select(list(columns)).with_row_id().to_arrow())


def _taken(table: Any, places: list[int], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    if not places:
        return {}
    try:
        rows = taken(table, places, ["id", *columns]).to_pylist()
    except (ValueError, RuntimeError, NotImplementedError):  # the file is gone, or the table is in LanceDB Cloud
        return {}
    return {row["id"]: row for row in rows}
