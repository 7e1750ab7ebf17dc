"""Documents with their vectors as rows of the chunks table and of the manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relance.documents import Chunk, Document, MediaDocument, chunk_ids
from relance.store import schemas

if TYPE_CHECKING:
    import pyarrow as pa

    from relance.embedding.sparse import Sparse

__all__ = ["EmbeddedDocument", "chunk_rows", "manifest_rows"]


@dataclass(slots=True, frozen=True)
class EmbeddedDocument:
    """A document ready to be written.

    Attributes:
        vectors: float32, shape (len(chunks), dimension).
        sparse: sparse vectors beside them, from models that make those.
    """

    document: Document
    chunks: list[Chunk]
    vectors: NDArray[np.float32]
    sparse: list[Sparse | None] = field(default_factory=list)


def chunk_rows(documents: list[EmbeddedDocument], schema: pa.Schema) -> pa.Table:
    """Return a row a chunk, as `Writer.write` takes them; `schema` is that of the chunks or media table."""
    import pyarrow as pa

    schema = schemas.values(schema)
    columns = _columns(documents)
    if "url" in schema.names:
        columns |= _media_columns(documents)
    arrays: dict[str, Any] = {"metadata": schemas.json_column(columns.pop("metadata"))}
    arrays |= {name: pa.array(values, schema.field(name).type) for name, values in columns.items()}
    if "vector" in schema.names:
        size = schema.field("vector").type.list_size
        flat = np.concatenate([np.zeros((0, size), np.float32)] + [d.vectors for d in documents])
        arrays["vector"] = pa.FixedSizeListArray.from_arrays(np.ascontiguousarray(flat).reshape(-1), size)
    if "sparse" in schema.names:
        from relance.embedding.sparse import to_arrow

        arrays["sparse"] = to_arrow([sparse for d in documents for sparse in d.sparse])
    return pa.table([arrays[name] for name in schema.names], schema=schema)


def manifest_rows(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Return rows of the manifest, as `Writer.write` takes them; columns that the writer adds are left out."""
    import pyarrow as pa

    return pa.Table.from_pylist(list(rows), schema=schemas.values(schemas.DOCUMENTS))


def _columns(documents: list[EmbeddedDocument]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in schemas.values(schemas.chunks(0, {})).names}
    for embedded in documents:
        document, chunks = embedded.document, embedded.chunks
        doc_id = document.id
        texts = [document.text[chunk.start : chunk.end] for chunk in chunks]
        n = len(chunks)
        columns["id"] += chunk_ids(doc_id, texts)
        columns["doc_id"] += [doc_id] * n
        columns["uri"] += [document.uri] * n
        columns["title"] += [document.title] * n
        columns["heading_path"] += [list(chunk.heading_path) for chunk in chunks]
        columns["text"] += texts
        columns["seq"] += range(n)
        columns["start_char"] += [chunk.start for chunk in chunks]
        columns["end_char"] += [chunk.end for chunk in chunks]
        columns["page"] += _pages(document, chunks)
        columns["tokens"] += [chunk.tokens for chunk in chunks]
        columns["media_type"] += [document.media_type] * n
        columns["metadata"] += [json.dumps(document.metadata, ensure_ascii=False)] * n
    return columns


def _media_columns(documents: list[EmbeddedDocument]) -> dict[str, list[Any]]:
    media = [each.document for each in documents if isinstance(each.document, MediaDocument)]
    return {
        "url": [each.url for each in media],
        "kind": [each.media.kind for each in media],
        "width": [each.width or None for each in media],
        "height": [each.height or None for each in media],
        "duration_s": [each.duration_s for each in media],
        "bytes": [each.size for each in media],
        "content_hash": [each.media.content_hash for each in media],
    }


def _pages(document: Document, chunks: list[Chunk]) -> list[int | None]:
    if not document.pages:
        return [None] * len(chunks)
    return np.searchsorted(document.pages, [chunk.start for chunk in chunks], side="right").tolist()
