"""Rows of a table as documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from relance.config import RowsSpec
from relance.documents import Content, Document, Item, digest
from relance.errors import DocumentError
from relance.parsers.decoding import clean
from relance.parsers.json_values import json_value
from relance.sources.seen_ids import SeenIds
from relance.sources.tables import Record, Table, read_records

__all__ = ["RefusedRowError", "list_rows", "named_rows", "parse_row", "read_row", "row_metadata", "row_text"]


class RefusedRowError(Exception):
    """A row cannot be a document; the text says why."""


def list_rows(
    stream: BinaryIO, collection: Item, spec: RowsSpec, *, encoding: str = "", max_row: int = 1 << 26
) -> Iterator[Item | DocumentError]:
    """Stream the rows of an open table as items, in order of the file.

    A row that cannot be a document is an error at `path#id`, or at `path#line-N` where no id is its own. Raises
    DocumentError with the collection's uri if the file as a whole is at fault.
    """
    optional = tuple(dict.fromkeys(spec.metadata))
    needed = tuple(dict.fromkeys([spec.id, *spec.text, *([spec.title] if spec.title else [])]))
    table = Table(stream, collection.uri, needed, optional, encoding=encoding, max_row=max_row)
    yield from named_rows(table, collection, spec.id, lambda uri, values: _item(uri, values, collection, spec))


def named_rows(table: Table, collection: Item, id_column: str,
               make: Callable[[str, dict[str, Any]], Item | None]) -> Iterator[Item | DocumentError]:  # fmt: skip
    """Name each row of a table by its id and make an item of it; None from `make` passes a row over.

    RefusedRowError from `make` becomes an error at the row's uri.
    """
    seen = SeenIds()
    for record in read_records(table, collection.media_type):
        row = _row(record, collection, id_column, seen, make)
        if row is not None:
            yield row


def read_row(item: Item) -> Content:
    """Return the row's payload; its version is its content hash."""
    return Content(item, json.dumps(item.row, ensure_ascii=False).encode(), item.version)


def parse_row(content: Content) -> Document:
    """Turn a row into a document; its metadata is where it is and the columns the spec names."""
    row = json.loads(content.data)
    item = content.item
    return Document(
        uri=item.uri,
        text=row["text"],
        media_type=item.media_type,
        content_hash=content.content_hash,
        title=row["title"],
        syntax="row",
        metadata={"path": item.parent, "media_type": item.media_type, **row["metadata"]},
    )


def _row(record: Record, collection: Item, id_column: str, seen: SeenIds,
         make: Callable[[str, dict[str, Any]], Item | None]) -> Item | DocumentError | None:  # fmt: skip
    line = f"{collection.uri}#line-{record.number}"
    if record.problem:
        return DocumentError(line, record.problem)
    try:
        name = row_id(record.values, id_column)
    except RefusedRowError as refused:
        return DocumentError(line, str(refused))
    first = seen.first(name, record.number)
    if first != record.number:  # not at `path#id`: that is the first row's, which is in order
        return DocumentError(line, f"the id {name!r} was already used in line {first}")
    uri = f"{collection.uri}#{name}"
    try:
        return make(uri, record.values)
    except RefusedRowError as refused:
        return DocumentError(uri, str(refused))


def _item(uri: str, values: dict[str, Any], collection: Item, spec: RowsSpec) -> Item:
    parts = [part for column in spec.text if (part := row_text(values, column))]
    if not parts:
        have = ", ".join(list(values)[:20])
        known = any(column in values for column in spec.text)
        named = ", ".join(spec.text)
        raise RefusedRowError(f"no text in {named}" if known else f"no text column {named}; this row has: {have}")
    title_column = spec.title or ("title" if "title" in spec.text else "")
    row: dict[str, Any] = {
        "text": "\n\n".join(parts),
        "title": " ".join(row_text(values, title_column).split()),
        "metadata": {column: row_metadata(values, column) for column in spec.metadata},
    }
    version = digest("row", row["text"], row["title"], json.dumps(row["metadata"], sort_keys=True))
    size = len(row["text"].encode())
    return Item(uri, version, collection.media_type, size, collection.source, row=row, parent=collection.uri)


def row_id(values: dict[str, Any], column: str) -> str:
    """Read the name of a row; raises RefusedRowError."""
    value = values.get(column)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # what a column of integers with gaps becomes in a data frame
    if value is None or value == "":
        msg = f"no id in column {column!r}"
        raise RefusedRowError(msg)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        msg = f"the id in column {column!r} is a {type(value).__name__}, not text or a whole number"
        raise RefusedRowError(msg)
    name = clean(str(value)).strip()
    if not name:
        msg = f"the id in column {column!r} is blank"
        raise RefusedRowError(msg)
    return name


def row_text(values: dict[str, Any], column: str) -> str:
    """Read a cell as text, empty where there is none; raises RefusedRowError."""
    value = values.get(column)
    if value is None or value != value:  # noqa: PLR0124  # NaN is how data frames write an empty cell
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        msg = f"column {column!r} holds a {type(value).__name__}, not text"
        raise RefusedRowError(msg)
    return clean(str(value)).strip()


def row_metadata(values: dict[str, Any], column: str) -> Any:
    """Read a cell as a JSON value; raises RefusedRowError."""
    try:
        return json_value(values.get(column))
    except ValueError as error:
        msg = f"column {column!r} {error}"
        raise RefusedRowError(msg) from None
