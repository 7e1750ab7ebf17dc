"""A table with merged cells, as rows of equal length."""

from __future__ import annotations

__all__ = ["Grid", "even"]

# Cells that merging may add to a table: beyond, a merged cell is written once. Real tables are far below.
_MOST = 200_000
_WIDEST = 16_384
# A table that is so much larger than what stands in it is written without its empty cells.
_HOLLOW = 8


class Grid:
    """Takes cells row by row; a merged cell's text stands in each cell it covers, so that rows can be read alone."""

    def __init__(self) -> None:
        self._rows: list[dict[int, str]] = []
        self._open: dict[int, tuple[int, str]] = {}  # by column: rows that a cell above still covers, and its text
        self._next = 0
        self._left = _MOST

    def row(self) -> None:
        """Begin a row."""
        self._next = 0
        self._left -= len(self._open)
        if self._left <= 0:
            self._open.clear()
        self._rows.append({column: text for column, (_, text) in self._open.items()})
        self._open = {column: (rows - 1, text) for column, (rows, text) in self._open.items() if rows > 1}

    def cell(self, text: str, *, columns: int = 1, rows: int = 1) -> None:
        """Put a cell into the next place that is free."""
        columns = min(max(columns, 1), _WIDEST)
        self._left -= columns - 1
        for _ in range(columns if self._left > 0 else 1):
            at = self.column
            self._rows[-1][at] = text
            if rows > 1:
                self._open[at] = (rows - 1, text)

    def skip(self, columns: int) -> None:
        """Leave so many places empty."""
        self._next += min(max(columns, 0), _WIDEST)

    def above(self) -> str:
        """Return the text of the cell above the next place."""
        return self._rows[-2].get(self.column, "") if len(self._rows) > 1 else ""

    @property
    def column(self) -> int:
        """The next free column of the row."""
        while self._next in self._rows[-1]:
            self._next += 1
        return self._next

    def rows(self) -> list[list[str]]:
        """Return the rows; columns and rows without text are left out."""
        return even(self._rows)


def even(rows: list[dict[int, str]]) -> list[list[str]]:
    """Make rows of equal length of rows by column; columns and rows without text are left out."""
    filled = [{column: text for column, text in row.items() if text.strip()} for row in rows]
    filled = [row for row in filled if row]
    used = sorted({column for row in filled for column in row})
    if len(used) * len(filled) > _HOLLOW * sum(map(len, filled)) + _MOST:
        return [[row[column] for column in sorted(row)] for row in filled]
    return [[row.get(column, "") for column in used] for row in filled]
