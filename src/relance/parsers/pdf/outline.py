"""The outline of a PDF: its bookmarks."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, NamedTuple

import pypdfium2.raw as pdfium

from relance.parsers.decoding import clean

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

__all__ = ["Bookmark", "read_outline"]

_MOST_BOOKMARKS = 20_000
_DEEPEST = 6
_LONGEST = 200


class Bookmark(NamedTuple):
    """An entry of the outline: page number, height on it (the top where it is not said), depth from 1."""

    title: str
    page: int
    height: float
    level: int


def read_outline(document: PdfDocument) -> list[Bookmark]:
    """Read the bookmarks that lead to a page, in their order; circles and depths are cut."""
    found: list[Bookmark] = []
    seen: set[int] = set()
    waiting = [(pdfium.FPDFBookmark_GetFirstChild(document, None), 1)]
    while waiting and len(seen) < _MOST_BOOKMARKS:
        mark, level = waiting.pop()
        if not mark:
            continue
        address = ctypes.addressof(mark.contents)
        if address in seen:
            continue
        seen.add(address)
        waiting.append((pdfium.FPDFBookmark_GetNextSibling(document, mark), level))
        waiting.append((pdfium.FPDFBookmark_GetFirstChild(document, mark), level + 1))
        title = _title(mark)
        target = pdfium.FPDFBookmark_GetDest(document, mark)
        if not target and (action := pdfium.FPDFBookmark_GetAction(mark)):
            target = pdfium.FPDFAction_GetDest(document, action)
        if title and target and (page := pdfium.FPDFDest_GetDestPageIndex(document, target)) >= 0:
            found.append(Bookmark(title, page, _height(target), min(level, _DEEPEST)))
    return found


def _title(mark: object) -> str:
    size = min(pdfium.FPDFBookmark_GetTitle(mark, None, 0), 2_000)
    buffer = ctypes.create_string_buffer(size + 2)
    pdfium.FPDFBookmark_GetTitle(mark, buffer, size)
    said = buffer.raw[:size].decode("utf-16-le", "replace").partition("\0")[0]
    return " ".join(clean(said).split())[:_LONGEST]


def _height(target: object) -> float:
    has = [ctypes.c_int() for _ in range(3)]
    at = [ctypes.c_float() for _ in range(3)]
    found = pdfium.FPDFDest_GetLocationInPage(target, *has, *at)
    return at[1].value if found and has[1].value else float("inf")
