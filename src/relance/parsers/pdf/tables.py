"""Tables of pages without tags, by geometry: lines whose wide gaps are below one another.

A table is only called one where its columns are certain; else its lines stay text in the order of the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from relance.parsers.pdf.lines import Cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relance.parsers.pdf.lines import Line

__all__ = ["with_tables"]

_MARKER = re.compile(r"[•◦▪▸‣●○■□–—*·-]|[(\[]?[\w.+]{1,5}[\])]|[\w.]{1,4}[.)]|\[[^\]]{1,12}\]")
_EQUATION = re.compile(r"[(（][\w.]{1,8}[)）]")
_LEADERS = re.compile(r"(?:\.\s?){4,}|…|(?:·\s?){4,}")
_DIGIT = re.compile(r"\d")
_COUNT = re.compile(r"\d{1,6}\b")
_NUMBERED = re.compile(r"(?:[IVXLC]+|[A-Z]|\d+)(?:\.\d+)*\.?(?:\s|$)")
_PAGE = re.compile(r"\d{1,4}|[ivxlc]{1,6}")
_MOST_COLUMNS = 40
# Rows of a table whose first is not bold, and how much of its columns is filled.
_FEW_ROWS = 3
_FILLED = 0.55
# Columns of longer lines than that are columns of text.
_PROSE = 32


@dataclass(slots=True)
class _Row:
    """Lines at one height."""

    cells: list[Cell]
    lines: list[Line]
    base: float
    size: float


@dataclass(slots=True)
class _Column:
    """A part of the page, and the numbers of the rows that have a cell there."""

    left: float
    right: float
    rows: set[int]


class _Region:
    """Rows that may be a table; columns are the parts of the page that their cells take."""

    def __init__(self, row: _Row) -> None:
        self.rows = [row]
        self.columns = [_Column(cell.left, cell.right, {0}) for cell in row.cells]

    def takes(self, row: _Row) -> bool:
        """Add a row that fits the columns; False if it does not."""
        above = self.rows[-1]
        if not 0.5 * row.size < above.base - row.base < 2.8 * max(row.size, above.size):
            return False
        if not 0.75 * above.size <= row.size <= 1.34 * above.size:
            return False
        places = [[column for column in self.columns if cell.left < column.right and column.left < cell.right]
                  for cell in row.cells]  # fmt: skip
        if not all(places) and len(row.cells) == 1:
            return False
        met = [id(column) for over in places for column in over]
        # A cell may join what were two columns so far, as a number below a centred name does; not where a row has both.
        if len(set(met)) < len(met) or any(len(over) > 1 and not _apart(over, row) for over in places):
            return False
        sides = [(column.left, column.right) for column in self.columns if id(column) not in met]
        for cell, over in zip(row.cells, places, strict=True):
            sides.append(
                (min([cell.left, *(each.left for each in over)]), max([cell.right, *(each.right for each in over)]))
            )
        if len(sides) > _MOST_COLUMNS or _touch(sides, 0.25 * row.size):
            return False
        self._add(row, places)
        return True

    def _add(self, row: _Row, places: list[list[_Column]]) -> None:
        number = len(self.rows)
        self.rows.append(row)
        for cell, over in zip(row.cells, places, strict=True):
            column = over[0] if over else _Column(cell.left, cell.right, set())
            if not over:
                self.columns.append(column)
            for other in over[1:]:
                column.left, column.right = min(column.left, other.left), max(column.right, other.right)
                column.rows |= other.rows
                self.columns.remove(other)
            column.left, column.right = min(column.left, cell.left), max(column.right, cell.right)
            column.rows.add(number)

    def table(self, *, goes_on: bool) -> list[list[str]] | None:
        """Give the cells, or None where this is no table, nor the end of one."""
        while self.rows and len(self.rows[-1].cells) < 2 and not self._goes_on(self.rows[-1]):
            self.rows.pop()
        self.columns.sort(key=lambda column: column.left)
        rows = [self._filled(row) for row in self.rows]
        headed = len(self.rows) > 1 and all(line.bold for line in self.rows[0].lines)
        headed = headed and not any(line.bold for line in self.rows[1].lines)
        least = 1 if goes_on else 2 if headed else _FEW_ROWS
        if not _is_table(rows, sum(len(row.cells) > 1 for row in self.rows), least):
            return None
        return _with_header(self._joined(rows), bold=headed)

    def _goes_on(self, row: _Row) -> bool:
        return row.cells[0].left > min(column.right for column in self.columns) and len(self.rows) > 1

    def _filled(self, row: _Row) -> list[str]:
        return [
            next((cell.text for cell in row.cells if cell.left < column.right and column.left < cell.right), "")
            for column in self.columns
        ]

    def _joined(self, rows: list[list[str]]) -> list[list[str]]:
        """Join the lines of one cell: a row without a first cell, nearer to the one above than rows are."""
        downs = [above.base - row.base for above, row in zip(self.rows, self.rows[1:], strict=False)]
        full = [down for down, row in zip(downs, rows[1:], strict=True) if row[0]]
        usual = median(full) if full else 0.0
        joined = [rows[0]]
        for down, row in zip(downs, rows[1:], strict=True):
            filled = sum(map(bool, row))
            if not row[0] and (filled == 1 or down < 0.9 * usual) and filled < len(row):
                joined[-1] = [f"{above} {said}".strip() for above, said in zip(joined[-1], row, strict=True)]
            else:
                joined.append(row)
        return joined


def with_tables(lines: Sequence[Line], *, code: bool, before: int = 0) -> list[Line]:
    """Put a table in the place of the lines that are one; lines of code are left alone.

    Args:
        lines: of a page.
        code: whether lines in letters of one width are code.
        before: columns of the table that the page before ends in, which may go on here in a row or two.
    """
    if sum(bool(line.cells) for line in lines) < (1 if before else 2):
        return list(lines)
    found: list[Line] = []
    region: _Region | None = None
    for row in [*_rows(lines, code=code), None]:
        if region is not None and row is not None and row.cells and region.takes(row):
            continue
        if region is not None:
            found += _finished(region, goes_on=not found and len(region.columns) == before)
            region = None
        if row is None:
            break
        if len(row.cells) > 1:
            region = _Region(row)
        else:
            found += row.lines
    return found


def _rows(lines: Sequence[Line], *, code: bool) -> list[_Row]:
    """Join lines at one height that follow one another; a row without cells divides tables."""
    rows: list[_Row] = []
    for line in lines:
        if line.table is not None or line.level or not line.upright or (code and line.mono) or line.size <= 0:
            rows.append(_Row([], [line], line.base, line.size))
            continue
        cells = line.cells or [Cell(line.text, line.left, line.right)]
        if len(cells) > _MOST_COLUMNS:
            cells = []
        last = rows[-1] if rows else None
        if (
            last is not None and cells and last.cells and abs(last.base - line.base) < 0.3 * line.size
            and cells[0].left - last.cells[-1].right > 0.5 * line.size
        ):  # fmt: skip
            last.cells += cells
            last.lines.append(line)
        else:
            rows.append(_Row(list(cells), [line], line.base, line.size))
    return rows


def _apart(columns: list[_Column], row: _Row) -> bool:
    """Whether no row has a cell in two of the columns."""
    together: set[int] = set()
    for column in columns:
        if len(row.cells) == 1 or together & column.rows:
            return False
        together |= column.rows
    return True


def _touch(columns: list[tuple[float, float]], apart: float) -> bool:
    ordered = sorted(columns)
    return any(after[0] - before[1] < apart for before, after in pairwise(ordered))


def _is_table(rows: list[list[str]], divided: int, least: int) -> bool:
    """Whether rows fill their columns, and are no list, no table of contents and no columns of text."""
    if not rows:
        return False
    columns = len(rows[0])
    if divided < least or divided < 0.6 * len(rows):
        return False
    if sum(bool(text) for row in rows for text in row) < _FILLED * columns * len(rows):
        return False
    if columns > 2 and least > 1 and any(sum(bool(row[at]) for row in rows) < 2 for at in range(columns)):
        return False
    if any(_LEADERS.search(text) for row in rows for text in row) or _is_list(rows) or _is_contents(rows):
        return False
    return sum(_is_long(rows, at, _PROSE) for at in range(columns)) < 2


def _is_list(rows: list[list[str]]) -> bool:
    """Whether the first column only counts or marks: items, lines of a program, equations."""
    first, last = [row[0] for row in rows if row[0]], [row[-1] for row in rows if row[-1]]
    if len(set(first)) == 1 < len(first) and len(first[0]) <= 2:
        return True
    if all(map(_EQUATION.fullmatch, last)):
        return True
    if _counts(first) and (len(rows[0]) == 2 or not all(map(str.isdigit, first))):
        return True
    return len(rows[0]) == 2 and all(map(_MARKER.fullmatch, first)) and _is_long(rows, 1, 8)


def _counts(texts: list[str]) -> bool:
    """Whether texts begin with numbers, each one more than that before it, as lines of a program do."""
    numbers = [int(match[0]) for text in texts if (match := _COUNT.match(text))]
    return len(numbers) == len(texts) > 1 and all(after - before == 1 for before, after in pairwise(numbers))


def _is_contents(rows: list[list[str]]) -> bool:
    """Whether the last column has numbers of pages, from the first row on."""
    last = [row[-1] for row in rows if row[-1]]
    if len(rows[0]) > 3 or 2 * len(last) < len(rows) or not all(map(_PAGE.fullmatch, last)):
        return False
    numbers = [int(page) for page in last if page.isdigit()]
    counted = all(_NUMBERED.match(row[0]) for row in rows)
    return numbers == sorted(numbers) and (len(set(numbers)) > 1 or counted)


def _with_header(rows: list[list[str]], *, bold: bool) -> list[list[str]]:
    """Put an empty header above rows whose first is none: a pair of columns often has only pairs."""
    if (
        bold
        or len(rows[0]) > 2
        or any(
            not _DIGIT.search(rows[0][at]) and all(_DIGIT.search(row[at]) for row in rows[1:])
            for at in range(len(rows[0]))
        )
    ):
        return rows
    return [[""] * len(rows[0]), *rows]


def _is_long(rows: list[list[str]], column: int, letters: int) -> bool:
    lengths = [len(row[column]) for row in rows if row[column]]
    return bool(lengths) and median(lengths) > letters


def _finished(region: _Region, *, goes_on: bool) -> list[Line]:
    every = [line for row in region.rows for line in row.lines]
    table = region.table(goes_on=goes_on)
    if table is None:
        return every
    within = [line for row in region.rows for line in row.lines]
    first = within[0]
    first.table, first.cells = table, []
    first.left, first.right = min(line.left for line in within), max(line.right for line in within)
    first.bottom, first.base = min(line.bottom for line in within), min(line.base for line in within)
    first.broken = False
    return [first, *every[len(within) :]]
