"""Records of JSONL, and of JSON files that hold an array of objects, or several objects one after the other."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from relance.errors import DocumentError
from relance.parsers.decoding import ESCAPED
from relance.parsers.json_stream import DECODER, JsonValues
from relance.parsers.records import NoValue, Records, Table, is_damaged, open_text, require, spoken, value_at
from relance.parsers.rows import gather

__all__ = ["json_array_records", "json_lines_records"]

# Rows that must show a column before a file without a header is taken to have it.
_HEAD = 1000


def json_lines_records(table: Table) -> Iterator[Records]:
    """Stream the lines of JSONL."""
    text = open_text(table, newline="\n")
    lines = gather(_lines(text, table), lambda found: len(found[1]))
    yield from _headless((_line_records(block, table, text.encoding) for block in lines), table, "lines")


def json_array_records(table: Table) -> Iterator[Records]:
    """Stream the elements of an array at `path`."""
    text = open_text(table, newline="")
    found = gather(JsonValues(text, table).rows(), lambda found: found[2])
    yield from _headless((_value_records(block, table) for block in found), table, "rows")


def _headless(blocks: Iterator[Records], table: Table, what: str) -> Iterator[Records]:
    """Look for the needed columns in the first rows: there is no header."""
    head: list[Records] = []
    found: dict[str, None] = {}
    for block in blocks:
        head.append(block)
        for at in range(len(block.numbers)):
            found |= dict.fromkeys(block.names(at))
        for column, cells in block.columns.items():
            if "." in column and any(cell is not None for cell in cells):
                found[column] = None
        if found.keys() >= set(table.needed) or sum(len(each.numbers) + len(each.problems) for each in head) >= _HEAD:
            break
    problems = {line: problem for each in head for line, problem in each.problems.items()}
    if any(each.numbers for each in head):
        _require(table, found, next(each for each in head if each.numbers).names(0))
    elif problems:
        line, problem = next(iter(problems.items()))
        reason = f"none of its first {len(problems)} {what} is a row: {what[:-1]} {line}: {problem}"
        raise DocumentError(table.uri, reason)
    yield from chain(head, blocks)


def _require(table: Table, found: dict[str, None], first: Any) -> None:
    try:
        require(table.uri, table.needed, found)
    except DocumentError as error:
        inside = [
            key for key, value in first.items() if isinstance(value, list) and value and isinstance(value[0], dict)
        ]
        if not inside or table.spec.path:
            raise
        hint = f"{error.reason}; if the rows are in {inside[0]!r}, set `path: {inside[0]}` below `rows`"
        raise DocumentError(table.uri, hint) from None


def _line_records(block: list[tuple[int, str]], table: Table, encoding: str) -> Records:
    numbers: list[int] = []
    rows: list[dict[str, Any]] = []
    problems: dict[int, str] = {}
    read, damaged = DECODER.raw_decode, is_damaged(line for _, line in block)
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
            problems[number] = f"bytes that are not valid {spoken(encoding)}; set `encoding` of this source"
        elif not line.isspace():
            row, problem = _json_row(line)
            if problem:
                problems[number] = problem
            else:
                numbers.append(number)
                rows.append(row)
    return _records(numbers, rows, problems, table)


def _value_records(block: list[tuple[int, Any, int]], table: Table) -> Records:
    numbers = [number for number, row, _ in block if isinstance(row, dict)]
    rows = [row for _, row, _ in block if isinstance(row, dict)]
    problems = {
        number: row.reason if isinstance(row, NoValue) else f"a JSON {_json_type(row)}, not an object"
        for number, row, _ in block
        if not isinstance(row, dict)
    }
    return _records(numbers, rows, problems, table)


def _records(numbers: list[int], rows: list[dict[str, Any]], problems: dict[int, str], table: Table) -> Records:
    columns = {
        column: [value_at(row, column) for row in rows] if "." in column else [row.get(column) for row in rows]
        for column in table.wanted
    }
    return Records(numbers, columns, lambda at: rows[at], problems)


def _json_row(line: str) -> tuple[dict[str, Any], str]:
    """Read a line that is no plain object; returns why it is none."""
    try:
        row = DECODER.decode(line)
    except json.JSONDecodeError as error:
        return {}, f"invalid JSON: {error.msg} at column {error.pos + 1}"
    except (ValueError, RecursionError) as error:
        return {}, f"invalid JSON: {error}"
    return (row, "") if isinstance(row, dict) else ({}, f"a JSON {_json_type(row)}, not an object")


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
        raise DocumentError(table.uri, f"not valid {spoken(error.encoding)}: {error.reason}") from None


def _json_type(value: Any) -> str:
    names = {list: "array", str: "string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "number")
