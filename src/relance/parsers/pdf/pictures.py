"""Whether pictures cover a page."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import pypdfium2.raw as pdfium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypdfium2 import PdfPage

__all__ = ["is_covered"]

# Scanners cut a page into strips; some pages have a margin.
_COVERED = 0.5
_MOST_OBJECTS = 10_000
_DEEPEST = 4


def is_covered(page: PdfPage, area: float) -> bool:
    """Whether pictures take half of a page or more."""
    covered = 0.0
    for thing in _objects(page.raw):
        if pdfium.FPDFPageObj_GetType(thing) == pdfium.FPDF_PAGEOBJ_IMAGE:
            left, bottom, right, top = (ctypes.c_float() for _ in range(4))
            if pdfium.FPDFPageObj_GetBounds(thing, left, bottom, right, top):
                covered += abs((right.value - left.value) * (top.value - bottom.value))
    return covered >= _COVERED * area > 0


def _objects(page: object) -> Iterator[object]:
    """Walk the objects of a page and of the forms it draws."""
    left = _MOST_OBJECTS
    counted = pdfium.FPDFPage_CountObjects(page)
    waiting = [(pdfium.FPDFPage_GetObject(page, at), 0) for at in range(min(counted, left))]
    while waiting and left > 0:
        left -= 1
        thing, depth = waiting.pop()
        if thing and depth < _DEEPEST and pdfium.FPDFPageObj_GetType(thing) == pdfium.FPDF_PAGEOBJ_FORM:
            inner = min(pdfium.FPDFFormObj_CountObjects(thing), left)
            waiting += [(pdfium.FPDFFormObj_GetObject(thing, at), depth + 1) for at in range(max(inner, 0))]
        elif thing:
            yield thing
