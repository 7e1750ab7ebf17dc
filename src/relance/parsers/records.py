"""Records of JSONL, CSV, TSV and Parquet files, as a stream."""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, BinaryIO, Literal

from relance.errors import DocumentError
from relance.parsers.decoding import ESCAPED, codec, detect
from relance.parsers.media_types import CSV, JSONL, PARQUET, TSV
from relance.parsers.rows import BLOCK_ROWS, gather

__all__ = ["Records", "Table", "read_records"]

_SAMPLE = 256 * 1024
# Rows that must show a column before JSONL, which has no header, is taken to have it.
_HEAD = 1000
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


@dataclass(slots=True)
class Records:
    """Some rows of a table.

    Attributes:
        numbers: the line (JSONL, CSV, TSV) or row (Parquet) of each, from 1.
        columns: the cells of the columns that are wanted; None where a row has none.
        names: gives the names of the columns that a row has, by its position here.
        problems: of rows that cannot be read, by number.
    """

    numbers: list[int]
    columns: Mapping[str, Sequence[Any]]
    names: Callable[[int], Iterable[str]]
    problems: dict[int, str] = field(default_factory=dict)


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

    @property
    def wanted(self) -> tuple[str, ...]:
        """All columns of which something is wanted."""
        return tuple(dict.fromkeys(self.needed + self.optional))


def read_records(table: Table, media_type: str) -> Iterator[Records]:
    """Stream the rows of a table, many at a time; raises DocumentError if the file as a whole is at fault."""
    match media_type:
        case t if t == JSONL:
            yield from _jsonl(table)
        case t if t in {CSV, TSV}:
            yield from _csv(table, "\t" if t == TSV else "")
        case t if t == PARQUET:
            yield from _parquet(table)
        case _:
            raise DocumentError(table.uri, f"{media_type} has no rows")


def _jsonl(table: Table) -> Iterator[Records]:
    text = _open_text(table, newline="\n")
    decoder = json.JSONDecoder(parse_constant=lambda _: None)
    lines = gather(_lines(text, table), lambda found: len(found[1]))
    blocks = (_json_records(block, table, text.encoding, decoder) for block in lines)
    head: list[Records] = []
    found: dict[str, None] = {}
    for block in blocks:
        head.append(block)
        found |= {column: None for at in range(len(block.numbers)) for column in block.names(at)}
        if found.keys() >= set(table.needed) or sum(len(each.numbers) + len(each.problems) for each in head) >= _HEAD:
            break
    problems = {line: problem for each in head for line, problem in each.problems.items()}
    if any(each.numbers for each in head):
        _require(table.uri, table.needed, found)
    elif problems:
        line, problem = next(iter(problems.items()))
        raise DocumentError(table.uri, f"none of its first {len(problems)} lines is a row: line {line}: {problem}")
    yield from chain(head, blocks)


def _json_records(block: list[tuple[int, str]], table: Table, encoding: str, decoder: json.JSONDecoder) -> Records:
    numbers: list[int] = []
    rows: list[dict[str, Any]] = []
    problems: dict[int, str] = {}
    read, damaged = decoder.raw_decode, _is_damaged(line for _, line in block)
    for number, line in block:
        try:
            row, end = read(line)
        except (ValueError, RecursionError):
            row, end = None, -1
        if type(row) is dict and line[end:] in {"\n", "", "\r\n"} and not damaged:
            numbers.append(number)
            rows.append(row)
        elif not line:
            problems[number] = f"the row is longer than max_size ({table.max_row:,} bytes)"
        elif damaged and ESCAPED.search(line):
            problems[number] = f"bytes that are not valid {_spoken(encoding)}; set `encoding` of this source"
        elif not line.isspace():
            row, problem = _json_row(line, decoder)
            if problem:
                problems[number] = problem
            else:
                numbers.append(number)
                rows.append(row)
    columns = {column: [row.get(column) for row in rows] for column in table.wanted}
    return Records(numbers, columns, lambda at: rows[at], problems)


