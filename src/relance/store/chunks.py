"""The chunks table: what readers search."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relance.documents import Chunk, Document, MediaDocument, chunk_ids
from relance.errors import RelanceError
from relance.store import schemas
from relance.store.connection import Store, store_error
from relance.store.lazy_table import LazyTable

if TYPE_CHECKING:
    from relance.embedding.sparse import Sparse

__all__ = ["ChunkTable", "EmbeddedDocument"]


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


class ChunkTable(LazyTable):
    """A physical chunks table: the chunks (or the media) of one index in one vector space."""

    def __init__(self, store: Store, name: str, schema: Any = None) -> None:
        super().__init__(store, name)
        self._schema = schema

    def create(self) -> Any:
        """Create the table if it is missing."""
        if self.table is None:
            self._table = self._store.create(self.name, self._schema)
        return self._table

    def count(self) -> int:
        """Count the chunks readers can find."""
        return 0 if self.table is None else self.table.count_rows("active")

    def replace(self, documents: list[EmbeddedDocument], *, known: Sequence[str], run_id: str, now: datetime) -> int:
        """Make the table hold exactly these chunks of these documents, in one commit; returns rows written.

        `known` are the ids of documents that may have rows already. Chunks that are gone become tombstones in the
        same commit, so that a reader sees the old document or the new one, never neither nor both; measured at one
        million rows × 256: 0.3 s for 2,000 new and 2,000 stale rows, where deleting by source reads the whole table.
        """
        import pyarrow as pa

        table = self.create()
        stale = self._rows_of(known)
        columns = _columns(documents, run_id, now)
        if "url" in table.schema.names:
            columns |= _media_columns(documents)
        for chunk_id in columns["id"]:
            stale.pop(chunk_id, None)
        data = _table(columns, documents, schema := table.schema)
        if stale:
            data = pa.concat_tables([data, _tombstones(stale, schema)])
        if not data.num_rows:
            return 0
        try:
            merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            # A tombstone's vector is NULL; vectors of ours were checked for NaN before they came here.
            result = merge.use_index(False).execute(data, on_bad_vectors="null")
        except Exception as error:
            raise store_error(error, f"writing {self.name}") from error
        if result.num_updated_rows + result.num_inserted_rows != data.num_rows:
            written = result.num_updated_rows + result.num_inserted_rows
            msg = f"{self.name}: LanceDB wrote {written} of {data.num_rows} rows; run again, and report this"
            raise RelanceError(msg)
        return data.num_rows

    def delete(self, doc_ids: Sequence[str]) -> None:
        """Delete the chunks of documents."""
        if self.table is not None:
            for condition in schemas.in_lists("doc_id", doc_ids):
                self.table.delete(condition)

    def sweep(self) -> None:
        """Delete the tombstones; a table without any keeps its version."""
        if self.table is not None and self.table.count_rows("active = false"):
            self.table.delete("active = false")

    def _rows_of(self, doc_ids: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for condition in schemas.in_lists("doc_id", doc_ids):
            rows = self.create().search().where(condition).select(["id", "doc_id"]).limit(None).to_arrow()
            found.update(zip(rows["id"].to_pylist(), rows["doc_id"].to_pylist(), strict=True))
        return found


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


def _columns(documents: list[EmbeddedDocument], run_id: str, now: datetime) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in schemas.chunks(0, {}).names}
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
        columns["run_id"] += [run_id] * n
        columns["updated_at"] += [now] * n
        columns["active"] += [True] * n
    return columns


def _pages(document: Document, chunks: list[Chunk]) -> list[int | None]:
    if not document.pages:
        return [None] * len(chunks)
    return np.searchsorted(document.pages, [chunk.start for chunk in chunks], side="right").tolist()


def _table(columns: dict[str, list[Any]], documents: list[EmbeddedDocument], schema: Any) -> Any:
    import pyarrow as pa

    arrays = {name: _json(values) if name == "metadata" else pa.array(values, schema.field(name).type)
              for name, values in columns.items()}  # fmt: skip
    if "vector" in schema.names:
        size = schema.field("vector").type.list_size
        flat = np.concatenate([np.zeros((0, size), np.float32)] + [d.vectors for d in documents])
        arrays["vector"] = pa.FixedSizeListArray.from_arrays(np.ascontiguousarray(flat).reshape(-1), size)
    if "sparse" in schema.names:
        from relance.embedding.sparse import to_arrow

        arrays["sparse"] = to_arrow([sparse for d in documents for sparse in d.sparse])
    # A column somebody added (classes, say) is about the text that was: what is written now has no value in it yet.
    rows = len(columns["id"])
    filled = [arrays.get(field.name, pa.nulls(rows, field.type)) for field in schema]
    return pa.table(filled, schema=_write_schema(schema))


def _tombstones(rows: dict[str, str], schema: Any) -> Any:
    import pyarrow as pa

    n = len(rows)
    filled = {"id": pa.array(list(rows)), "doc_id": pa.array(list(rows.values())), "active": pa.array([False] * n),
              "metadata": _json([None] * n)}  # fmt: skip
    arrays = [filled.get(field.name, pa.nulls(n, field.type) if field.name not in filled else None) for field in schema]
    return pa.table(arrays, schema=_write_schema(schema))


def _json(values: list[str | None]) -> Any:
    import pyarrow as pa

    return pa.ExtensionArray.from_storage(pa.json_(), pa.array(values, pa.string()))


def _write_schema(schema: Any) -> Any:
    """Turn the schema a table reports (JSON as bytes) into the one it is written by (JSON as text)."""
    import pyarrow as pa

    at = schema.get_field_index("metadata")
    return schema.set(at, pa.field("metadata", pa.json_()))
