"""The cells of one sheet, and the tables that they are."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from relance.parsers.office.grid import even
from relance.parsers.office.left_out import LeftOut
from relance.parsers.office.markdown_writer import MarkdownWriter

__all__ = ["Sheet"]

_NUMBER = re.compile(r"[^A-Za-z]*\d[^A-Za-z]*")
# Cells that merged ranges may fill: beyond, a merged cell is written once.
_MOST_MERGED = 200_000
Row = dict[int, str]


class Sheet:
    """Takes filled cells by row and column; empty ones cost nothing, wherever the last one lies."""

    def __init__(self, left_out: LeftOut) -> None:
        self._left_out = left_out
        self._rows: dict[int, Row] = {}
        self._at: Row = {}
        self._hidden_rows: set[int] = set()
        self._hidden_columns: list[tuple[int, int]] = []
        self._merged: list[tuple[int, int, int, int]] = []

    def row(self, number: int, *, hidden: bool = False) -> None:
        """Begin a row."""
        self._at = self._rows.setdefault(number, {})
        if hidden:
            self._hidden_rows.add(number)

    def cell(self, column: int, text: str) -> None:
        """Put a text into the row."""
        if text.strip():
            self._at[column] = text

    def append(self, row: int, column: int, text: str) -> None:
        """Put a text behind that of a cell."""
        cells = self._rows.setdefault(row, {})
        cells[column] = f"{cells.get(column, '')} {text}".strip()

    def hide_columns(self, first: int, last: int) -> None:
        """Hide columns, both ends counted."""
        self._hidden_columns.append((first, last))

    def merge(self, top: int, left: int, bottom: int, right: int) -> None:
        """Let the first cell of a range stand for all of them."""
        self._merged.append((top, left, bottom, right))

    def write(self, writer: MarkdownWriter, title: str, *, named: bool = False) -> None:
        """Write paragraphs for texts that stand alone, and tables; the title only above something, or if `named`."""
        numbers = sorted(number for number, row in self._rows.items() if row)
        self._fill_merged(numbers)
        self._hide(numbers)
        rows = [(number, self._rows[number]) for number in numbers]
        if named or any(row for _, row in rows):
            writer.heading(2, title)
        for block in _blocks(rows):
            while block and len(set(block[0].values())) == 1 and (len(block) == 1 or len(block[1]) > 1):
                # A title above a table, or a remark below one.
                writer.paragraph(next(iter(block.pop(0).values())))
            writer.table(even(block))

    def _fill_merged(self, numbers: list[int]) -> None:
        left = _MOST_MERGED
        widest = max((column for number in numbers for column in self._rows[number]), default=0)
        for top, first, bottom, end in self._merged:
            text = self._rows.get(top, {}).get(first)
            if not text:
                continue
            last = min(end, max(widest, first))  # whole rows are merged for a title above a table
            covered = numbers[bisect_left(numbers, top) : bisect_right(numbers, bottom)]
            left -= max(len(covered) * (last - first + 1), 1)
            if left < 0:
                return
            for number in covered:
                row = self._rows[number]
                for column in range(first, last + 1):
                    row.setdefault(column, text)

    def _hide(self, numbers: list[int]) -> None:
        """Mark hidden rows and columns, or take them away."""
        for number in numbers:
            row = self._rows[number]
            if number in self._hidden_rows:
                if self._left_out.keeps("hidden row"):
                    column = min(row)
                    row[column] = f"[hidden row] {row[column]}"
                else:
                    row.clear()
        if not self._hidden_columns:
            return
        used = sorted({column for number in numbers for column in self._rows[number]})
        hidden = {
            column
            for first, last in self._hidden_columns
            for column in used[bisect_left(used, first) : bisect_right(used, last)]
        }
        kept = {column for column in hidden if self._left_out.keeps("hidden column")}
        for number in numbers:
            row = self._rows[number]
            for column in hidden & row.keys():
                if column in kept:
                    row[column] = f"[hidden column] {row[column]}"
                else:
                    del row[column]


def _blocks(rows: list[tuple[int, Row]]) -> Iterator[list[Row]]:
    """Split rows at empty ones, where a new header or a text that stands alone follows."""
    block: list[Row] = []
    before = 0
    for number, row in rows:
        if block and row and number > before + 1 and _begins(row, block):
            yield block
            block = []
        if row:
            block.append(row)
        before = number  # a hidden row is no empty one
    if block:
        yield block


def _begins(row: Row, block: list[Row]) -> bool:
    """Whether a row behind an empty one begins something new: no numbers in it, or other columns than above."""
    texts = len(set(row.values()))
    if texts == 1 or len(block[-1]) == 1:
        return True
    return not any(_NUMBER.fullmatch(text.strip()) for text in row.values()) or not row.keys() <= block[0].keys()
