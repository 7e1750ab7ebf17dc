"""The texts of an index with its own stored chunks as the source: copied with the vectors of another model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relance.documents import Chunk, Document, Item, digests
from relance.pipeline.counts import Counts
from relance.pipeline.discovery import Discovery
from relance.pipeline.items import ITEMS, ids_of
from relance.pipeline.items import table_of as table_of_items
from relance.pipeline.remembered import version_of
from relance.pipeline.tables import CHUNKS, DOCUMENTS, filled
from relance.pipeline.texts import counted, embedded_columns
from relance.store import schemas

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relance.pipeline.batch import Batch
    from relance.pipeline.copyable import Stored
    from relance.pipeline.runtime import Runtime

__all__ = ["StoredDiscovery", "chunk", "load"]

_MANIFEST = ["doc_id", "uri", "version", "fingerprint", "marker", "chunks", "tokens", "collection"]
_BYTES_PER_TOKEN = 4
_COPIED = ["id", "doc_id", "uri", "title", "heading_path", "text", "seq", "start_char", "end_char", "page", "page_end",
           "line", "line_end", "lead", "words", "tokens", "media_type", "metadata", "access"]  # fmt: skip


class StoredDiscovery(Discovery):
    """Compares the manifest of the serving tables with that of the new ones; an item's media type is its fingerprint.

    What an interrupted run has left half done is not there until the next ingest has written it anew.
    """

    def _candidates(self) -> Iterator[pa.Table]:
        stored: Any = self.sources[0]
        for batch in stored.serving.manifest.stream(_MANIFEST, "chunks >= 0 AND (marker != 0 OR NOT collection)"):
            if self._stopping():
                return
            rows = pa.table(batch)
            if rows.num_rows:
                yield self._compare(rows, _marks(stored, rows))

    def _compare(self, rows: pa.Table, kinds: pa.Array) -> pa.Table:
        places, mine = self._claim(ids_of(rows))
        known = {kind: self.fingerprint(_item(kind)) for kind in kinds.unique().to_pylist()}
        fingerprints = [known[kind] for kind in kinds.to_pylist()]
        marks = np.frombuffer(digests("marker", _versions(rows), fingerprints, size=8), dtype="<i8")
        files = rows["collection"].to_numpy()
        for at in np.flatnonzero(files & mine):
            if places[at] < 0 or not self.snapshot.same(int(places[at]), int(marks[at])):
                row = rows.slice(int(at), 1)
                uri, text = row["uri"][0].as_py(), row["version"][0].as_py()
                version, memory = version_of(text), text[len(version_of(text)) + 1 :]
                self.collections.append(Item(uri, version, kinds[at].as_py(), collection=True, memory=memory))
        everything = np.ones(len(rows), bool)
        at = self._changed(places, mine & ~files, everything, ~everything, lambda chosen: marks[chosen].tobytes())
        chosen = rows.take(pa.array(at))
        columns = {
            "uri": chosen["uri"], "doc_id": chosen["doc_id"], "version": chosen["version"],
            "media_type": kinds.take(pa.array(at)), "size": pc.multiply(chosen["tokens"], _BYTES_PER_TOKEN),
            "source": pa.repeat(pa.scalar(0, pa.int32()), len(at)), "live": pa.repeat(False, len(at)),
            "known": pa.array(places[at] >= 0),
        }  # fmt: skip
        return filled(columns, ITEMS, len(at)) if len(at) else table_of_items([], [])


def load(runtime: Runtime, batch: Batch, *, guess: bool = False) -> Batch:  # noqa: ARG001  # nothing is guessed
    """Read the stored chunks of documents, with what the manifest says of them.

    A document that an ingest is writing at this moment is left out: the next look finds it again.
    """
    (stored,) = runtime.sources
    ids = batch["items"]["doc_id"].to_pylist()
    manifest = stored.serving.manifest.select(ids, schemas.DOCUMENTS.names)
    rows = _chunks(stored, ids)
    whole = _whole(manifest, rows)
    manifest = manifest.filter(pa.array(whole))
    rows = rows.filter(pc.is_in(rows["doc_id"], manifest["doc_id"].combine_chunks()))
    kinds = _marks(stored, manifest)
    marks = pa.array([runtime.fingerprints.of(_item(kind)) for kind in kinds.to_pylist()], pa.string())
    new = digests("marker", _versions(manifest), marks.to_pylist(), size=8)
    columns = {name: manifest[name] for name in DOCUMENTS.names}
    columns |= {"fingerprint": marks, "marker": pa.array(np.frombuffer(new, "<i8"))}
    documents = pa.table(columns, schema=DOCUMENTS)
    return batch.becomes({"documents": documents, "rows": rows, "touched": DOCUMENTS.empty_table()}, Counts())


def chunk(runtime: Runtime, batch: Batch) -> Batch:
    """Make the rows of the new table of the stored ones: the same text, under the key of the other model's vector."""
    from relance.chunkers import bare, embedding_text

    (stored,) = runtime.sources
    rows, spec, provider = batch["rows"], runtime.spec.chunking, runtime.provider
    texts = rows["text"].to_pylist()
    leads, paths, titles = (rows[name].to_pylist() for name in ("lead", "heading_path", "title"))
    sent = [
        embedding_text(Document("", text, "", "", title or ""), Chunk(0, len(text), 0, tuple(path or ()), lead or ""),
                       spec) if lead or spec.context else bare(text)
        for text, lead, path, title in zip(texts, leads, paths, titles, strict=True)
    ]  # fmt: skip
    columns = {name: rows[name] for name in _COPIED if name in rows.column_names}
    if stored.recount:
        columns["tokens"] = pa.array(provider.tokenizer.count(texts), pa.int32())
    chunks = filled(columns | embedded_columns(provider, texts, sent), CHUNKS, len(texts))
    tables = {"chunks": chunks, "documents": counted(batch["documents"], chunks), "touched": batch["touched"]}
    return batch.becomes(tables, Counts())


