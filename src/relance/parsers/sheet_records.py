"""Records of the sheets of workbooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from relance.errors import DocumentError
from relance.parsers.media_types import ODS
from relance.parsers.open_spreadsheet import OpenSpreadsheet
from relance.parsers.records import Records, Table, require
from relance.parsers.rows import gather
from relance.parsers.workbook import Cells, Sheet, Workbook, open_sheets

__all__ = ["sheet_records"]

# Rows among which the one with the names of the columns is looked for: titles and notes stand above it.
_HEAD = 20


def sheet_records(table: Table, media_type: str) -> Iterator[Records]:
    """Stream the rows of the sheet that is asked for, or of all that are visible."""
    name = table.spec.sheet
    with open_sheets(table.stream, table.uri) as archive:
        book = (OpenSpreadsheet if media_type == ODS else Workbook)(archive, table.uri)

        def wanted(sheet: Sheet) -> bool:
            return sheet.name == name if name else not sheet.hidden

        for sheet, found in groupby(book.rows(wanted), lambda each: each[0]):
            try:
                yield from _records(table, ((number, cells) for _, number, cells in found), "" if name else sheet.name)
            except _NoHeaderError as error:
                # Another sheet may have the columns; where none has them, each of them says so.
                yield Records([], {}, lambda _: (), problems={1: error.reason}, sheet=sheet.name)
        if name and name not in [sheet.name for sheet in book.sheets]:
            listed = ", ".join(sheet.name for sheet in book.sheets[:20]) or "none"
            raise DocumentError(table.uri, f"no sheet {name!r} in it; it has: {listed}")


class _NoHeaderError(Exception):
    """A sheet without the columns that are wanted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _records(table: Table, rows: Iterator[tuple[int, Cells]], sheet: str) -> Iterator[Records]:
    header = _header(table, rows, sheet)
    places = {name: at for at, name in header.items() if name in table.wanted}
    names = list(header.values())

    def wanted() -> Iterator[tuple[int, dict[int, Any]]]:
        for number, cells in rows:
            if found := _some(cells, places.values()):  # what only has notes beside the table is no row of it
                yield number, found

    for block in gather(wanted(), lambda found: sum(len(str(value)) for value in found[1].values())):
        columns = {name: [cells.get(at) for _, cells in block] for name, at in places.items()}
        yield Records([number for number, _ in block], columns, lambda _: names, sheet=sheet)


def _header(table: Table, rows: Iterator[tuple[int, Cells]], sheet: str) -> dict[int, str]:
    """Find the row with the names of the columns; returns them by place."""
    looked = 0
    first: dict[int, str] = {}
    for number, cells in rows:
        if number < table.spec.header:
            continue
        names = {at: str(value).strip() for start, end, value in cells for at in range(start, end)}
        first = first or names
        if set(table.declared) <= set(names.values()):
            _once(table, names)
            return names
        looked += 1
        if table.spec.header or looked >= _HEAD:
            break
    try:
        require(table.uri, table.declared, list(first.values()))
    except DocumentError as error:
        if not sheet:
            raise
        raise _NoHeaderError(f"{error.reason}; if this sheet has no rows, set `sheet` below `rows`") from None
    raise DocumentError(table.uri, "no header in it")


def _once(table: Table, names: dict[int, str]) -> None:
    found = list(names.values())
    for column in table.wanted:
        if found.count(column) > 1:
            raise DocumentError(table.uri, f"its header has {column!r} twice; rename one of the two")


def _some(cells: Cells, places: Iterable[int]) -> dict[int, Any]:
    """Pick the cells that are wanted: one may stand for thousands of equal ones beside it."""
    if all(end - start == 1 for start, end, _ in cells):
        found = {start: value for start, _, value in cells}
        return {at: found[at] for at in places if at in found}
    return {at: value for start, end, value in cells for at in places if start <= at < end}