def _json_row(line: str, decoder: json.JSONDecoder) -> tuple[dict[str, Any], str]:
    """Read a line that is no plain object; returns why it is none."""
    try:
        row = decoder.decode(line)
    except json.JSONDecodeError as error:
        return {}, f"invalid JSON: {error.msg} at column {error.pos + 1}"
    except (ValueError, RecursionError) as error:
        return {}, f"invalid JSON: {error}"
    return (row, "") if isinstance(row, dict) else ({}, f"a JSON {_json_type(row)}, not an object")


def _is_damaged(texts: Iterable[str]) -> bool:
    """Whether a byte that does not fit the encoding is in one of them: looking at each text is twice as slow."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return True
    return False


def _lines(text: io.TextIOWrapper, table: Table) -> Iterator[tuple[int, str]]:
    """Number the lines; one that is longer than the limit is passed over and given as an empty string."""
    number, limit = 0, table.max_row
    try:
        while line := text.readline(limit + 1):
            number += 1
            long = len(line) > limit and not line.endswith("\n")
            while long and line and not line.endswith("\n"):
                line = text.readline(limit + 1)
            yield number, "" if long else line
    except UnicodeDecodeError as error:
        raise DocumentError(table.uri, f"not valid {_spoken(error.encoding)}: {error.reason}") from None


def _csv(table: Table, delimiter: str) -> Iterator[Records]:
    # The limit is the process's, not the reader's; without one, a quote that is never closed takes all memory.
    csv.field_size_limit(max(csv.field_size_limit(), int(table.max_row)))  # it refuses subclasses of int
    head = _open_text(table, newline="").read(_SAMPLE)
    sample = [line for line in re.split(r"\r\n|\r|\n", head) if line]
    if len(head) == _SAMPLE:
        del sample[-1:]  # it is cut
    if not delimiter:
        headers = {mark: set(next(csv.reader(sample[:1], delimiter=mark), [])) for mark in ",;\t|"}
        delimiter = max(headers, key=lambda mark: len(headers[mark].intersection(table.wanted)))
    table.stream.seek(0)
    lines = _short_lines(table)
    reader = csv.reader(lines, delimiter=delimiter, strict=True, quoting=_quoting(sample, delimiter))
    rows = _csv_rows(table, reader)
    _, header = next(rows, (0, None))
    if header is None:
        raise DocumentError(table.uri, "no header in it")
    header = [column.strip() for column in header]
    _require(table.uri, table.wanted, header)
    for block in gather(rows, lambda found: sum(map(len, found[1]))):
        yield _csv_records(block, header)


def _csv_rows(table: Table, reader: Any) -> Iterator[tuple[int, list[str] | str]]:
    """Number the rows, the header first; one that cannot be read is given as its problem, alone and not in a list."""
    began = False
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
            if not began:
                raise DocumentError(table.uri, f"its header cannot be read: {error}") from None
            row = str(error)
        if row is None:
            return
        if row:
            began = True
            yield number, row


def _short_lines(table: Table) -> Iterator[str]:
    text = _open_text(table, newline="")
    number = 0
    while line := text.readline(table.max_row + 1):
        number += 1
        if len(line) > table.max_row:
            raise DocumentError(table.uri, f"line {number} is longer than max_size ({table.max_row:,} bytes)")
        yield line


def _csv_records(block: list[tuple[int, list[str] | str]], header: list[str]) -> Records:
    numbers: list[int] = []
    rows: list[list[str]] = []
    problems: dict[int, str] = {}
    width, damaged = len(header), _is_damaged(value for _, row in block for value in row)
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


def _parquet(table: Table) -> Iterator[Records]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(table.stream)
        _require(table.uri, table.wanted, file.schema_arrow.names)
        number = 1
        for batch in file.iter_batches(batch_size=BLOCK_ROWS, columns=list(table.wanted), use_threads=False):
            names = batch.schema.names
            columns = {name: column.to_pylist() for name, column in zip(names, batch.columns, strict=True)}
            yield Records(list(range(number, number := number + batch.num_rows)), columns, lambda _, names=names: names)
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