def _chunks(stored: Stored, doc_ids: list[str]) -> pa.Table:
    """Read chunks in the order of their documents and of the text; columns an earlier version had not are NULL."""
    table = stored.serving.chunks.table
    names = [name for name in [*_COPIED, "run_id"] if table is not None and name in table.schema.names]
    found = [part.filter(part["active"]).drop_columns("active")
             for part in stored.serving.chunks.lookup(doc_ids, [*names, "active"])]  # fmt: skip
    schema = pa.schema([*(CHUNKS.field(name) for name in _COPIED), schemas.DOCUMENTS.field("run_id")])
    if not found:
        return schema.empty_table()
    rows = pa.concat_tables(found).sort_by([("doc_id", "ascending"), ("seq", "ascending")])
    columns = {name: rows[name] for name in names}
    columns["metadata"] = pa.chunked_array(
        [_text(part) for part in rows["metadata"].chunks] or [pa.array([], pa.string())], pa.string()
    )
    return filled(columns, schema, rows.num_rows)


def _text(metadata: pa.Array) -> pa.Array:
    """Return JSON as text, however the table reports it."""
    storage = metadata.storage if isinstance(metadata, pa.ExtensionArray) else metadata
    return storage.cast(pa.string())


def _whole(manifest: pa.Table, rows: pa.Table) -> NDArray[np.bool_]:
    """Tell which documents have as many chunks of the same run as the manifest says."""
    counts = rows.group_by(["doc_id", "run_id"]).aggregate([("id", "count")])
    there: dict[tuple[str, str], int] = dict(
        zip(zip(counts["doc_id"].to_pylist(), counts["run_id"].to_pylist(), strict=True),
            counts["id_count"].to_pylist(), strict=True)
    )  # fmt: skip
    said = zip(*(manifest[name].to_pylist() for name in ("doc_id", "run_id", "chunks")), strict=True)
    whole = [there.get((doc_id, run), 0) == chunks for doc_id, run, chunks in said]
    return np.array(whole, dtype=bool)


def _marks(stored: Stored, rows: pa.Table) -> pa.Array:
    """Return the fingerprints of documents; "" of those that the next ingest is to read again anyway."""
    again = pc.or_(pc.equal(rows["marker"], 0), pc.invert(pc.is_in(rows["fingerprint"], pa.array(list(stored.marks)))))
    return pc.if_else(again, "", rows["fingerprint"]).combine_chunks()


def _versions(rows: pa.Table) -> list[str]:
    return [version_of(each) for each in rows["version"].to_pylist()]


def _item(kind: str) -> Item:
    return Item("", "", kind, 0)
