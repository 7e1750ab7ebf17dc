"""Several rows of one thing, such as the chunks of a document, as one hit."""

from __future__ import annotations

from collections.abc import Callable

from relance.search.candidate import Candidate

__all__ = ["MAX_HITS", "grouped"]

MAX_HITS = 100_000


def grouped(
    best: Callable[[int], list[Candidate]], wanted: int, *, key: str = "", rows_each: int = 1
) -> list[list[Candidate]]:
    """Find the best groups of rows that have the same value in a column: each is as good as its best row.

    Args:
        best: finds so many best rows, best first; a longer list begins with the shorter one.
        wanted: groups; fewer come where there are no more.
        key: the column; without one each row is a group.
        rows_each: rows looked at for each group at first; more where the best ones crowd in fewer groups.
    """
    n = wanted * rows_each
    while True:
        found = best(n)
        groups: dict[str, list[Candidate]] = {}
        for each in found:
            groups.setdefault(each.row[key] if key else each.id, []).append(each)
        if len(groups) >= wanted or len(found) < n or n >= MAX_HITS:
            return list(groups.values())[:wanted]
        n = min(4 * n, MAX_HITS)
