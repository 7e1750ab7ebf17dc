"""What is on a page beside its text: values of form fields, notes, addresses of links."""

from __future__ import annotations

import ctypes
import re
from itertools import islice
from typing import TYPE_CHECKING

import pypdfium2.raw as pdfium

from relance.parsers.decoding import clean
from relance.parsers.pdf.lines import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pypdfium2 import PdfDocument, PdfPage, PdfTextPage

__all__ = ["Form", "add_links", "add_values"]

_MOST_ANNOTATIONS = 2_000
_MOST_LINKS = 500
_MOST_LINES = 2_000
_LONGEST = 20_000
_HIDDEN = 1 << 1 | 1 << 5  # hidden, no view
_PASSWORD = 1 << 13
_OUTWARD = re.compile(r"(?i)(?:https?|ftp)://|mailto:")
_VALUES = {pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX}
_TICKS = {pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON}


class Form:
    """The form of a document, open as long as its pages are read."""

    def __init__(self, document: PdfDocument) -> None:
        document.init_forms()
        self.raw = document.formenv


def add_values(page: PdfPage, form: Form | None, lines: list[Line]) -> bool:
    """Write what is filled in behind the text at its left, and notes on lines of their own; False if not all."""
    count = pdfium.FPDFPage_GetAnnotCount(page)
    for number in range(min(count, _MOST_ANNOTATIONS)):
        note = pdfium.FPDFPage_GetAnnot(page, number)
        if not note:
            continue
        try:
            if pdfium.FPDFAnnot_GetFlags(note) & _HIDDEN:
                continue
            kind = pdfium.FPDFAnnot_GetSubtype(note)
            box = pdfium.FS_RECTF()
            if not pdfium.FPDFAnnot_GetRect(note, box):
                continue
            if kind == pdfium.FPDF_ANNOT_WIDGET and form is not None:
                _add_field(form, note, box, lines)
            elif kind in {pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_TEXT}:
                said = _contents(note)
                if said:
                    _place(said if kind == pdfium.FPDF_ANNOT_FREETEXT else f"[Note: {said}]", box, lines)
        finally:
            pdfium.FPDFPage_CloseAnnot(note)
    return count <= _MOST_ANNOTATIONS


def _contents(note: object) -> str:
    return _text(lambda buffer, size: pdfium.FPDFAnnot_GetStringValue(note, b"Contents", buffer, size))


def _add_field(form: Form, note: object, box: pdfium.FS_RECTF, lines: list[Line]) -> None:
    kind = pdfium.FPDFAnnot_GetFormFieldType(form.raw, note)
    if kind in _TICKS:
        mark = "[x]" if pdfium.FPDFAnnot_IsChecked(form.raw, note) else "[ ]"
        _place(mark, box, lines, name=_name(form, note), before=True)
    elif kind in _VALUES:
        if kind == pdfium.FPDF_FORMFIELD_TEXTFIELD and pdfium.FPDFAnnot_GetFormFieldFlags(form.raw, note) & _PASSWORD:
            return
        value = _chosen(form, note) or _text(
            lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldValue(form.raw, note, buffer, size)
        )
        if value:
            _place(value, box, lines, name=_name(form, note))


def _name(form: Form, note: object) -> str:
    """Name a field as its tooltip does, else by the last part of `form[0].page[0].town[0]`."""
    said = _text(lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldAlternateName(form.raw, note, buffer, size))
    name = _text(lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldName(form.raw, note, buffer, size))
    return said or name.rpartition(".")[2].partition("[")[0]


def _chosen(form: Form, note: object) -> str:
    """Name what is chosen of a list, as it is shown."""
    count = min(pdfium.FPDFAnnot_GetOptionCount(form.raw, note), 1000)
    chosen = [at for at in range(count) if pdfium.FPDFAnnot_IsOptionSelected(form.raw, note, at)]
    return ", ".join(
        _text(lambda buffer, size, at=at: pdfium.FPDFAnnot_GetOptionLabel(form.raw, note, at, buffer, size))
        for at in chosen[:100]
    )


