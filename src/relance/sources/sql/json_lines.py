"""Rows of a database as JSONL, in a temporary file: each value as the database has it, and no type for a whole column.

In Parquet a column has one type, so what a number or a JSON value becomes would depend on the other rows that are read
with it, and a row read alone would not be the same as in the whole table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import Any, BinaryIO
from uuid import UUID

__all__ = ["write_lines"]

# The mark says that it is UTF-8 without a guess, and that a table without rows is not an empty file.
_MARK = b"\xef\xbb\xbf"


def write_lines(
    stream: BinaryIO, blocks: Iterable[Sequence[tuple[Any, ...]]], names: Sequence[str], decoded: Sequence[bool]
) -> int:
    """Write rows of values as JSON objects; returns the number of bytes.

    Args:
        stream: where to.
        blocks: some rows at a time.
        names: of the values.
        decoded: which of them are JSON if they are text.
    """
    keys = [f"{json.dumps(name)}: " for name in names]
    writers = [_json_text if each else _written for each in decoded]
    size = stream.write(_MARK)
    for rows in blocks:
        columns = [
            [key + write(value) for value in column]
            for key, write, column in zip(keys, writers, zip(*rows, strict=True), strict=True)
        ]
        lines = "\n".join("{" + ", ".join(cells) + "}" for cells in zip(*columns, strict=True))
        size += stream.write(f"{lines}\n".encode())
    return size


def _written(value: Any) -> str:
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    for kind, other in _WRITERS.items():
        if isinstance(value, kind):
            return other(value)
    return encode_basestring_ascii(str(value))  # addresses, ranges and the like


def _json_text(value: Any) -> str:
    """Write a value that the driver gives as the text of JSON."""
    if not isinstance(value, str):
        return _written(value)
    try:
        return _written(json.loads(value, parse_float=Decimal))
    except ValueError:
        return encode_basestring_ascii(value)


def _decimal(value: Decimal) -> str:
    return str(value).replace("E+", "E") if value.is_finite() else "null"


def _bytes(value: bytes) -> str:
    # A text cannot be made of it, so a row whose text it is becomes a failure with this word in it.
    return f'{{"bytes": {len(value)}}}'


def _sequence(value: Sequence[Any]) -> str:
    return f"[{', '.join(map(_written, value))}]"


def _mapping(value: Mapping[Any, Any]) -> str:
    return (
        "{" + ", ".join(f"{encode_basestring_ascii(str(key))}: {_written(each)}" for key, each in value.items()) + "}"
    )


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring_ascii,
    bool: lambda value: "true" if value else "false",
    int: str,
    float: lambda value: repr(value) if math.isfinite(value) else "null",
    type(None): lambda _: "null",
    Decimal: _decimal,
    UUID: lambda value: f'"{value}"',
    datetime: lambda value: f'"{value.isoformat()}"',
    date: lambda value: f'"{value.isoformat()}"',
    time: lambda value: f'"{value.isoformat()}"',
    timedelta: lambda value: repr(value.total_seconds()),
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    list: _sequence,
    tuple: _sequence,
    set: lambda value: _sequence(sorted(map(str, value))),
    dict: _mapping,
}
