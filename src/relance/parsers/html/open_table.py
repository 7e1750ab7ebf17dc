"""A table while it is written: as rows of cells, or as the blocks of its cells with the names of their columns."""

from __future__ import annotations

from typing import Any

from relance.parsers.html.table import Cell, Grid, TableShape, span_of

__all__ = ["OpenTable"]


class OpenTable:
    """What has been seen of a table.

    Attributes:
        element: of lxml.
        as_blocks: whether the blocks of its cells are written one after the other.
        grid: its cells, where they are not.
    """

    def __init__(self, element: Any, shape: TableShape, budget: int, *, in_cell: bool) -> None:
        self.element = element
        self.as_blocks = shape.as_blocks and not in_cell
        self.grid = Grid(budget)
        self._shape = shape
        self._row: list[Cell] = []
        self._names: list[str] | None = None
        self._in_head = False
        self._is_header = False
        self._lines = 0  # of the cell we are in

    def begin(self, element: Any, tag: str) -> None:
        """Begin a part of it."""
        self._lines = 0
        if tag == "thead":
            self._in_head = True
        elif tag == "tr":
            self._row = []
            cells = {child.tag for child in element if child.tag in {"td", "th"}}
            self._is_header = bool(cells) and (self._in_head or "td" not in cells)
            self._is_header &= not (self.as_blocks and self._shape.titled)
            if not self.as_blocks and not self.grid.rows and not self._shape.headings and self._shape.rows > 1:
                self._is_header = all(_is_bold(child) for child in element if child.tag == "td")

    def takes(self, tag: str) -> bool:
        """Whether what is in the cell or caption that begins is to become one line."""
        if not self.as_blocks:
            return tag in {"td", "th", "caption"}
        return tag in {"td", "th"} and self._is_header and self._names is None

    def column(self) -> str:
        """Name the column of the cell that begins; empty where it has no name, or is one."""
        if not self._names or self._is_header or len(self._row) >= len(self._names):
            return ""
        return self._names[len(self._row)].rstrip(":")

    def is_tight(self) -> bool:
        """Whether the paragraph that is to be written is a further line of an entry, in a table of one column."""
        self._lines += 1
        return self.as_blocks and self._lines > 1 and self._shape.columns < 2 and self._shape.headings > 0

    def end(self, element: Any, tag: str, text: str) -> str:
        """End a part of it, a cell with its text; return what is to be written as a paragraph."""
        if tag == "thead":
            self._in_head = False
        elif tag == "caption":
            self.grid.caption = text
        elif tag in {"td", "th"}:
            self._row.append(Cell(text, span_of(element, "colspan"), span_of(element, "rowspan")))
        elif tag == "tr":
            row, self._row = self._row, []
            if not self.as_blocks:
                self.grid.add(row, heading=self._is_header)
            elif self._is_header and self._names is None:
                if len(row) > 1:
                    self._names = [cell.text for cell in row for _ in range(min(cell.columns, 50))]
                else:
                    return " ".join(cell.text for cell in row)
        return ""


def _is_bold(cell: Any) -> bool:
    """Whether all text of a cell is bold, as the headings of tables without `<th>` are."""
    for _ in range(4):
        if len(cell) != 1 or (cell.text or "").strip() or (cell[0].tail or "").strip():
            return False
        cell = cell[0]
        if cell.tag in {"b", "strong"}:
            return True
    return False
