"""Lines of a tagged page: its headings, and its tables as tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pypdfium2.raw as pdfium

from relance.parsers.pdf.lines import Line
from relance.parsers.pdf.tags import read_tags

if TYPE_CHECKING:
    from pypdfium2 import PdfPage, PdfTextPage

    from relance.parsers.pdf.tags import Spot

__all__ = ["apply_tags"]

_WORD = re.compile(r"\S+")
# A table needs as many rows and columns; layout tables have fewer, or cells as long as pages.
_LEAST = 2
_LONGEST_CELL = 1500


def apply_tags(page: PdfPage, layer: PdfTextPage, lines: list[Line]) -> list[Line]:
    """Set the levels of tagged headings; put a table in the place of the first line of each."""
    tags = read_tags(page)
    for line in lines:
        line.level = tags.headings.get(line.mark, 0)
    if not tags.spots:
        return lines
    words = [_words(layer, line) if line.cells or line.mark in tags.spots else [] for line in lines]
    tables = _tables([each for some in words for each in some], tags.spots)
    kept: list[Line] = []
    placed: set[int] = set()
    for line, some in zip(lines, words, strict=True):
        within = {tags.spots[mark].table for _, mark in some if mark in tags.spots}
        table = next((number for number in within if number in tables), None)
        if table is None:
            kept.append(line)
        elif table not in placed:
            placed.add(table)
            line.table, line.cells = tables[table], []
            kept.append(line)
        else:
            start = next(each for each in kept if each.table is tables[table])
            start.left, start.right = min(start.left, line.left), max(start.right, line.right)
            start.bottom, start.top = min(start.bottom, line.bottom), max(start.top, line.top)
            start.base = min(start.base, line.base)
    return kept


def _words(layer: PdfTextPage, line: Line) -> list[tuple[str, int]]:
    """List the words of a line with the number of the marked content each is in."""
    found = []
    text, at = line.text, line.at
    for match in _WORD.finditer(text):
        thing = pdfium.FPDFText_GetTextObject(layer, at + match.start())
        found.append((match[0], pdfium.FPDFPageObj_GetMarkedContentID(thing) if thing else -1))
    return found


def _tables(words: list[tuple[str, int]], spots: dict[int, Spot]) -> dict[int, list[list[str]]]:
    cells: dict[int, dict[Spot, list[str]]] = {}
    for word, mark in words:
        if mark in spots:
            cells.setdefault(spots[mark].table, {}).setdefault(spots[mark], []).append(word)
    shapes: dict[int, tuple[int, int]] = {}
    for spot in spots.values():
        rows, columns = shapes.get(spot.table, (0, 0))
        shapes[spot.table] = max(rows, spot.row + spot.rows), max(columns, spot.column + spot.columns)
    found = {}
    for table, filled in cells.items():
        rows, columns = shapes[table]
        if rows < _LEAST or columns < _LEAST or rows * columns > 100_000:
            continue
        grid = [[""] * columns for _ in range(rows)]
        for spot, said in filled.items():
            text = " ".join(said)
            for down in range(spot.rows):
                for over in range(spot.columns):
                    grid[spot.row + down][spot.column + over] = text
        grid = [row for row in grid if any(row)]
        if len(grid) >= _LEAST and max(len(text) for row in grid for text in row) <= _LONGEST_CELL:
            found[table] = grid
    return found
