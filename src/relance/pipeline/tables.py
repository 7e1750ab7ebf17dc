"""Arrow schemas of what travels between stages, and documents as rows of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from relance.documents import Document, Media, MediaDocument
from relance.store import schemas

__all__ = ["CHUNKS", "DOCUMENTS", "MEDIA", "READ", "documents_of", "filled", "media_column", "media_of", "table_of"]

# What the manifest will say of a document, but for the run and its date.
DOCUMENTS = schemas.values(schemas.DOCUMENTS)

# An image, a video or several images, as they are embedded.
MEDIA = pa.struct(
    [
        pa.field("kind", pa.string()),
        pa.field("urls", pa.list_(pa.string())),
        pa.field("data", pa.list_(pa.large_binary())),
        pa.field("media_types", pa.list_(pa.string())),
        pa.field("content_hash", pa.string()),
        pa.field("caption", pa.string()),
        pa.field("tokens", pa.int64()),
        pa.field("files", pa.list_(pa.string())),
    ]
)
MOMENT = pa.struct([pa.field("moment_s", pa.float64()), pa.field("content_hash", pa.string())])
_SHOWN = [field for field in schemas.MEDIA_COLUMNS if field.name != "content_hash"]

# A document that was read: what the manifest will say, and what is split; the last columns are of media.
READ = pa.schema(
    [
        *DOCUMENTS,
        pa.field("media_type", pa.string()),
        pa.field("text", pa.large_string()),
        pa.field("syntax", pa.string()),
        pa.field("metadata", pa.string()),
        pa.field("access", pa.list_(pa.string())),
        pa.field("pages", pa.list_(pa.int64())),
        pa.field("first_line", pa.int32()),
        pa.field("heading_path", pa.list_(pa.string())),
        *_SHOWN,
        pa.field("moments", pa.list_(MOMENT)),  # what the pictures in `media` are, where each gets a row
        pa.field("media", MEDIA),
    ]
)

_VALUES = schemas.values(schemas.chunks(0, {}, media=True))
# A row of the table to come, before it has its vector, with what becomes of that: `key` names it in the embedding
# cache; `input` is embedded where that is not `text`, and has `input_tokens` if they are known; of media it is `media`.
CHUNKS = pa.schema(
    [
        *_VALUES.set(at := _VALUES.get_field_index("metadata"), pa.field(_VALUES.names[at], pa.string())),
        pa.field("key", pa.string(), nullable=False),
        pa.field("input", pa.string()),
        pa.field("input_tokens", pa.int64()),
        pa.field("media", MEDIA),
    ]
)


def table_of(documents: Sequence[Document], manifest: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Make a table of `READ`: documents, and what the manifest will say of each."""
    columns: dict[str, list[Any]] = {name: [row[name] for row in manifest] for name in DOCUMENTS.names}
    columns |= {
        "media_type": [each.media_type for each in documents],
        "text": [each.text for each in documents],
        "syntax": [each.syntax for each in documents],
        "metadata": [json.dumps(each.metadata, ensure_ascii=False) for each in documents],
        "access": [each.access for each in documents],
        "pages": [each.pages or None for each in documents],
        "first_line": [each.first_line or None for each in documents],
    }
    shown = [each for each in documents if isinstance(each, MediaDocument)]
    if shown:
        columns |= {
            "heading_path": [each.heading_path for each in shown],
            "url": [each.url for each in shown],
            "width": [each.width or None for each in shown],
            "height": [each.height or None for each in shown],
            "duration_s": [each.duration_s for each in shown],
            "bytes": [each.size for each in shown],
            "last_seen": [each.last_seen for each in shown],
            "kind": [each.kind for each in shown],
            "moment_s": [each.moment_s for each in shown],
            "moments": [[moment._asdict() for moment in each.moments] for each in shown],
            "media": media_column([each.media for each in shown]),
        }
    return filled(columns, READ, len(documents))


def filled(columns: Mapping[str, Any], schema: pa.Schema, rows: int) -> pa.Table:
    """Make a table of a schema from lists or arrays; columns that are missing or empty are NULL."""
    arrays = [
        pa.nulls(rows, field.type)
        if not len(values := columns.get(field.name, ()))
        else values
        if isinstance(values, pa.Array | pa.ChunkedArray)
        else pa.array(values, field.type)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


def documents_of(table: pa.Table) -> Iterator[Document]:
    """Turn rows of `READ` back into documents that can be split."""
    columns = [table[name].to_pylist() for name in ("uri", "text", "media_type", "content_hash", "title", "syntax")]
    others = (table[name].to_pylist() for name in ("pages", "metadata", "first_line"))
    for row, pages, known, line in zip(zip(*columns, strict=True), *others, strict=True):
        yield Document(*row, metadata=json.loads(known), pages=tuple(pages or ()), first_line=line or 0)


def media_column(media: Sequence[Media]) -> pa.Array:
    """Make a column of `MEDIA`."""
    return pa.array([{field.name: getattr(each, field.name) for field in MEDIA} for each in media], MEDIA)


def media_of(values: Mapping[str, Any]) -> Media:
    """Turn a value of `MEDIA` back into what is embedded."""
    return Media(
        values["kind"], tuple(values["urls"]), tuple(values["data"]), tuple(values["media_types"]),
        values["content_hash"], values["caption"], values["tokens"], tuple(values["files"] or ()),
    )  # fmt: skip
