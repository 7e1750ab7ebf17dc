"""Reads a page: everything that is asked of PDFium is asked from here, under its lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypdfium2 import PdfiumError

from relance.parsers.pdf.annotations import Form, add_links, add_values
from relance.parsers.pdf.furniture import is_page_number
from relance.parsers.pdf.lines import Page, read_lines
from relance.parsers.pdf.pictures import is_covered
from relance.parsers.pdf.tagged import apply_tags

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

    from relance.parsers.pdf.lines import Fonts

__all__ = ["read_page"]

# A page-wide picture with fewer letters than this beside it is a scan with a stamp or a number.
_HARDLY_ANY = 25


def read_page(document: PdfDocument, number: int, *, fonts: Fonts, form: Form | None, tagged: bool) -> Page:
    """Read a page; whoever calls holds the lock."""
    try:
        page = document[number]
    except PdfiumError:
        return Page(0, 0, damaged=True)
    try:
        width, height = page.get_size()
        read = Page(width, height)
        try:
            layer = page.get_textpage()
        except PdfiumError:
            read.damaged = True
            return read
        try:
            read.lines = read_lines(layer, fonts, tagged=tagged)
            if tagged and read.lines:
                read.lines = apply_tags(page, layer, read.lines)
            all_links = add_links(document, page, layer, read.lines)
            all_values = add_values(page, form, read.lines)
            read.crowded = not (all_links and all_values)
        finally:
            layer.close()
        if sum(len(line.text.replace(" ", "")) for line in read.lines) < _HARDLY_ANY:
            read.scanned = is_covered(page, width * height)
            if read.scanned:
                read.lines = [line for line in read.lines if not is_page_number(line.text)]
    finally:
        page.close()
    return read
