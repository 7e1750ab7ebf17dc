"""The stages of texts: read and parse what changed, split it."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relance.documents import Chunk, Document, digests, document_id, occurrences
from relance.errors import DocumentError, EmptyError
from relance.pipeline.access import written_access
from relance.pipeline.counts import Counts
from relance.pipeline.items import hex_column, items_of
from relance.pipeline.late_rows import are_late, read_late
from relance.pipeline.lines import lines_of
from relance.pipeline.remembered import version_of
from relance.pipeline.rows import load_rows, permitted
from relance.pipeline.tables import CHUNKS, DOCUMENTS, documents_of, filled, table_of
from relance.store.failures import Failure
from relance.store.search_words import search_words

if TYPE_CHECKING:
    from relance.config import ChunkingSpec
    from relance.documents import Item
    from relance.embedding.providers import Provider
    from relance.pipeline.batch import Batch
    from relance.pipeline.runtime import Runtime

__all__ = ["chunk", "counted", "embedded_columns", "inputs", "load"]


def load(runtime: Runtime, batch: Batch, *, guess: bool = False) -> Batch:  # noqa: ARG001  # nothing is guessed
    """Read the `items`; parse those whose content or fingerprint really changed.

    Returns `documents` to be split, and `touched`: what the manifest will say of those that did not really change.
    """
    items, manifest = batch["items"], batch["manifest"]
    read: list[pa.Table] = []
    touched: list[pa.Table] = []
    failed: list[Failure] = []

    def take(documents: pa.Table, same: pa.Table, rows: pa.Table | None = None) -> None:
        if rows is not None:
            documents, warnings = permitted(documents, rows, runtime.sources)
            failed.extend(warnings)
        read.append(documents)
        touched.append(same)

    late = are_late(items).combine_chunks()
    if late.true_count:
        rows, hashes, errors = read_late(runtime.sources, items.filter(late))
        found = load_rows(rows, manifest, runtime.fingerprints, full=runtime.full, hashes=hashes["content_hash"])
        take(*found, rows=rows)
        failed += [Failure(error.uri, error.reason, "load") for error in errors]
        items = items.filter(pc.invert(late))
    with_text = items["text"].is_valid().combine_chunks()
    if with_text.true_count:
        rows = items.filter(with_text)
        take(*load_rows(rows, manifest, runtime.fingerprints, full=runtime.full), rows=rows)
    if with_text.true_count < len(with_text) or not read:
        documents, same, others = _load_items(runtime, items_of(items.filter(pc.invert(with_text))), manifest)
        take(documents, same)
        failed += others
    tables = {"documents": pa.concat_tables(read), "touched": pa.concat_tables(touched)}
    return batch.becomes(tables, Counts(failures=tuple(failed)))


def _load_items(
    runtime: Runtime, items: list[Item], manifest: pa.Table
) -> tuple[pa.Table, pa.Table, tuple[Failure, ...]]:
    held = {row["doc_id"]: row for row in manifest.to_pylist()}
    documents: list[Document] = []
    rows: list[dict[str, Any]] = []
    touched: list[dict[str, Any]] = []
    failed: list[Failure] = []
    for item, (versions, read) in zip(items, _read_all(runtime, items, held), strict=True):
        if isinstance(read, DocumentError):
            failed.append(Failure(read.uri, read.reason, "load"))
            continue
        if not isinstance(read, Document):
            touched.append({**read, **versions})
            continue
        if read.warnings:
            failed.append(Failure(item.uri, "; ".join(read.warnings), "load", indexed=True))
        documents.append(read)
        rows.append({
            "doc_id": read.id, "uri": item.uri, "parent": document_id(item.parent) if item.parent else None,
            "collection": False, "content_hash": read.content_hash, "title": read.title, "chunks": 0,
            "tokens": 0, **versions,
        })  # fmt: skip
    return table_of(documents, rows), pa.Table.from_pylist(touched, schema=DOCUMENTS), tuple(failed)


# The versions of an item, and what came of it: a document, its row of the manifest if it is as before, or a failure.
_Read = tuple[dict[str, Any], Document | dict[str, Any] | DocumentError]


def _read_all(runtime: Runtime, items: list[Item], held: dict[str, dict[str, Any]]) -> list[_Read]:
    read = partial(_read, runtime, held)
    for position in {item.source for item in items}:
        runtime.sources[position].prefetch([item for item in items if item.source == position])
    threads = max((runtime.sources[item.source].source.reads_at_once for item in items), default=1)
    if sum(runtime.sources[item.source].parses_elsewhere(item) for item in items) > 1:
        threads = max(threads, runtime.parallel)
    if threads > 1 and len(items) > 1:
        with ThreadPoolExecutor(threads, "relance-read") as pool:
            return list(pool.map(read, items))
    return list(map(read, items))


def _read(runtime: Runtime, held: dict[str, dict[str, Any]], item: Item) -> _Read:
    """Read an item, and parse it unless it is as the index has it."""
    source, versions = runtime.sources[item.source], runtime.fingerprints.versions(item)
    known = held.get(document_id(item.uri))
    if known and item.memory and not runtime.full and version_of(known["version"]) == item.version and (
        runtime.fingerprints.allow(known["fingerprint"], versions)
    ):  # fmt: skip
        return runtime.fingerprints.versions(item, of=known["fingerprint"]), known  # its memory alone is new
    try:
        content = source.read(item)
        same = known is not None and known["content_hash"] == content.content_hash
        if known and same and not runtime.full and runtime.fingerprints.allow(known["fingerprint"], versions):
            return runtime.fingerprints.versions(item, of=known["fingerprint"]), known
        return versions, source.parse(content)
    except EmptyError:
        return versions, Document(item.uri, "", item.media_type, content.content_hash)
    except DocumentError as error:
        return versions, error


def chunk(runtime: Runtime, batch: Batch) -> Batch:
    """Split the `documents`; returns their `chunks`, and of `documents` what the manifest will say."""
    from relance.chunkers import bare, chunk_documents, embedding_text

    spec, provider = runtime.spec.chunking, runtime.provider
    kept: list[int] = []  # the document of each chunk
    spans: list[Chunk] = []
    texts: list[str] = []
    sequence: list[int] = []
    seen: list[str] = []  # how often a text was in its document before
    sent: list[str] = []
    pages: list[int | None] = []
    last_pages: list[int | None] = []
    lines: list[tuple[int | None, int | None]] = []
    failed: list[Failure] = []
    empty: list[int] = []  # what the index has of them goes
    table = batch["documents"].combine_chunks()
    documents = list(documents_of(table))
    found: Iterable[list[Chunk] | DocumentError] = ()
    if not any(document.text for document in documents):
        found = [[] for _ in documents]  # the tokenizer, a fifth of a second to open, is not needed
    else:
        limit = provider.info.max_input_tokens
        found = chunk_documents(documents, spec, provider.tokenizer, limit, runtime.spec.plugins)
    for at, (document, chunks) in enumerate(zip(documents, found, strict=True)):
        if isinstance(chunks, DocumentError):
            failed.append(Failure(chunks.uri, chunks.reason, "chunk"))
            continue
        if not chunks:
            empty.append(at)
            continue
        some = [document.text[each.start : each.end] for each in chunks]
        kept += [at] * len(chunks)
        spans += chunks
        texts += some
        sequence += range(len(chunks))
        seen += occurrences(some)
        pages += _pages(document, [each.start for each in chunks])
        last_pages += _pages(document, [each.end - 1 for each in chunks])
        lines += lines_of(document.text, document.first_line, [(each.start, each.end) for each in chunks])
        prefixed = _prefixed(spec, chunks)
        sent += [embedding_text(document, each, spec) for each in chunks] if prefixed else map(bare, some)
    places = pa.array(kept, pa.int64())
    columns: dict[str, Any] = {
        name: table[name].take(places) for name in ("doc_id", "uri", "title", "media_type", "metadata", "access")
    }
    columns["access"] = written_access(columns["access"], runtime.spec)
    columns |= {
        "id": hex_column(digests("chunk", columns["doc_id"].to_pylist(), texts, seen)),
        "heading_path": [each.heading_path for each in spans],
        "text": texts,
        "seq": sequence,
        "start_char": [each.start for each in spans],
        "end_char": [each.end for each in spans],
        "page": pages,
        "page_end": last_pages,
        "line": [first for first, _ in lines],
        "line_end": [last for _, last in lines],
        "lead": [each.lead or None for each in spans],
        "words": [search_words(text, each.lead, each.heading_path) for text, each in zip(texts, spans, strict=True)],
        "tokens": [each.tokens for each in spans],
    }
    rows = filled(columns | embedded_columns(provider, texts, sent), CHUNKS, len(texts))
    split = counted(table.take(pa.array(sorted({*kept, *empty}), pa.int64())), rows)
    tables = {"chunks": rows, "documents": split, "touched": batch["touched"]}
    return batch.becomes(tables, Counts({"empty": len(empty)}, failures=tuple(failed)))


def embedded_columns(provider: Provider, texts: list[str], sent: list[str]) -> dict[str, Any]:
    """Make the columns that say what is embedded: the key of each vector, and what is sent where that is not the text.

    Args:
        provider: the model.
        texts: of the chunks.
        sent: what the model is sent for each.
    """
    columns: dict[str, Any] = {"key": hex_column(digests("vector", provider.info.space, "document", sent))}
    other = np.array([one != text for one, text in zip(sent, texts, strict=True)], bool)
    if other.any():
        inputs = [each for each, differs in zip(sent, other, strict=True) if differs]
        at = pa.array(np.where(other, other.cumsum() - 1, 0), mask=~other)
        columns["input"] = pa.array(inputs, pa.string()).take(at)
        columns["input_tokens"] = pa.array(provider.tokenizer.count(inputs), pa.int64()).take(at)
    return columns


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


def _prefixed(spec: ChunkingSpec, chunks: list[Chunk]) -> bool:
    return bool(spec.context) or any(each.lead for each in chunks)


def _pages(document: Document, offsets: list[int]) -> list[int | None]:
    """Name the page that each offset is on; of a document without pages none."""
    if not document.pages:
        return [None] * len(offsets)
    return np.searchsorted(document.pages, offsets, side="right").tolist()