def _place(said: str, box: pdfium.FS_RECTF, lines: list[Line], name: str = "", *, before: bool = False) -> None:
    """Put what is said beside the line it stands next to, else on a line of its own with its name."""
    middle = (box.top + box.bottom) / 2
    beside = [
        line
        for line in lines[:_MOST_LINES]
        if line.upright and line.table is None and line.bottom - 3 <= middle <= line.top + 3
    ]
    left = [line for line in beside if line.right <= box.left + 5]
    right = [line for line in beside if line.left >= box.right - 5]
    if before and right:
        nearest = min(right, key=lambda line: line.left)
        nearest.text, nearest.cells = f"{said} {nearest.text}", []
    elif left:
        nearest = max(left, key=lambda line: line.right)
        nearest.text, nearest.cells, nearest.right = f"{nearest.text} {said}", [], box.right
    else:
        height = min(max(box.top - box.bottom, 1), 12)
        line = Line(f"{name}: {said}" if name else said, -1, 0, box.left, box.bottom, box.right, box.top,
                    box.bottom, height)  # fmt: skip
        at = next((at for at, each in enumerate(lines) if each.upright and each.base < middle), len(lines))
        lines.insert(at, line)


def add_links(document: PdfDocument, page: PdfPage, layer: PdfTextPage, lines: list[Line]) -> bool:
    """Write the address of a link behind its text where that does not show it, each once a page; False if not all."""
    shown: set[str] = set()
    links = list(islice(_links(document, page), _MOST_LINKS + 1))
    if links and len(lines) > _MOST_LINES:
        return False
    for address, box in links[:_MOST_LINKS]:
        if address in shown:
            continue
        shown.add(address)
        bare = re.sub(r"(?i)^(?:https?://(?:www\.)?|mailto:)", "", address).rstrip("/")
        middle = (box.top + box.bottom) / 2
        line = next((each for each in lines if each.upright and each.bottom - 1 <= middle <= each.top + 1
                     and each.left - 2 <= (box.left + box.right) / 2 <= each.right + 2), None)  # fmt: skip
        if line is None or line.table is not None:
            continue
        said = clean(layer.get_text_bounded(box.left - 0.5, box.bottom, box.right + 0.5, box.top)).strip()
        if not said or bare[:20].casefold() in line.text.casefold():
            continue
        at = line.text.find(said)
        end = at + len(said) if at >= 0 else len(line.text)
        line.text = f"{line.text[:end]} ({address}){line.text[end:]}"
        line.cells = []
    return len(links) <= _MOST_LINKS


def _links(document: PdfDocument, page: PdfPage) -> Iterator[tuple[str, pdfium.FS_RECTF]]:
    place, link = ctypes.c_int(0), pdfium.FPDF_LINK()
    while pdfium.FPDFLink_Enumerate(page, place, link):
        action = pdfium.FPDFLink_GetAction(link)
        if not action or pdfium.FPDFAction_GetType(action) != pdfium.PDFACTION_URI:
            continue
        size = pdfium.FPDFAction_GetURIPath(document, action, None, 0)
        if not 1 < size < 500:
            continue
        buffer = ctypes.create_string_buffer(size)
        pdfium.FPDFAction_GetURIPath(document, action, buffer, size)
        address = "".join(clean(buffer.value.decode("utf-8", "replace")).split())
        box = pdfium.FS_RECTF()
        if _OUTWARD.match(address) and pdfium.FPDFLink_GetAnnotRect(link, box):
            yield address, box


def _text(ask: Callable[[object, int], int]) -> str:
    size = min(ask(None, 0), _LONGEST)
    if size <= 2:
        return ""
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    ask(buffer, size)
    said = bytes(buffer)[:size].decode("utf-16-le", "replace").partition("\0")[0]
    return " ".join(clean(said).split())
