"""Tables: which shape one has, its cells in a grid, its rows as Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Cell", "Grid", "TableShape", "span_of"]

_WIDEST = 1000  # columns a cell may span, as in the standard
_LONG = 4000  # characters of a cell
_LONG_IN_LAYOUT = 1000  # where no cell is a heading
_FEW = 30  # cells of a table that is written into a cell of another
_FULL_WIDTH = 40  # characters; longer ones that span the whole table are remarks, not values


@dataclass(slots=True)
class TableShape:
    """What decides how a table is written: rows of cells, or the blocks of its cells one after the other."""

    layout: bool = False
    complex: bool = False
    longest: int = 0
    rows: int = 0
    cells: int = 0
    columns: int = 0
    headings: int = 0
    titled: bool = False
    _in_row: int = 0

    def row(self) -> None:
        """Begin a row."""
        self.rows += 1
        self._in_row = 0

    def cell(self, *, heading: bool) -> None:
        """Begin a cell."""
        self.cells += 1
        self.headings += heading
        self._in_row += 1
        self.columns = max(self.columns, self._in_row)

    def holds(self, inner: TableShape) -> None:
        """Note a table in a cell of this one."""
        self.complex |= inner.complex or inner.cells > _FEW
        self.titled |= inner.titled

    @property
    def as_blocks(self) -> bool:
        """Whether its cells are written one after the other: a layout, or cells that hold more than words."""
        long = self.longest > (_LONG if self.headings else _LONG_IN_LAYOUT)
        return self.layout or self.complex or long or self.columns < 2


@dataclass(slots=True)
class Cell:
    """A cell: its text, and how many columns and rows it spans."""

    text: str
    columns: int = 1
    rows: int = 1


def span_of(element: Any, name: str) -> int:
    """Read `colspan` or `rowspan`; 1 where it is none."""
    digits = str(element.get(name, "1")).strip()
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 9:
        return 1
    if name == "colspan":
        return min(max(int(digits), 1), _WIDEST)
    return min(int(digits) or 65534, 65534)


@dataclass(slots=True)
class Grid:
    """Cells in their places; one that spans several is repeated in each.

    Attributes:
        budget: characters that repetition may still add; `cut` says that they were not enough.
    """

    budget: int
    rows: list[list[str]] = field(default_factory=list)
    header_rows: int = 0
    caption: str = ""
    cut: bool = False
    _below: dict[int, tuple[str, int]] = field(default_factory=dict)  # column: text, rows still to fill
    _in_header: bool = True

    def add(self, cells: list[Cell], *, heading: bool) -> None:
        """Add a row."""
        row: list[str] = []
        below: dict[int, tuple[str, int]] = {}
        for cell in cells:
            self._fill(row, below)
            columns = 1 if len(cells) == 1 and len(cell.text) > _FULL_WIDTH else cell.columns
            for number in range(columns):
                if number and not self._pays(cell.text):
                    break
                if cell.rows > 1:
                    below[len(row)] = (cell.text, cell.rows - 1)
                row.append(cell.text)
        self._fill(row, below)
        for column in sorted(column for column in self._below if column > len(row)):
            while len(row) < column and self._pays(""):
                row.append("")
            self._fill(row, below)
        self._below = below if not self.cut else {}
        self._in_header &= heading
        self.header_rows += self._in_header
        self.rows.append(row)

    def _fill(self, row: list[str], below: dict[int, tuple[str, int]]) -> None:
        """Repeat cells of the rows above where they reach."""
        while (found := self._below.get(len(row))) is not None and found[1] > 0:
            text, left = found
            if not self._pays(text):
                self._below = {}
                return
            if left > 1:
                below[len(row)] = (text, left - 1)
            row.append(text)

    def _pays(self, text: str) -> bool:
        self.budget -= len(text) + 3
        self.cut |= self.budget < 0
        return self.budget >= 0

    def lines(self) -> list[str]:
        """Write it as a Markdown table; several rows of headings become one."""
        rows = self.rows
        width = max((len(row) for row in rows), default=0)
        titles = []
        while self.header_rows > 1 and len(set(rows[0])) == 1 and len(rows[0]) > 1:  # a title across all columns
            titles.append(rows[0][0])
            rows, self.header_rows = rows[1:], self.header_rows - 1
        header = [""] * width
        for column in range(width):
            parts = dict.fromkeys(row[column] for row in rows[: self.header_rows] if column < len(row))
            header[column] = " ".join(filter(None, parts))
        self.caption = " ".join(filter(None, [self.caption, *titles]))
        body = [row for row in rows[self.header_rows :] if any(row)]
        if not body and not any(header):
            return []
        return [_line(header), "|" + "---|" * width, *map(_line, body)]

    def inline(self) -> str:
        """Write it as words, for a cell of another table."""
        return "; ".join(", ".join(filter(None, row)) for row in self.rows if any(row))


def _line(row: list[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in row) + " |"
