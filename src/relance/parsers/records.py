"""Records of JSONL, CSV, TSV and Parquet files, as a stream."""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, BinaryIO, Literal

from relance.errors import DocumentError
from relance.parsers.decoding import ESCAPED, codec, detect
from relance.parsers.media_types import CSV, JSONL, PARQUET, TSV

__all__ = ["Record", "read_records"]

_SAMPLE = 256 * 1024
# Rows that must show a column before JSONL, which has no header, is taken to have it.
_HEAD = 1000
_BATCH = 512
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


@dataclass(slots=True)
class Record:
    """A row, or why it cannot be read; `number` is its line (JSONL, CSV, TSV) or row (Parquet), from 1."""

    number: int
    values: dict[str, Any]
    problem: str = ""


@dataclass(slots=True, frozen=True)
class Table:
    """An open file and what is wanted of it.

    Attributes:
        needed: columns that have to exist.
        optional: columns that may be missing where there is no header.
    """

    stream: BinaryIO
    uri: str
    needed: tuple[str, ...]
    optional: tuple[str, ...]
    encoding: str
    max_row: int


def read_records(table: Table, media_type: str) -> Iterator[Record]:
    """Stream the records of a table; raises DocumentError if the file as a whole is at fault."""
    match media_type:
        case t if t == JSONL:
            yield from _jsonl(table)
        case t if t in {CSV, TSV}:
            yield from _csv(table, "\t" if t == TSV else "")
        case t if t == PARQUET:
            yield from _parquet(table)
        case _:
            raise DocumentError(table.uri, f"{media_type} has no rows")


def _jsonl(table: Table) -> Iterator[Record]:
    records = _json_records(table)
    head = list(islice(records, _HEAD))
    good = [record for record in head if not record.problem]
    if head and not good:
        raise DocumentError(
            table.uri, f"none of its first {len(head)} lines is a row: line {head[0].number}: {head[0].problem}"
        )
    found = {column: None for record in good for column in record.values}
    if good:
        _require(table.uri, table.needed, found)
    yield from chain(head, records)


def _json_records(table: Table) -> Iterator[Record]:
    text = _open_text(table, newline="\n")
    try:
        for number, line in _lines(text, table.max_row):
            if not line:
                yield Record(number, {}, f"the row is longer than max_size ({table.max_row:,} bytes)")
            elif not line.isascii() and ESCAPED.search(line):
                yield Record(
                    number, {}, f"bytes that are not valid {_spoken(text.encoding)}; set `encoding` of this source"
                )
            elif not line.isspace():
                yield _json_record(number, line)
    except UnicodeDecodeError as error:
        raise DocumentError(table.uri, f"not valid {_spoken(error.encoding)}: {error.reason}") from None


def _json_record(number: int, line: str) -> Record:
    try:
        values = json.loads(line, parse_constant=lambda _: None)
    except json.JSONDecodeError as error:
        return Record(number, {}, f"invalid JSON: {error.msg} at column {error.pos + 1}")
    except (ValueError, RecursionError) as error:
        return Record(number, {}, f"invalid JSON: {error}")
    if not isinstance(values, dict):
        return Record(number, {}, f"a JSON {_json_type(values)}, not an object")
    return Record(number, values)


def _lines(text: io.TextIOWrapper, limit: int) -> Iterator[tuple[int, str]]:
    """Number the lines; one that is longer than the limit is passed over and given as an empty string."""
    number = 0
    while line := text.readline(limit + 1):
        number += 1
        long = len(line) > limit and not line.endswith("\n")
        while long and line and not line.endswith("\n"):
            line = text.readline(limit + 1)
        yield number, "" if long else line


