"""Arrow schemas of the tables, and the two-column dance LanceDB needs around them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from relance.embedding.sparse import sparse_type

__all__ = [
    "ADDED_AS",
    "ADDED_LATER",
    "CATALOG",
    "DOCUMENTS",
    "FAILURES",
    "MADE_OF",
    "RUNS",
    "THUMBNAILS",
    "chunks",
    "in_lists",
    "json_column",
    "key",
    "manifest_rows",
    "values",
    "vectors",
]

# LanceDB plans an IN list by parsing it: 35 ms for a thousand values, 1.2 s for ten thousand (measured).
_IN_LIST = 1000


def key(name: str) -> pa.Field:
    """Declare the primary key: it makes racing merges conflict and retry instead of inserting twice."""
    return pa.field(name, pa.string(), nullable=False, metadata={"lance-schema:unenforced-primary-key": "true"})


_TIME = pa.timestamp("us", tz="UTC")

CATALOG = pa.schema([key("key"), pa.field("value", pa.string())])

RUNS = pa.schema(
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("index", pa.string(), nullable=False),
        pa.field("table", pa.string()),
        pa.field("status", pa.string()),
        pa.field("started_at", _TIME),
        pa.field("ended_at", _TIME),
        pa.field("chunks_version", pa.int64()),
        pa.field("documents_version", pa.int64()),
        pa.field("failures_version", pa.int64()),
        pa.field("report", pa.string()),
    ]
)

DOCUMENTS = pa.schema(
    [
        key("doc_id"),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("parent", pa.string()),  # doc_id of the collection a row came from
        pa.field("collection", pa.bool_(), nullable=False),
        pa.field("version", pa.string()),
        pa.field("content_hash", pa.string()),
        pa.field("fingerprint", pa.string()),
        pa.field("marker", pa.int64()),  # version and fingerprint in eight bytes, so that comparing needs no strings
        pa.field("title", pa.string()),
        pa.field("chunks", pa.int32()),
        pa.field("tokens", pa.int64()),
        pa.field("run_id", pa.string()),
        pa.field("updated_at", _TIME),
    ]
)

FAILURES = pa.schema(
    [
        key("doc_id"),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("stage", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("retryable", pa.bool_()),
        pa.field("run_id", pa.string()),
        pa.field("failed_at", _TIME),
        pa.field("indexed", pa.bool_()),  # a warning
        pa.field("memory", pa.string()),  # what the next run wants to know of it, as JSON
    ]
)

# Drawn pictures; `key` says what one shows (`relance.media.thumbnails`).
THUMBNAILS = pa.schema(
    [
        key("key"),
        pa.field("bytes", pa.int64()),  # that it counts as
        pa.field("drawn_at", _TIME),
        pa.field("webp", pa.large_binary()),
    ]
)


# What a row of a media table has beside a chunk's columns, where its `text` is the caption.
MEDIA_COLUMNS = [
    pa.field("url", pa.string()),
    pa.field("kind", pa.string()),
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
    pa.field("duration_s", pa.float32()),
    pa.field("bytes", pa.int64()),
    pa.field("content_hash", pa.string()),
    pa.field("last_seen", _TIME),  # NULL: the last run that asked for it found it
    pa.field("moment_s", pa.float64()),  # where in a film it is, in seconds; NULL: it is whole
]


def chunks(dimension: int, metadata: dict[str, str], *, sparse: bool = False, media: bool = False) -> pa.Schema:
    """Describe a chunks table, or a media table; `metadata` (what made it) is fixed at creation.

    A dimension of 0 means: no dense vectors.
    """
    return pa.schema(
        [
            key("id"),
            pa.field("doc_id", pa.string(), nullable=False),
            pa.field("uri", pa.string()),
            pa.field("title", pa.string()),
            pa.field("heading_path", pa.list_(pa.string())),
            pa.field("text", pa.string()),
            pa.field("seq", pa.int32()),
            pa.field("start_char", pa.int64()),
            pa.field("end_char", pa.int64()),
            pa.field("page", pa.int32()),
            pa.field("page_end", pa.int32()),
            pa.field("line", pa.int32()),  # of the file, from 1; NULL: the text is not the file's own
            pa.field("line_end", pa.int32()),
            pa.field("lead", pa.string()),  # what stands before `text` where it is embedded and shown
            pa.field("words", pa.string()),  # what full-text search finds the row by, `text` among it
            pa.field("tokens", pa.int32()),
            pa.field("media_type", pa.string()),
            pa.field("metadata", pa.json_()),
            pa.field("access", pa.list_(pa.string())),  # principals that may see it; NULL: everybody, empty: nobody
            pa.field("run_id", pa.string()),
            pa.field("updated_at", _TIME),
            pa.field("active", pa.bool_(), nullable=False),  # false: a tombstone waiting for the sweep
            *(MEDIA_COLUMNS if media else []),
            *_vector_columns(dimension, sparse=sparse),
        ],
        metadata=metadata,
    )


# What a column is where nothing else is known, also for rows of an earlier version, which had it not.
MADE_OF = {"words": "text"}

# What a column is where a table of an earlier version gets it, as SQL; NULL where there is none.
ADDED_AS = MADE_OF | {
    "moment_s": "TRY_CAST(btrim(json_extract(json_get(metadata, 'moment_s'), '$'), '\"') AS DOUBLE)",
}

# Columns that tables of an earlier version may lack; of the failures, too.
ADDED_LATER = ("page_end", "lead", "words", "indexed", "last_seen", "moment_s", "line", "line_end", "access")

# What the writer adds to the rows of a batch: which run wrote them, when, and that readers find them.
_OF_THE_RUN = ("run_id", "updated_at", "active")


def values(schema: pa.Schema) -> pa.Schema:
    """Return the columns of a chunks table, a media table or a manifest that a batch brings."""
    return pa.schema([each for each in schema if each.name not in _OF_THE_RUN])


def json_column(values: Sequence[str | None]) -> pa.Array:
    """Return a column of JSON texts."""
    return pa.ExtensionArray.from_storage(pa.json_(), pa.array(values, pa.string()))


def vectors(dimension: int, *, sparse: bool = False) -> pa.Schema:
    """Describe an embedding store's table."""
    fields = [pa.field("key", pa.string(), nullable=False), pa.field("created_at", _TIME)]
    return pa.schema(fields + _vector_columns(dimension, sparse=sparse))


def _vector_columns(dimension: int, *, sparse: bool) -> list[pa.Field]:
    dense = [pa.field("vector", pa.list_(pa.float32(), dimension))] if dimension else []
    return [*dense, *([pa.field("sparse", sparse_type())] if sparse else [])]


def in_lists(column: str, values: Sequence[str]) -> Iterable[Any]:
    """Yield LanceDB expressions that together select `values`, each short enough to plan quickly."""
    from lancedb.expr import col

    for start in range(0, len(values), _IN_LIST):
        yield col(column).isin(list(values[start : start + _IN_LIST]))


def manifest_rows(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Return rows of the manifest, as `Writer.write` takes them; columns that the writer adds are left out."""
    return pa.Table.from_pylist(list(rows), schema=values(DOCUMENTS))
