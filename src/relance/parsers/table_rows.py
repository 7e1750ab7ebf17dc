"""Tables (JSONL, CSV, TSV, Parquet): each row is a document, or an image or video."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

from relance.config.sources import RowsSpec
from relance.errors import DocumentError
from relance.parsers.decoding import clean, decode
from relance.parsers.json_values import json_value
from relance.parsers.media_types import CSV, JSONL, PARQUET, TSV
from relance.parsers.parser import Collection, Parsed, Parser, Raw, Row
from relance.parsers.records import Record, Table, read_records
from relance.parsers.seen_ids import SeenIds

__all__ = ["TableRows"]


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
        """Stream the rows in order of the file; an id that comes again is an error at its line."""
        spec = collection.rows
        if spec is None:
            raise DocumentError(collection.uri, "this source has no `rows`")
        others = [spec.url, spec.caption] if collection.media else spec.text
        needed = tuple(dict.fromkeys(name for name in [spec.id, *others, spec.title] if name))
        optional = tuple(dict.fromkeys(spec.metadata))
        table = Table(collection.stream, collection.uri, needed, optional, collection.encoding, collection.max_row)
        make = partial(_media if collection.media else _text, spec)
        seen = SeenIds()
        for record in read_records(table, collection.media_type):
            row = _row(record, collection.uri, spec.id, seen, make)
            if row is not None:
                yield row


class _RefusedRowError(Exception):
    """A row cannot be a document; the text says why."""


def _row(record: Record, uri: str, id_column: str, seen: SeenIds,
         make: Callable[[str, dict[str, Any]], Row | None]) -> Row | DocumentError | None:  # fmt: skip
    if record.problem:
        return DocumentError(f"{uri}#line-{record.number}", record.problem)
    try:
        name = _id(record.values, id_column)
    except _RefusedRowError as refused:
        return DocumentError(f"{uri}#line-{record.number}", str(refused))
    first = seen.first(name, record.number)
    if first != record.number:  # not at `path#id`: that is the first row's, which is in order
        return DocumentError(f"{uri}#line-{record.number}", f"the id {name!r} was already used in line {first}")
    try:
        return make(name, record.values)
    except _RefusedRowError as refused:
        return DocumentError(f"{uri}#{name}", str(refused))


def _text(spec: RowsSpec, name: str, values: dict[str, Any]) -> Row:
    parts = [part for column in spec.text if (part := _cell(values, column))]
    if not parts:
        have = ", ".join(list(values)[:20])
        known = any(column in values for column in spec.text)
        named = ", ".join(spec.text)
        raise _RefusedRowError(f"no text in {named}" if known else f"no text column {named}; this row has: {have}")
    title_column = spec.title or ("title" if "title" in spec.text else "")
    return Row(name, "\n\n".join(parts), _title(values, title_column), _metadata(values, spec))


def _media(spec: RowsSpec, name: str, values: dict[str, Any]) -> Row | None:
    """Make a row of media; None where rows have texts as well and this one no picture."""
    if "text" in spec.model_fields_set and _is_blank(values.get(spec.url)):
        return None
    urls = _addresses(values.get(spec.url), spec.url)
    caption = _cell(values, spec.caption) if spec.caption else ""
    return Row(name, caption, _title(values, spec.title), _metadata(values, spec), urls)


def _id(values: dict[str, Any], column: str) -> str:
    value = values.get(column)
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


def _cell(values: dict[str, Any], column: str) -> str:
    """Read a cell as text, empty where there is none."""
    value = values.get(column)
    if value is None or value != value:  # noqa: PLR0124  # NaN is how data frames write an empty cell
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _RefusedRowError(f"column {column!r} holds a {type(value).__name__}, not text")
    return clean(str(value)).strip()


def _title(values: dict[str, Any], column: str) -> str:
    return " ".join(_cell(values, column).split())


def _metadata(values: dict[str, Any], spec: RowsSpec) -> dict[str, Any]:
    found = {}
    for column in spec.metadata:
        try:
            found[column] = json_value(values.get(column))
        except ValueError as error:
            raise _RefusedRowError(f"column {column!r} {error}") from None
    return found


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