def _csv(table: Table, delimiter: str) -> Iterator[Record]:
    # The limit is the process's, not the reader's; without one, a quote that is never closed takes all memory.
    csv.field_size_limit(max(csv.field_size_limit(), int(table.max_row)))  # it refuses subclasses of int
    wanted = table.needed + table.optional
    head = _open_text(table, newline="").read(_SAMPLE)
    sample = [line for line in re.split(r"\r\n|\r|\n", head) if line]
    if len(head) == _SAMPLE:
        del sample[-1:]  # it is cut
    if not delimiter:
        headers = {mark: set(next(csv.reader(sample[:1], delimiter=mark), [])) for mark in ",;\t|"}
        delimiter = max(headers, key=lambda mark: len(headers[mark].intersection(wanted)))
    table.stream.seek(0)
    lines = _short_lines(table)
    reader = csv.reader(lines, delimiter=delimiter, strict=True, quoting=_quoting(sample, delimiter))
    header: list[str] = []
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader, None)
        except UnicodeDecodeError as error:
            raise DocumentError(table.uri, f"not valid {_spoken(error.encoding)}: {error.reason}") from None
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise DocumentError(
                    table.uri, f"a quote that is opened in or after line {number} is never closed"
                ) from None
            if not header:
                raise DocumentError(table.uri, f"its header cannot be read: {error}") from None
            yield Record(number, {}, str(error))
            continue
        if row is None:
            break
        if not row:
            continue
        if not header:
            header = [column.strip() for column in row]
            _require(table.uri, wanted, header)
            continue
        yield _csv_record(number, header, row)
    if not header:
        raise DocumentError(table.uri, "no header in it")


def _short_lines(table: Table) -> Iterator[str]:
    text = _open_text(table, newline="")
    number = 0
    while line := text.readline(table.max_row + 1):
        number += 1
        if len(line) > table.max_row:
            raise DocumentError(table.uri, f"line {number} is longer than max_size ({table.max_row:,} bytes)")
        yield line


def _csv_record(number: int, header: list[str], row: list[str]) -> Record:
    if len(row) > len(header):
        return Record(number, {}, f"{len(row)} fields where the header has {len(header)}")
    if any(not value.isascii() and ESCAPED.search(value) for value in row):
        return Record(number, {}, "bytes that do not fit the encoding of the file; set `encoding` of this source")
    return Record(number, dict(zip(header, row, strict=False)))


def _quoting(lines: list[str], delimiter: str) -> Literal[0, 3]:
    """Tell TSV whose quotes are text: every line is a row, and some field has a quote where no writer puts one."""
    rows = [line.split("\t") for line in lines]
    if delimiter != "\t" or len({len(row) for row in rows}) > 1:
        return csv.QUOTE_MINIMAL
    bare = any(field.startswith('"') and not _QUOTED.fullmatch(field) for row in rows for field in row)
    return csv.QUOTE_NONE if bare else csv.QUOTE_MINIMAL


def _parquet(table: Table) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(table.stream)
        columns = table.needed + table.optional
        _require(table.uri, columns, file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(batch_size=_BATCH, columns=list(dict.fromkeys(columns)), use_threads=False):
            for values in batch.to_pylist():
                number += 1
                yield Record(number, values)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DocumentError(
            table.uri, f"truncated or damaged: not a readable Parquet file ({_first_line(error)})"
        ) from None


def _require(uri: str, columns: Collection[str], available: Collection[str]) -> None:
    for column in columns:
        if column in available:
            continue
        close = difflib.get_close_matches(column, available, n=1)
        if not close:  # `_id` for `id`, `Text` for `text`
            close = [name for name in available if name.strip("_ ").lower() == column.strip("_ ").lower()]
        hint = f"did you mean {close[0]!r}? " if close else ""
        listed = ", ".join(list(available)[:20]) or "none"
        raise DocumentError(uri, f"no column {column!r} in it; {hint}it has: {listed}")


def _open_text(table: Table, *, newline: str) -> io.TextIOWrapper:
    """Decode a stream as it is read; a byte that does not fit becomes a lone surrogate and costs one row."""
    sample = table.stream.read(_SAMPLE)
    table.stream.seek(0)
    name = detect(sample, complete=len(sample) < _SAMPLE)
    if table.encoding and not (name or "").endswith(("-sig", "utf-16", "utf-32")):
        name = codec(table.encoding)
    if name is None:
        raise DocumentError(
            table.uri, "binary content, or an encoding that cannot be told; set `encoding` of this source"
        )
    wide = name.startswith(("utf-16", "utf-32"))
    return _Text(table.stream, encoding=name, errors="replace" if wide else "surrogateescape", newline=newline)


class _Text(io.TextIOWrapper):
    """A text view that leaves its stream open: the stream belongs to the caller."""

    def __del__(self) -> None:
        if not self.closed:
            self.detach()


def _spoken(encoding: str) -> str:
    return {"utf-8": "UTF-8", "utf-8-sig": "UTF-8"}.get(encoding, encoding)


def _json_type(value: Any) -> str:
    names = {list: "array", str: "string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "number")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
