"""Records of CSV and TSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from relance.errors import DocumentError
from relance.parsers.decoding import ESCAPED
from relance.parsers.records import SAMPLE, Records, Table, is_damaged, open_text, require, spoken
from relance.parsers.rows import gather

__all__ = ["csv_records"]

_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def csv_records(table: Table, delimiter: str = "") -> Iterator[Records]:
    """Stream the rows below the header; the delimiter, where none is given, is the one that gives the columns."""
    # The limit is the process's, not the reader's; without one, a quote that is never closed takes all memory.
    csv.field_size_limit(max(csv.field_size_limit(), int(table.max_row)))  # it refuses subclasses of int
    head = open_text(table, newline="").read(SAMPLE)
    above = max(0, table.spec.header - 1)
    sample = [line for line in re.split(r"\r\n|\r|\n", head)[above:] if line]
    if len(head) == SAMPLE:
        del sample[-1:]  # it is cut
    if not delimiter:
        headers = {mark: set(next(csv.reader(sample[:1], delimiter=mark), [])) for mark in ",;\t|"}
        delimiter = max(headers, key=lambda mark: len(headers[mark].intersection(table.wanted)))
    table.stream.seek(0)
    lines = _short_lines(table)
    for _ in zip(range(above), lines, strict=False):
        pass
    reader = csv.reader(lines, delimiter=delimiter, strict=True, quoting=_quoting(sample, delimiter))
    rows = _numbered(table, reader, above)
    _, header = next(rows, (0, None))
    if header is None:
        raise DocumentError(table.uri, "no header in it")
    header = [column.strip() for column in header]
    require(table.uri, table.declared, header)
    for column in table.wanted:
        if header.count(column) > 1:
            raise DocumentError(table.uri, f"its header has {column!r} twice; rename one of the two")
    for block in gather(rows, lambda found: sum(map(len, found[1]))):
        yield _records(block, header)


def _numbered(table: Table, reader: Any, above: int) -> Iterator[tuple[int, list[str] | str]]:
    """Number the rows, the header first; one that cannot be read is given as its problem, alone and not in a list."""
    began = False
    while True:
        number = reader.line_num + 1 + above
        try:
            row = next(reader, None)
        except UnicodeDecodeError as error:
            raise DocumentError(table.uri, f"not valid {spoken(error.encoding)}: {error.reason}") from None
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise DocumentError(
                    table.uri, f"a quote that is opened in or after line {number} is never closed"
                ) from None
            if not began:
                raise DocumentError(table.uri, f"its header cannot be read: {error}") from None
            row = str(error)
        if row is None:
            return
        if row:
            began = True
            yield number, row


def _short_lines(table: Table) -> Iterator[str]:
    text = open_text(table, newline="")
    number = 0
    while line := text.readline(table.max_row + 1):
        number += 1
        if len(line) > table.max_row:
            raise DocumentError(table.uri, f"line {number} is longer than max_size ({table.max_row:,} bytes)")
        yield line


def _records(block: list[tuple[int, list[str] | str]], header: list[str]) -> Records:
    numbers: list[int] = []
    rows: list[list[str]] = []
    problems: dict[int, str] = {}
    width, damaged = len(header), is_damaged(value for _, row in block for value in row)
    for number, row in block:
        if isinstance(row, str):
            problems[number] = row
        elif len(row) > width:
            problems[number] = f"{len(row)} fields where the header has {width}"
        elif damaged and any(ESCAPED.search(value) for value in row):
            problems[number] = "bytes that do not fit the encoding of the file; set `encoding` of this source"
        else:
            numbers.append(number)
            rows.append(row)
    columns: Mapping[str, Sequence[Any]] = {}
    if rows and all(len(row) == width for row in rows):
        columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    else:
        short = [dict(zip(header, row, strict=False)) for row in rows]
        columns = {column: [row.get(column) for row in short] for column in header}
    return Records(numbers, columns, lambda at: header[: len(rows[at])], problems)


def _quoting(lines: list[str], delimiter: str) -> Literal[0, 3]:
    """Tell TSV whose quotes are text: every line is a row, and some field has a quote where no writer puts one."""
    rows = [line.split("\t") for line in lines]
    if delimiter != "\t" or len({len(row) for row in rows}) > 1:
        return csv.QUOTE_MINIMAL
    bare = any(field.startswith('"') and not _QUOTED.fullmatch(field) for row in rows for field in row)
    return csv.QUOTE_NONE if bare else csv.QUOTE_MINIMAL
