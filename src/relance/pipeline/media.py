"""The stages of media: images and videos are looked at, checked, and get one row each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from relance.documents import Media, Moment, digest, document_id
from relance.embedding.embedder import vector_key
from relance.errors import DocumentError, InputError, RelanceError, SourceError
from relance.media.moments import each_moment
from relance.media.request import MediaInfo
from relance.pipeline.access import written_access
from relance.pipeline.counts import Counts
from relance.pipeline.items import items_of
from relance.pipeline.items import table_of as items_table
from relance.pipeline.media_look import Look, Looks
from relance.pipeline.tables import CHUNKS, DOCUMENTS, filled, media_column, media_of, table_of
from relance.pipeline.texts import counted
from relance.pipeline.thumbnails import drawn_table
from relance.sources import Remembered
from relance.store.failures import Failure
from relance.store.search_words import search_words

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        _fetch_lost(runtime, looks, answers)
    for look, found in zip(looks, answers, strict=True):
        seen.take(look, found)
    tables = {
        "documents": table_of(seen.documents, seen.rows),
        "touched": pa.Table.from_pylist(seen.touched, schema=DOCUMENTS),
        "items": items_table(seen.items, [False] * len(seen.items)),
        "thumbnails": drawn_table(seen.thumbnails),
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
        try:
            for item in runtime.sources[source].fresh(mine):
                at = refused[item.uri]
                fresh[at] = seen.open(item, looks[at].row)
        except SourceError as error:  # it is away: nobody knows of these whether they are gone
            for item in mine:
                if (at := refused[item.uri]) not in fresh:
                    said = f"{answers[at]}; its table or page could not be read again: {error}"
                    answers[at] = DocumentError(item.uri, said)
    for at, found in zip(fresh, runtime.loader.load([look.asked for look in fresh.values()]), strict=True):
        answers[at] = found
    return [fresh.get(at, look) for at, look in enumerate(looks)], answers


def _fetch_lost(runtime: Runtime, looks: list[Look], answers: list[MediaInfo | RelanceError | None]) -> None:
    """Fetch films once more of whose key frames the embedding cache has lost the vectors: no address can be sent."""
    lost = []
    for at, (look, found) in enumerate(zip(looks, answers, strict=True)):
        if not isinstance(found, MediaInfo) or not found.moments or found.data or found.files:
            continue
        caption = look.memory.row.caption if look.memory.row is not None else ""
        frames = each_moment(Media(found.kind, content_hash=found.content_hash, caption=caption), found.moments)
        keys = [vector_key(runtime.provider.info.space, "document", each) for each in frames]
        if not all(runtime.cache.contains(keys)):
            lost.append(at)
    again = [replace(looks[at].request, known={}, same=False, before=None) for at in lost]
    for at, found in zip(lost, runtime.loader.load(again) if again else [], strict=True):
        answers[at] = found


def chunk(runtime: Runtime, batch: Batch) -> Batch:
    """Give each of the `documents` its row: the caption, and what it will probably be billed as.

    A film of which key frames are embedded has a row for each, all with the content of the film, so that a search shows
    it once. The words are in the first one alone: eight rows of them would make them commoner than they are.
    """
    documents, space = batch["documents"], runtime.provider.info.space
    media = documents["media"].combine_chunks()
    moments = [[Moment(**each) for each in found or ()] for found in documents["moments"].to_pylist()]
    split = [each_moment(each, found) for each, found in zip(inputs(documents), moments, strict=True)]
    sent = [each for row in split for each in row]
    places = [place for place, row in enumerate(split) for _ in row]
    seq = [at for row in split for at in range(len(row))]
    shown = documents.drop_columns("media").take(pa.array(places, pa.int64()))
    texts, ids, paths, said = (shown[name].to_pylist() for name in ("text", "doc_id", "heading_path", "moment_s"))
    n = len(sent)
    columns: dict[str, Any] = {name: shown[name] for name in CHUNKS.names if name in shown.column_names}
    columns |= {
        "text": texts,
        "words": ["" if at else search_words(text, headings=path or ())
                  for text, path, at in zip(texts, paths, seq, strict=True)],
        "id": [digest("chunk", doc_id, text, str(at)) for doc_id, text, at in zip(ids, texts, seq, strict=True)],
        "seq": seq,
        "start_char": [0] * n,
        "end_char": pc.utf8_length(shown["text"]).cast(pa.int64()),
        "tokens": [each.tokens for each in sent],
        "content_hash": pc.struct_field(media, "content_hash").take(pa.array(places, pa.int64())),
        "moment_s": [moments[place][at].moment_s if moments[place] else told
                     for place, at, told in zip(places, seq, said, strict=True)],
        "key": [vector_key(space, "document", each) for each in sent],
        "input_tokens": [each.tokens for each in sent],
        "media": media_column(sent) if any(moments) else documents["media"],
    }  # fmt: skip
    columns["access"] = written_access(columns["access"], runtime.spec)
    rows = filled(columns, CHUNKS, n)
    tables = {"chunks": rows, "documents": counted(documents, rows)}
    return batch.becomes(tables | {name: batch[name] for name in ("touched", "items", "thumbnails")}, Counts())


def memories(manifest: Manifest) -> Iterator[Remembered]:
    """Stream what the manifest remembers of documents: uri, version, and what they show as JSON."""
    for row in manifest.all(["uri", "version", "collection"]):
        version, _, memory = (row["version"] or "").partition("|")
        if row["collection"] and memory:
            yield Remembered(row["uri"], version, memory)


def inputs(chunks: pa.Table) -> list[Any]:
    """Return what is embedded for each row."""
    return [media_of(each) for each in chunks["media"].to_pylist()]
