"""OpenDocument spreadsheets as a stream of rows with the cells they really have."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from relance.errors import DocumentError
from relance.parsers.records import NoValue
from relance.parsers.workbook import LAST_COLUMN, LAST_ROW, Cells, Sheet, damage

__all__ = ["OpenSpreadsheet"]

_NAMESPACE = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_OFFICE, _TABLE, _TEXT, _STYLE = (_NAMESPACE % name for name in ("office", "table", "text", "style"))
_SHEET, _ROW, _FORM = f"{_TABLE}table", f"{_TABLE}table-row", f"{_STYLE}style"
_CELLS = (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell")
_DURATION = re.compile(r"(-?)P(?:(\d{1,9})D)?T?(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:([\d.]{1,20})S)?")


class OpenSpreadsheet:
    """An open spreadsheet. Values have the types the file says; `sheets` is known when all rows have been read."""

    def __init__(self, archive: zipfile.ZipFile, uri: str) -> None:
        self._archive, self._uri = archive, uri
        self.sheets: list[Sheet] = []

    def rows(self, wanted: Callable[[Sheet], bool]) -> Iterator[tuple[Sheet, int, Cells]]:
        """Stream the rows that have cells, sheet by sheet, with their numbers from 1; a repeated one comes as often."""
        from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

        hidden: set[str] = set()
        number, take = 0, False
        with damage(self._uri, "content.xml"), self._archive.open("content.xml") as stream:
            tags = (_SHEET, _ROW, _FORM)
            parser = etree.iterparse(
                stream, events=("start", "end"), tag=tags, resolve_entities=False, no_network=True
            )  # fmt: skip
            for event, element in parser:
                if element.tag == _SHEET and event == "start":
                    sheet = Sheet(element.get(f"{_TABLE}name", ""), element.get(f"{_TABLE}style-name") in hidden)
                    self.sheets.append(sheet)
                    number, take = 0, wanted(sheet)
                if event == "start":
                    continue
                if element.tag == _FORM and any(each.get(f"{_TABLE}display") == "false" for each in element):
                    hidden.add(element.get(f"{_STYLE}name"))
                if element.tag == _ROW and self.sheets:
                    times = _count(element, "rows")
                    cells = self._cells(element) if take else []
                    if cells and number + times > LAST_ROW:
                        raise DocumentError(self._uri, "damaged: it has more rows than a sheet can have")
                    yield from ((self.sheets[-1], number + each, cells) for each in range(1, times + 1) if cells)
                    number += times
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]

    def _cells(self, row: Any) -> Cells:
        cells, column = [], 0
        for cell in row.iterchildren(*_CELLS):
            end = min(column + _count(cell, "columns"), LAST_COLUMN)
            if (value := _value(cell)) is not None:
                cells.append((column, end, value))
            column = end
        return cells


def _count(element: Any, what: str) -> int:
    written = element.get(f"{_TABLE}number-{what}-repeated", "1")
    return min(int(written), 10 * LAST_ROW) if written.isdecimal() and len(written) < 10 else 1


def _value(cell: Any) -> Any:
    """Read a cell; what it shows as text counts where it says nothing of a type."""
    kind = cell.get(f"{_OFFICE}value-type", "")
    written = cell.get(f"{_OFFICE}value") or cell.get(f"{_OFFICE}{kind}-value") or ""
    try:
        match kind:
            case "float" | "currency" | "percentage":
                return int(written) if written.lstrip("-").isdecimal() else float(written)
            case "boolean":
                return written == "true"
            case "date":
                return datetime.fromisoformat(written) if "T" in written else date.fromisoformat(written)
            case "time":
                return _time(written)
    except (ValueError, OverflowError):
        return NoValue(f"holds {written[:40]!r}, which is no {kind}")
    paragraphs = ["".join(_shown(each)) for each in cell.iterchildren(f"{_TEXT}p")]
    return cell.get(f"{_OFFICE}string-value") or "\n".join(paragraphs) or None


def _shown(paragraph: Any) -> Iterator[str]:
    """Stream the text of a paragraph; blanks, tabs and line breaks are elements, comments are not shown."""
    from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

    for event, node in etree.iterwalk(paragraph, events=("start", "end")):
        if event == "start":
            if node.tag == f"{_TEXT}s":
                count = node.get(f"{_TEXT}c", "1")
                yield " " * (min(int(count), 1000) if count.isdecimal() and len(count) < 6 else 1)
            elif node.tag in {f"{_TEXT}tab", f"{_TEXT}line-break"}:
                yield "\t" if node.tag.endswith("tab") else "\n"
            yield node.text or ""
        elif node is not paragraph:
            yield node.tail or ""


def _time(written: str) -> time | timedelta:
    found = _DURATION.fullmatch(written)
    if found is None:
        raise ValueError(written)
    days, hours, minutes = (int(each or 0) for each in found.groups()[1:4])
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=float(found[5] or 0))
    if found[1] or length >= timedelta(days=1):
        return -length if found[1] else length
    return (datetime.min + length).time()  # noqa: DTZ901  # only its time is taken
