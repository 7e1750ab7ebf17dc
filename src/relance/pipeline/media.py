"""The stages of media: images and videos are looked at, checked, and get one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from relance.documents import digest, document_id
from relance.embedding.embedder import vector_key
from relance.errors import DocumentError, InputError, RelanceError
from relance.pipeline.counts import Counts
from relance.pipeline.items import items_of
from relance.pipeline.items import table_of as items_table
from relance.pipeline.media_look import Look, Looks
from relance.pipeline.tables import CHUNKS, DOCUMENTS, filled, media_of, table_of
from relance.pipeline.texts import counted
from relance.store.failures import Failure
from relance.store.search_words import search_words

if TYPE_CHECKING:
    from relance.media.request import MediaInfo
    from relance.pipeline.batch import Batch
    from relance.pipeline.runtime import Runtime
    from relance.store.manifest import Manifest

__all__ = ["chunk", "inputs", "load", "memories"]


def load(runtime: Runtime, batch: Batch, *, guess: bool = False) -> Batch:
    """Look at the `items`: read files, ask for addresses; keep those that changed.

    What is known of each address is remembered (`MediaMemory`), so that the next run can ask whether it has changed
    instead of fetching it again.
    """
    manifest = {row["doc_id"]: row for row in batch["manifest"].to_pylist()}
    refused = dict(zip(*(batch["refused"][name].to_pylist() for name in ("doc_id", "memory")), strict=True))
    seen = Looks(runtime, refused)
    looks: list[Look] = []
    for item in items_of(batch["items"]):
        try:
            looks.append(seen.open(item, manifest.get(document_id(item.uri))))
        except DocumentError as error:
            seen.failed.append(Failure(error.uri, error.reason, "load"))
    if guess:
        answers = [runtime.loader.guess(look.asked, runtime.pictures) for look in looks]
    else:
        answers = runtime.loader.load([look.asked for look in looks])
        looks, answers = _retried(runtime, seen, looks, answers)
    for look, found in zip(looks, answers, strict=True):
        seen.take(look, found)
    tables = {
        "documents": table_of(seen.documents, seen.rows),
        "touched": pa.Table.from_pylist(seen.touched, schema=DOCUMENTS),
        "items": items_table(seen.items, [False] * len(seen.items)),
    }
    counts = Counts(
        {"unchanged": seen.unchanged}, tuple(seen.failed), gone=tuple(seen.gone), guessed=seen.guessed
    )  # fmt: skip
    return batch.becomes(tables, counts)


def _retried(
    runtime: Runtime, seen: Looks, looks: list[Look], answers: list[MediaInfo | RelanceError | None]
) -> tuple[list[Look], list[MediaInfo | RelanceError | None]]:
    """Ask once more for what a signed address did not give: its table may have a fresh one by now."""
    refused = {
        look.item.uri: at
        for at, (look, found) in enumerate(zip(looks, answers, strict=True))
        if isinstance(found, InputError) and any(map(look.request.identity.is_signed, look.request.places))
    }
    if not refused:
        return looks, answers
    fresh: dict[int, Look] = {}
    for source in {looks[at].item.source for at in refused.values()}:
        mine = [looks[at].item for at in refused.values() if looks[at].item.source == source]
        for item in runtime.sources[source].fresh(mine):
            at = refused[item.uri]
            fresh[at] = seen.open(item, looks[at].row)
    for at, found in zip(fresh, runtime.loader.load([look.asked for look in fresh.values()]), strict=True):
        answers[at] = found
    return [fresh.get(at, look) for at, look in enumerate(looks)], answers


def chunk(runtime: Runtime, batch: Batch) -> Batch:
    """Give each of the `documents` its one row: the caption, and what it will probably be billed as."""
    documents = batch["documents"]
    n, media = documents.num_rows, documents["media"].combine_chunks()
    texts = documents["text"].cast(pa.string())
    space = runtime.provider.info.space
    columns: dict[str, Any] = {name: documents[name] for name in CHUNKS.names if name in documents.column_names}
    columns |= {
        "text": texts,
        "words": [search_words(text, headings=path or ()) for text, path in _pairs(texts, documents["heading_path"])],
        "id": [digest("chunk", doc_id, text, "0") for doc_id, text in _pairs(documents["doc_id"], texts)],
        "seq": [0] * n,
        "start_char": [0] * n,
        "end_char": pc.utf8_length(texts).cast(pa.int64()),
        "tokens": pc.struct_field(media, "tokens").cast(pa.int32()),
        "kind": pc.struct_field(media, "kind"),
        "content_hash": pc.struct_field(media, "content_hash"),
        "key": [vector_key(space, "document", media_of(each)) for each in media.to_pylist()],
        "input_tokens": pc.struct_field(media, "tokens"),
    }
    rows = filled(columns, CHUNKS, n)
    tables = {"chunks": rows, "documents": counted(documents, rows)}
    return batch.becomes(tables | {name: batch[name] for name in ("touched", "items")}, Counts())


def memories(manifest: Manifest) -> list[tuple[str, str, str]]:
    """List what the manifest remembers of documents: uri, version, and what they show as JSON."""
    found = []
    for row in manifest.all(["uri", "version", "collection"]):
        version, _, memory = (row["version"] or "").partition("|")
        if row["collection"] and memory:
            found.append((row["uri"], version, memory))
    return found


def inputs(chunks: pa.Table) -> list[Any]:
    """Return what is embedded for each row."""
    return [media_of(each) for each in chunks["media"].to_pylist()]


def _pairs(*columns: pa.ChunkedArray) -> zip[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in columns), strict=True)
