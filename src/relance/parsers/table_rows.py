"""Tables (JSONL, CSV, TSV, Parquet): each row is a document, or an image or video."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from relance.config.sources import RowsSpec
from relance.errors import DocumentError
from relance.parsers.decoding import clean, clean_all, decode
from relance.parsers.first_seen import FirstSeen
from relance.parsers.json_values import json_value
from relance.parsers.media_types import CSV, JSONL, PARQUET, TSV
from relance.parsers.parser import Collection, Parsed, Parser, Raw
from relance.parsers.records import Records, Table, read_records
from relance.parsers.rows import Row, Rows

__all__ = ["TableRows"]

T = TypeVar("T")


class TableRows(Parser):
    """Rows by the section `rows` of a source; without it, a table that is text is one document."""

    version = "rows-1"
    media_types = (CSV, TSV, JSONL, PARQUET)
    refused: ClassVar[Mapping[str, str]] = {
        PARQUET: "a Parquet table is read row by row only; set `rows` of this source"
    }
    decodes = True

    def parse(self, raw: Raw) -> Parsed:
        """Decode a table as one text."""
        return Parsed(decode(raw.data, raw.uri, encoding=raw.encoding))

    def is_collection(self, media_type: str, rows: RowsSpec | None) -> bool:  # noqa: ARG002  # all tables are alike
        """Whether the source says which columns are what."""
        return rows is not None

    def rows(self, collection: Collection) -> Iterator[Row | DocumentError]:
        """Stream the rows in order of the file, but for errors; an id that comes again is an error at its line."""
        for block in self.blocks(collection):
            yield from block

    def blocks(self, collection: Collection) -> Iterator[Rows]:
        """Stream them column by column."""
        spec = collection.rows
        if spec is None:
            raise DocumentError(collection.uri, "this source has no `rows`")
        others = [spec.url, spec.caption] if collection.media else spec.text
        needed = tuple(dict.fromkeys(name for name in [spec.id, *others, spec.title] if name))
        optional = tuple(dict.fromkeys(spec.metadata))
        table = Table(collection.stream, collection.uri, needed, optional, collection.encoding, collection.max_row)
        seen = FirstSeen()
        for records in read_records(table, collection.media_type):
            yield _Block(records, spec, collection.uri).rows(seen, media=collection.media)


class _RefusedRowError(Exception):
    """A row cannot be a document; the text says why."""


class _Block:
    """Some rows on their way from cells to documents; what one cannot be is kept at its position."""

    def __init__(self, records: Records, spec: RowsSpec, uri: str) -> None:
        self.records, self.spec, self.uri = records, spec, uri
        self.errors: dict[int, DocumentError] = {}
        self.blank: set[int] = set()  # rows that are left out without a word
        self.names: list[str] = []

    def rows(self, seen: FirstSeen, *, media: bool) -> Rows:
        numbers = self.records.numbers
        self.names = self._names(seen)
        urls = self._urls() if media else [()] * len(numbers)
        texts = self._captions() if media else self._texts()
        titles = [" ".join(each.split()) for each in self._cells(self._title_column(media=media))]
        metadata, canonical = self._metadata()
        columns: list[list[Any]] = [self.names, texts, titles, metadata, canonical, urls]
        if self.errors or self.blank:
            kept = [at for at in range(len(numbers)) if at not in self.errors and at not in self.blank]
            columns = [[column[at] for at in kept] for column in columns]
        problems = {number: DocumentError(f"{self.uri}#line-{number}", problem)
                    for number, problem in self.records.problems.items()}  # fmt: skip
        problems |= {numbers[at]: error for at, error in self.errors.items()}
        return Rows(*columns, errors=[problems[number] for number in sorted(problems)])

    def _names(self, seen: FirstSeen) -> list[str]:
        """Read the ids: text or whole numbers, each of them once."""
        numbers, column = self.records.numbers, self.spec.id
        cells = self._column(column)
        names = _strings(cells)
        if names is None or not all(names):
            names = self._each(cells, lambda value: _id(value, column), line=True)
        good = [at for at in range(len(names)) if at not in self.errors]
        keys = np.fromiter((hash(names[at]) for at in good), np.int64, len(good)).view(np.uint64)
        lines = np.array([numbers[at] for at in good], dtype=np.uint32)
        firsts = seen.first(keys, lines)
        for place in np.flatnonzero(firsts != lines).tolist():
            # Not at `path#id`: that is the first row's, which is in order.
            at, first = good[place], int(firsts[place])
            self._refuse(at, f"the id {names[at]!r} was already used in line {first}", line=True)
        return names

    def _texts(self) -> list[str]:
        columns = self.spec.text
        parts = [self._cells(column) for column in columns]
        texts: list[str] = parts[0]
        if len(parts) > 1:
            texts = ["\n\n".join(filter(None, each)) for each in zip(*parts, strict=True)]
        for at, text in enumerate(texts):
            if not text:
                have = list(self.records.names(at))
                named = ", ".join(columns)
                known = any(column in have for column in columns)
                rest = f"no text column {named}; this row has: {', '.join(have[:20])}"
                self._refuse(at, f"no text in {named}" if known else rest)
        return texts

    def _urls(self) -> list[tuple[str, ...]]:
        """Read addresses; where rows have texts as well, one without a picture is left out."""
        column = self.spec.url
        cells = self._column(column)
        if "text" in self.spec.model_fields_set:
            self.blank = {at for at, value in enumerate(cells) if _is_blank(value)}
        return self._each(cells, lambda value: _addresses(value, column), empty=())

    def _captions(self) -> list[str]:
        return self._cells(self.spec.caption)

    def _title_column(self, *, media: bool) -> str:
        return self.spec.title or ("title" if not media and "title" in self.spec.text else "")

    def _metadata(self) -> tuple[list[str], list[str]]:
        """Write metadata as JSON, with keys as the spec has them and sorted."""
        columns = {column: self._json_cells(column) for column in self.spec.metadata}
        rows = len(self.records.numbers)
        plain = _objects({column: cells for column, (cells, _) in columns.items()}, rows)
        if list(columns) == sorted(columns) and all(cells is canonical for cells, canonical in columns.values()):
            return plain, plain
        return plain, _objects({column: columns[column][1] for column in sorted(columns)}, rows)

    def _json_cells(self, column: str) -> tuple[list[str], list[str]]:
        cells = self._column(column)
        kinds = set(map(type, cells))
        if kinds <= {str}:
            found = list(map(json.dumps, clean_all(list(cells))))
            return found, found
        if kinds <= {int}:
            found = list(map(str, cells))
            return found, found
        values = self._each(cells, lambda value: _json_cell(value, column), empty=None)
        found = list(map(json.dumps, values))
        nested = not kinds <= {str, int, float, bool, type(None)}
        return found, [json.dumps(value, sort_keys=True) for value in values] if nested else found

    def _cells(self, column: str) -> list[str]:
        """Read cells as text, empty where there is none, and where there is no such column."""
        if not column:
            return [""] * len(self.records.numbers)
        cells = self._column(column)
        found = _strings(cells)
        return self._each(cells, lambda value: _cell(value, column)) if found is None else found

    def _column(self, column: str) -> Sequence[Any]:
        return self.records.columns.get(column) or [None] * len(self.records.numbers)

    def _each(self, cells: Sequence[Any], read: Callable[[Any], T], *, empty: Any = "", line: bool = False) -> list[T]:
        found = []
        for at, value in enumerate(cells):
            try:
                found.append(read(value))
            except _RefusedRowError as refused:
                self._refuse(at, str(refused), line=line)
                found.append(empty)
        return found

    def _refuse(self, at: int, reason: str, *, line: bool = False) -> None:
        """Make an error of a row, unless it is one; at its line where it has no name of its own."""
        if at not in self.errors and at not in self.blank:
            name = f"line-{self.records.numbers[at]}" if line else self.names[at]
            self.errors[at] = DocumentError(f"{self.uri}#{name}", reason)


def _strings(cells: Sequence[Any]) -> list[str] | None:
    """Read cells that are all text (or nothing), or all whole numbers; None if they are not."""
    kinds = set(map(type, cells))
    if kinds <= {str, type(None)}:
        return [text.strip() for text in clean_all([value or "" for value in cells])]
    return list(map(str, cells)) if kinds == {int} else None


def _objects(columns: dict[str, list[str]], rows: int) -> list[str]:
    """Write JSON objects of columns that hold JSON."""
    if not columns:
        return ["{}"] * rows
    form = "{" + ", ".join(json.dumps(column).replace("%", "%%") + ": %s" for column in columns) + "}"
    return [form % cells for cells in zip(*columns.values(), strict=True)]


def _id(value: Any, column: str) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # what a column of integers with gaps becomes in a data frame
    if value is None or value == "":
        raise _RefusedRowError(f"no id in column {column!r}")
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise _RefusedRowError(f"the id in column {column!r} is a {type(value).__name__}, not text or a whole number")
    name = clean(str(value)).strip()
    if not name:
        raise _RefusedRowError(f"the id in column {column!r} is blank")
    return name


def _cell(value: Any, column: str) -> str:
    """Read a cell as text, empty where there is none."""
    if value is None or value != value:  # noqa: PLR0124  # NaN is how data frames write an empty cell
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _RefusedRowError(f"column {column!r} holds a {type(value).__name__}, not text")
    return clean(str(value)).strip()


def _json_cell(value: Any, column: str) -> Any:
    try:
        return json_value(value)
    except ValueError as error:
        raise _RefusedRowError(f"column {column!r} {error}") from None


def _is_blank(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or value == [] or value != value  # noqa: PLR0124  # NaN is an empty cell of a data frame


def _addresses(value: Any, column: str) -> tuple[str, ...]:
    """Read one address or several: a list, a list written as JSON, or a single one."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            raise _RefusedRowError(f"column {column!r} begins like a JSON list and is none") from None
    several = value if isinstance(value, list) else [value]
    addresses = tuple(each.strip() for each in several if isinstance(each, str) and each.strip())
    if not addresses or len(addresses) != len(several):
        raise _RefusedRowError(f"no address in column {column!r}")
    return addresses
