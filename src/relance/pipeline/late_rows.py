"""Rows that were listed by name and marker only: read when it is known which of them may have changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from relance.documents import Item, digests
from relance.errors import DocumentError
from relance.pipeline.items import ITEMS, hex_column

__all__ = ["are_late", "key_table", "read_late"]

_HASHES = pa.schema([pa.field("content_hash", pa.string())])


def key_table(collection: Item, keys: pa.Table) -> pa.Table:
    """Make a table of `ITEMS` of names and markers, without what the rows hold."""
    rows = keys.num_rows
    uris = pc.binary_join_element_wise(collection.uri, keys["name"], "#")
    columns = {
        "uri": uris,
        "doc_id": hex_column(digests("document", uris.to_pylist())),
        "version": keys["version"],
        "media_type": pa.repeat(collection.media_type, rows),
        "size": keys["size"],
        "source": pa.repeat(pa.scalar(collection.source, pa.int32()), rows),
        "parent": pa.repeat(collection.uri, rows),
        "live": pa.repeat(False, rows),
        "known": pa.repeat(False, rows),
    }
    return pa.table([columns.get(each.name, pa.nulls(rows, each.type)) for each in ITEMS], schema=ITEMS)


def are_late(items: pa.Table) -> pa.ChunkedArray:
    """Tell which items are rows that have not been read."""
    empty = pc.and_(items["text"].is_null(), items["row"].is_null())
    return pc.and_(items["parent"].is_valid(), empty)


def read_late(sources: Sequence[Any], items: pa.Table) -> tuple[pa.Table, pa.Table, list[DocumentError]]:
    """Read rows that have not been read.

    Returns them as tables of `ITEMS`, with the hashes of their content (column `content_hash`) beside, and what cannot
    be read. What has gone since it was listed is in neither: the next run does not find it listed.
    """
    read: list[pa.Table] = [ITEMS.empty_table()]
    hashes: list[pa.Table] = [_HASHES.empty_table()]
    errors: list[DocumentError] = []
    for group in items.group_by(["source", "parent", "media_type"]).aggregate([]).to_pylist():
        source, parent = group["source"], group["parent"]
        mine = items.filter(pc.and_(pc.equal(items["source"], source), pc.equal(items["parent"], parent)))
        names = [uri[len(parent) + 1 :] for uri in mine["uri"].to_pylist()]
        table = Item(parent, "", group["media_type"], source=source, collection=True)
        try:
            for found in sources[source].named_rows(table, names):
                if isinstance(found, DocumentError):
                    errors.append(found)
                    continue
                at = pc.index_in(found["uri"], mine["uri"].combine_chunks())
                rows, at = found.filter(at.is_valid()), at.drop_null()  # a name that was not asked for is another's
                hashes.append(pa.table([rows["version"]], schema=_HASHES))
                listed = {"version": mine["version"].take(at), "known": mine["known"].take(at)}
                read.append(pa.table([listed.get(name, rows[name]) for name in ITEMS.names], schema=ITEMS))
        except DocumentError as error:
            errors += [DocumentError(uri, error.reason) for uri in mine["uri"].to_pylist()]
    return pa.concat_tables(read), pa.concat_tables(hashes), errors
