"""What a tagged PDF says of its pages: which text is a heading, which a cell of a table.

Word, Chromium and LibreOffice write such tags. PDFium gives them a page at a time.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import pypdfium2.raw as pdfium

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

__all__ = ["Spot", "Tags", "read_tags"]

_HEADING = re.compile(r"H([1-6])?|Title")
# A page of a real document has some hundred elements; a tree may be a circle.
_MOST_ELEMENTS = 20_000
_DEEPEST = 60


class Spot(NamedTuple):
    """A cell: number of its table on the page, row, column, and how many of either it covers."""

    table: int
    row: int
    column: int
    rows: int = 1
    columns: int = 1


@dataclass(slots=True)
class Tags:
    """By number of marked content: levels of headings and cells of tables."""

    headings: dict[int, int] = field(default_factory=dict)
    spots: dict[int, Spot] = field(default_factory=dict)


def read_tags(page: PdfPage) -> Tags:
    """Read the tags of a page; empty where it has none."""
    tags = Tags()
    tree = pdfium.FPDF_StructTree_GetForPage(page)
    if not tree:
        return tags
    try:
        _Walk(tags).whole(tree)
    finally:
        pdfium.FPDF_StructTree_Close(tree)
    return tags


class _Walk:
    def __init__(self, tags: Tags) -> None:
        self._tags = tags
        self._left = _MOST_ELEMENTS
        self._tables = 0

    def whole(self, tree: object) -> None:
        for number in range(min(pdfium.FPDF_StructTree_CountChildren(tree), _MOST_ELEMENTS)):
            self._element(pdfium.FPDF_StructTree_GetChildAtIndex(tree, number), 0, 0, None)

    def _element(self, element: object, depth: int, level: int, spot: Spot | None) -> None:
        self._left -= 1
        if not element or depth > _DEEPEST or self._left < 0:
            return
        kind = _type(element)
        if spot is None and kind == "Table":
            self._table(element, depth)
            return
        if match := _HEADING.fullmatch(kind):
            level = int(match[1] or 1)
        for number in range(min(pdfium.FPDF_StructElement_CountChildren(element), _MOST_ELEMENTS)):
            mark = pdfium.FPDF_StructElement_GetChildMarkedContentID(element, number)
            if mark >= 0:
                if spot is not None:
                    self._tags.spots[mark] = spot
                elif level:
                    self._tags.headings[mark] = level
            else:
                self._element(pdfium.FPDF_StructElement_GetChildAtIndex(element, number), depth + 1, level, spot)

    def _table(self, element: object, depth: int) -> None:
        taken: set[tuple[int, int]] = set()  # places that a cell above or to the left covers
        for row, cells in enumerate(self._rows(element, depth)):
            column = 0
            for cell in cells:
                while (row, column) in taken:
                    column += 1
                rows, columns = _span(cell, b"RowSpan"), _span(cell, b"ColSpan")
                taken.update((row + down, column + over) for down in range(rows) for over in range(columns))
                self._element(cell, depth + 3, 0, Spot(self._tables, row, column, rows, columns))
        self._tables += 1

    def _rows(self, element: object, depth: int) -> list[list[object]]:
        rows: list[list[object]] = []
        for number in range(min(pdfium.FPDF_StructElement_CountChildren(element), _MOST_ELEMENTS)):
            child = pdfium.FPDF_StructElement_GetChildAtIndex(element, number)
            self._left -= 1
            if not child or self._left < 0:
                continue
            kind = _type(child)
            if kind == "TR":
                count = min(pdfium.FPDF_StructElement_CountChildren(child), 1000)
                cells = [pdfium.FPDF_StructElement_GetChildAtIndex(child, at) for at in range(count)]
                rows.append([cell for cell in cells if cell and _type(cell) in {"TD", "TH"}])
            elif kind in {"THead", "TBody", "TFoot"} and depth < _DEEPEST:
                rows += self._rows(child, depth + 1)
        return rows


def _type(element: object) -> str:
    buffer = ctypes.create_string_buffer(64)
    size = pdfium.FPDF_StructElement_GetType(element, buffer, 64)
    return buffer.raw[: max(min(size, 64) - 2, 0)].decode("utf-16-le", "replace")


def _span(cell: object, name: bytes) -> int:
    for number in range(min(pdfium.FPDF_StructElement_GetAttributeCount(cell), 8)):
        attributes = pdfium.FPDF_StructElement_GetAttributeAtIndex(cell, number)
        value = pdfium.FPDF_StructElement_Attr_GetValue(attributes, name) if attributes else None
        found = ctypes.c_float()
        if value and pdfium.FPDF_StructElement_Attr_GetNumberValue(value, found):
            return int(min(max(found.value, 1), 100))
    return 1
