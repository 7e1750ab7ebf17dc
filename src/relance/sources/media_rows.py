"""Rows of a table as media: an address, or several of one thing, with caption and metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from relance.config import RowsSpec
from relance.documents import Item, digest
from relance.errors import DocumentError
from relance.media.references import resolve
from relance.sources.rows import RefusedRowError, named_rows, row_metadata, row_text
from relance.sources.tables import Table

__all__ = ["list_media_rows", "media_row"]


def list_media_rows(
    stream: BinaryIO, collection: Item, spec: RowsSpec, *, root: str = "", encoding: str = "", max_row: int = 1 << 26
) -> Iterator[Item | DocumentError]:
    """Stream the rows of an open table as media items, in order of the file; errors as those of `list_rows`.

    Paths are relative to the table and stay below `root`. Where rows have texts as well, one without picture is none.
    """
    others = [name for name in (spec.caption, spec.title) if name]
    needed = tuple(dict.fromkeys([spec.id, spec.url, *others]))
    table = Table(stream, collection.uri, needed, tuple(spec.metadata), encoding=encoding, max_row=max_row)
    with_text = "text" in spec.model_fields_set

    def make(uri: str, values: dict[str, Any]) -> Item | None:
        if with_text and _is_blank(values.get(spec.url)):
            return None
        return media_row(uri, collection, _payload(values, collection, spec, root))

    yield from named_rows(table, collection, spec.id, make)


def media_row(uri: str, collection: Item, row: dict[str, Any]) -> Item:
    """Make an item of what a table or document says about a picture."""
    version = digest("media row", json.dumps(row, ensure_ascii=False, sort_keys=True))
    return Item(uri, version, collection.media_type, 0, collection.source, row=row, parent=collection.uri)


def _payload(values: dict[str, Any], collection: Item, spec: RowsSpec, root: str) -> dict[str, Any]:
    places = [resolve(each, collection.uri, root) for each in _addresses(values.get(spec.url), spec.url)]
    if not all(places):
        raise RefusedRowError(f"column {spec.url!r} holds no http address and no path below the spec's folder")
    caption = row_text(values, spec.caption) if spec.caption else ""
    title = row_text(values, spec.title) if spec.title else ""
    return {
        "urls": places,
        "caption": caption,
        "title": " ".join(title.split()),
        "heading_path": [],
        "metadata": {column: row_metadata(values, column) for column in spec.metadata},
    }


def _is_blank(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or value == [] or value != value  # noqa: PLR0124  # NaN is an empty cell of a data frame


def _addresses(value: Any, column: str) -> list[str]:
    """Read one address or several: a list, a list written as JSON, or a single one."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            raise RefusedRowError(f"column {column!r} begins like a JSON list and is none") from None
    several = value if isinstance(value, list) else [value]
    addresses = [each.strip() for each in several if isinstance(each, str) and each.strip()]
    if not addresses or len(addresses) != len(several):
        raise RefusedRowError(f"no address in column {column!r}")
    return addresses
