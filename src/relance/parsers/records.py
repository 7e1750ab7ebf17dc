"""Records of a table, as a stream: rows with the cells that are wanted."""

from __future__ import annotations

import difflib
import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from relance.config.sources import RowsSpec
from relance.errors import DocumentError
from relance.parsers.decoding import codec, detect

__all__ = [
    "SAMPLE",
    "NoValue",
    "Records",
    "Table",
    "close_name",
    "is_damaged",
    "open_text",
    "require",
    "spoken",
    "value_at",
]

SAMPLE = 256 * 1024


@dataclass(slots=True, frozen=True)
class NoValue:
    """Stands in a cell that has no value one could rely on; `reason` follows the name of the column."""

    reason: str


@dataclass(slots=True)
class Records:
    """Some rows of a table.

    Attributes:
        numbers: the line (JSONL, CSV, TSV) or row of each, from 1.
        columns: the cells of the columns that are wanted; None where a row has none.
        names: gives the names of the columns that a row has, by its position here.
        problems: of rows that cannot be read, by number.
        sheet: of a workbook of which several sheets are read: the one these rows are of.
    """

    numbers: list[int]
    columns: Mapping[str, Sequence[Any]]
    names: Callable[[int], Iterable[str]]
    problems: dict[int, str] = field(default_factory=dict)
    sheet: str = ""


@dataclass(slots=True, frozen=True)
class Table:
    """An open file and what is wanted of it.

    Attributes:
        needed: columns that have to exist.
        optional: columns that may be missing where there is no header.
        welcome: columns that may be missing anywhere.
    """

    stream: BinaryIO
    uri: str
    spec: RowsSpec
    needed: tuple[str, ...]
    optional: tuple[str, ...]
    welcome: tuple[str, ...]
    encoding: str
    max_row: int

    @property
    def declared(self) -> tuple[str, ...]:
        """All columns the spec names."""
        return tuple(dict.fromkeys(self.needed + self.optional))

    @property
    def wanted(self) -> tuple[str, ...]:
        """All columns of which something is wanted."""
        return tuple(dict.fromkeys(self.needed + self.optional + self.welcome))


def value_at(record: Mapping[str, Any], column: str) -> Any:
    """Return what a record has under a name; where it has none such, what the dotted path leads to."""
    if column in record or "." not in column:
        return record.get(column)
    return _walk(record, column.split("."))


def _walk(value: Any, steps: list[str]) -> Any:
    for at, step in enumerate(steps):
        if isinstance(value, NoValue):
            return value
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal():
            value = value[int(step)] if int(step) < len(value) else None
        elif isinstance(value, list):
            found = [_walk(each, steps[at:]) for each in value]
            flat = [each for one in found for each in (one if isinstance(one, list) else [one]) if each is not None]
            return flat or None
        else:
            return None
    return value


def require(uri: str, columns: Collection[str], available: Collection[str]) -> None:
    """See to it that columns exist; raises DocumentError with those there are."""
    for column in columns:
        if column in available:
            continue
        close = close_name(column, available)
        hint = f"did you mean {close!r}? " if close else ""
        listed = ", ".join(list(available)[:20]) or "none"
        raise DocumentError(uri, f"no column {column!r} in it; {hint}it has: {listed}")


def close_name(column: str, available: Iterable[str]) -> str:
    """Find the name that was probably meant; empty if there is none."""
    names = list(available)
    close = difflib.get_close_matches(column, names, n=1)
    if not close:  # `_id` for `id`, `Text` for `text`
        close = [name for name in names if name.strip("_ ").lower() == column.strip("_ ").lower()]
    return close[0] if close else ""


def is_damaged(texts: Iterable[str]) -> bool:
    """Whether a byte that does not fit the encoding is in one of them: looking at each text is twice as slow."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return True
    return False


def open_text(table: Table, *, newline: str) -> io.TextIOWrapper:
    """Decode a stream as it is read; a byte that does not fit becomes a lone surrogate and costs one row."""
    sample = table.stream.read(SAMPLE)
    table.stream.seek(0)
    name = detect(sample, complete=len(sample) < SAMPLE)
    if table.encoding and not (name or "").endswith(("-sig", "utf-16", "utf-32")):
        name = codec(table.encoding)
    if name is None:
        raise DocumentError(table.uri, "binary content, or an unknown encoding; set `encoding` of this source")
    wide = name.startswith(("utf-16", "utf-32"))
    return _Text(table.stream, encoding=name, errors="replace" if wide else "surrogateescape", newline=newline)


class _Text(io.TextIOWrapper):
    """A text view that leaves its stream open: the stream belongs to the caller."""

    def __del__(self) -> None:
        if not self.closed:
            self.detach()


def spoken(encoding: str) -> str:
    """Write the name of an encoding as people do."""
    return {"utf-8": "UTF-8", "utf-8-sig": "UTF-8"}.get(encoding, encoding)
