"""The stages of texts: read and parse what changed, split it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relance.documents import Chunk, Document, digests, document_id, occurrences
from relance.errors import DocumentError
from relance.pipeline.counts import Counts
from relance.pipeline.items import hex_column, items_of
from relance.pipeline.rows import load_rows
from relance.pipeline.tables import CHUNKS, DOCUMENTS, documents_of, filled, table_of
from relance.store.failures import Failure

if TYPE_CHECKING:
    from relance.documents import Item
    from relance.pipeline.batch import Batch
    from relance.pipeline.runtime import Runtime

__all__ = ["chunk", "inputs", "load"]


def load(runtime: Runtime, batch: Batch, *, guess: bool = False) -> Batch:  # noqa: ARG001  # nothing is guessed
    """Read the `items`; parse those whose content or fingerprint really changed.

    Returns `documents` to be split, and `touched`: what the manifest will say of those that did not really change.
    """
    items, manifest = batch["items"], batch["manifest"]
    rows = items["text"].is_valid().combine_chunks()
    read: list[pa.Table] = []
    touched: list[pa.Table] = []
    failed: tuple[Failure, ...] = ()
    if rows.true_count:
        documents, same = load_rows(items.filter(rows), manifest, runtime.fingerprints, full=runtime.full)
        read.append(documents)
        touched.append(same)
    if rows.true_count < len(rows) or not len(rows):
        documents, same, failed = _load_items(runtime, items_of(items.filter(pc.invert(rows))), manifest)
        read.append(documents)
        touched.append(same)
    tables = {"documents": pa.concat_tables(read), "touched": pa.concat_tables(touched)}
    return batch.becomes(tables, Counts(failures=failed))


def _load_items(
    runtime: Runtime, items: list[Item], manifest: pa.Table
) -> tuple[pa.Table, pa.Table, tuple[Failure, ...]]:
    held = {row["doc_id"]: row for row in manifest.to_pylist()}
    documents: list[Document] = []
    rows: list[dict[str, Any]] = []
    touched: list[dict[str, Any]] = []
    failed: list[Failure] = []
    for item in items:
        source = runtime.sources[item.source]
        try:
            content = source.read(item)
            versions = runtime.fingerprints.versions(item)
            known = held.get(document_id(item.uri))
            same = known is not None and known["content_hash"] == content.content_hash
            if known and same and not runtime.full and known["fingerprint"] == versions["fingerprint"]:
                touched.append({**known, **versions})
                continue
            document = source.parse(content)
        except DocumentError as error:
            failed.append(Failure(error.uri, error.reason, "load"))
            continue
        documents.append(document)
        rows.append({
            "doc_id": document.id, "uri": item.uri, "parent": document_id(item.parent) if item.parent else None,
            "collection": False, "content_hash": document.content_hash, "title": document.title, "chunks": 0,
            "tokens": 0, **versions,
        })  # fmt: skip
    return table_of(documents, rows), pa.Table.from_pylist(touched, schema=DOCUMENTS), tuple(failed)


def chunk(runtime: Runtime, batch: Batch) -> Batch:
    """Split the `documents`; returns their `chunks`, and of `documents` what the manifest will say."""
    from relance.chunkers import chunk_documents, embedding_text

    spec, provider = runtime.spec.chunking, runtime.provider
    kept: list[int] = []  # the document of each chunk
    spans: list[Chunk] = []
    texts: list[str] = []
    sequence: list[int] = []
    seen: list[str] = []  # how often a text was in its document before
    sent: list[str] = []
    pages: list[int | None] = []
    failed: list[Failure] = []
    table = batch["documents"].combine_chunks()
    documents = list(documents_of(table))
    found: Iterable[list[Chunk] | DocumentError] = ()
    if documents:  # else the tokenizer, a fifth of a second to open, is not needed
        limit = provider.info.max_input_tokens
        found = chunk_documents(documents, spec, provider.tokenizer, limit, runtime.spec.plugins)
    for at, (document, chunks) in enumerate(zip(documents, found, strict=True)):
        if isinstance(chunks, DocumentError):
            failed.append(Failure(chunks.uri, chunks.reason, "chunk"))
            continue
        if not chunks:
            failed.append(Failure(document.uri, "no text in it", "chunk"))
            continue
        some = [document.text[each.start : each.end] for each in chunks]
        kept += [at] * len(chunks)
        spans += chunks
        texts += some
        sequence += range(len(chunks))
        seen += occurrences(some)
        pages += _pages(document, chunks)
        if spec.context:
            sent += [embedding_text(document, each, spec) for each in chunks]
    places = pa.array(kept, pa.int64())
    columns: dict[str, Any] = {
        name: table[name].take(places) for name in ("doc_id", "uri", "title", "media_type", "metadata")
    }
    columns |= {
        "id": hex_column(digests("chunk", columns["doc_id"].to_pylist(), texts, seen)),
        "heading_path": [each.heading_path for each in spans],
        "text": texts,
        "seq": sequence,
        "start_char": [each.start for each in spans],
        "end_char": [each.end for each in spans],
        "page": pages,
        "tokens": [each.tokens for each in spans],
        "key": hex_column(digests("vector", provider.info.space, "document", sent or texts)),
        "input": sent,
    }
    if sent:
        columns["input_tokens"] = provider.tokenizer.count(sent).tolist()
    rows = filled(columns, CHUNKS, len(texts))
    split = counted(table.take(places.unique()), rows)
    tables = {"chunks": rows, "documents": split, "touched": batch["touched"]}
    return batch.becomes(tables, Counts(failures=tuple(failed)))


def inputs(chunks: pa.Table) -> list[Any]:
    """Return what is embedded for each chunk."""
    return pc.coalesce(chunks["input"], chunks["text"]).to_pylist()


def counted(documents: pa.Table, chunks: pa.Table) -> pa.Table:
    """Take what the manifest will say of documents: how many chunks and tokens they have is known by now."""
    of = pc.index_in(chunks["doc_id"], documents["doc_id"]).to_numpy()
    numbers = np.bincount(of, minlength=documents.num_rows)
    tokens = np.bincount(of, chunks["tokens"].to_numpy(), minlength=documents.num_rows)
    columns = {name: documents[name] for name in DOCUMENTS.names}
    columns |= {"chunks": pa.array(numbers, pa.int32()), "tokens": pa.array(tokens.astype(np.int64))}
    return pa.table(columns, schema=DOCUMENTS)


def _pages(document: Document, chunks: list[Chunk]) -> list[int | None]:
    if not document.pages:
        return [None] * len(chunks)
    return np.searchsorted(document.pages, [each.start for each in chunks], side="right").tolist()
