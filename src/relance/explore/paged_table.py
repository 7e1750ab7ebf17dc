"""A list of a hundred thousand rows that can be looked through a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["PER_PAGE", "Page", "PagedTable"]

PER_PAGE = 50


@dataclass(slots=True, frozen=True)
class Page:
    """Some rows of a list.

    Attributes:
        number: from 1.
        total: rows in all the pages together.
    """

    rows: list[dict[str, Any]]
    number: int
    total: int
    per_page: int = PER_PAGE

    @property
    def last(self) -> int:
        """The number of the last page, at least 1."""
        return max(1, -(-self.total // self.per_page))

    @property
    def first_row(self) -> int:
        """The place of its first row in the list, from 1; 0 where there are none."""
        return (self.number - 1) * self.per_page + 1 if self.rows else 0

    @property
    def last_row(self) -> int:
        """The place of its last row."""
        return self.first_row + len(self.rows) - 1 if self.rows else 0


class PagedTable:
    """Rows of an Arrow table, kept in memory: some 200 bytes each."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return self.rows.num_rows

    def sorted(self, column: str, *, descending: bool = False) -> PagedTable:
        """Put the rows in another order; those without a value come last."""
        return PagedTable(self.rows.sort_by([(column, "descending" if descending else "ascending")]))

    def having(self, words: str, columns: list[str]) -> PagedTable:
        """Keep the rows that hold every one of the words, whatever their case, in any of the columns."""
        pc, rows = _compute(), self.rows
        for word in words.split():
            found = [pc.fill_null(pc.match_substring(rows[name], word, ignore_case=True), False) for name in columns]
            mask = found[0]
            for other in found[1:]:
                mask = pc.or_(mask, other)
            rows = rows.filter(mask)
        return PagedTable(rows)

    def being(self, column: str, value: Any) -> PagedTable:
        """Keep the rows that have a value."""
        return PagedTable(self.rows.filter(_compute().equal(self.rows[column], value)))

    def among(self, column: str, values: Any) -> PagedTable:
        """Keep the rows whose value is one of an Arrow array."""
        return PagedTable(self.rows.filter(_compute().is_in(self.rows[column], values)))

    def first(self, column: str, value: Any) -> dict[str, Any] | None:
        """Return the first row that has a value; None if there is none."""
        rows = self.being(column, value).rows.slice(0, 1).to_pylist()
        return rows[0] if rows else None

    def counts(self, column: str) -> list[tuple[Any, int]]:
        """Count the rows of each value, most frequent first."""
        counted = self.rows[column].value_counts().to_pylist()
        return sorted(((each["values"], each["counts"]) for each in counted), key=lambda pair: (-pair[1], str(pair[0])))

    def page(self, number: int, per_page: int = PER_PAGE) -> Page:
        """Read a page, counted from 1; one beyond the end has no rows."""
        rows = self.rows.slice((number - 1) * per_page, per_page).to_pylist()
        return Page(rows, number, len(self), per_page)


def _compute() -> Any:
    """Import what compares columns; its functions are made when it is imported, so that no checker knows them."""
    import pyarrow.compute

    return pyarrow.compute
