"""The stages of media: images and videos are looked at, checked, and get one row each."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from relance.documents import Document, Item, Media, MediaDocument, MediaKind, digest, document_id
from relance.embedding.embedder import vector_key
from relance.errors import DocumentError, InputError, RelanceError, RetryableError
from relance.media.request import MediaRequest, Validators
from relance.pipeline.counts import Counts
from relance.pipeline.items import items_of
from relance.pipeline.tables import CHUNKS, DOCUMENTS, filled, media_of, table_of
from relance.pipeline.texts import counted
from relance.store.failures import Failure

if TYPE_CHECKING:
    from relance.embedding.providers import ModelInfo
    from relance.pipeline.batch import Batch
    from relance.pipeline.runtime import Runtime
    from relance.store.manifest import Manifest

__all__ = ["chunk", "inputs", "load", "memories"]


@dataclass(slots=True)
class _Seen:
    """What has become of the items of a batch so far."""

    documents: list[Document] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    touched: list[dict[str, Any]] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    unchanged: int = 0


def load(runtime: Runtime, batch: Batch, *, guess: bool = False) -> Batch:
    """Look at the `items`: read files, ask for addresses; keep those that changed.

    `version` of a manifest row is `ROW VERSION|JSON` with what is known of each address, so that the next run can ask
    whether it has changed instead of fetching it again.
    """
    manifest = {row["doc_id"]: row for row in batch["manifest"].to_pylist()}
    seen = _Seen()
    requests: list[tuple[Item, dict[str, Any] | None, MediaRequest]] = []
    for item in items_of(batch["items"]):
        row = manifest.get(document_id(item.uri))
        try:
            requests.append((item, row, _request(runtime, item, row)))
        except DocumentError as error:
            seen.failed.append(Failure(error.uri, error.reason, "load"))
    asked = [request for *_, request in requests]
    answers = [runtime.loader.guess(each) for each in asked] if guess else runtime.loader.load(asked)
    for (item, row, request), found in zip(requests, answers, strict=True):
        if isinstance(found, RelanceError):
            if not isinstance(found, InputError | RetryableError):
                raise found
            reason = found.reason if isinstance(found, DocumentError) else str(found)
            seen.failed.append(Failure(item.uri, reason, "load", retryable=isinstance(found, RetryableError)))
        elif found is None:  # the address still has what it had
            seen.unchanged += 1
        else:
            _take(runtime, seen, item, row, request, found)
    tables = {
        "documents": table_of(seen.documents, seen.rows),
        "touched": pa.Table.from_pylist(seen.touched, schema=DOCUMENTS),
    }
    return batch.becomes(tables, Counts({"unchanged": seen.unchanged}, tuple(seen.failed)))


def chunk(runtime: Runtime, batch: Batch) -> Batch:
    """Give each of the `documents` its one row: the caption, and what it will probably be billed as."""
    documents = batch["documents"]
    n, media = documents.num_rows, documents["media"].combine_chunks()
    texts = documents["text"].cast(pa.string())
    space = runtime.provider.info.space
    columns: dict[str, Any] = {name: documents[name] for name in CHUNKS.names if name in documents.column_names}
    columns |= {
        "text": texts,
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
    return batch.becomes({"chunks": rows, "documents": counted(documents, rows), "touched": batch["touched"]}, Counts())


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


def _request(runtime: Runtime, item: Item, row: dict[str, Any] | None) -> MediaRequest:
    """Say what has to be read or asked for to know an item, and what was known of it."""
    source = runtime.sources[item.source]
    places = item.row["urls"] if item.row is not None else [item.uri]
    known: dict[str, Validators] = {}
    same = False
    if row is not None:
        version, _, memory = (row["version"] or "").partition("|")
        known = {url: Validators(*values) for url, values in json.loads(memory or "{}").items()}
        mark = runtime.fingerprints.of(item)
        same = version == item.version and row["fingerprint"] == mark and not runtime.full

    def public_url(path: str) -> str:
        """Say where a service can fetch a file: a document may show one that lies in another source."""
        return next((url for each in runtime.sources if (url := each.public_url(path))), "")

    return MediaRequest(item.uri, tuple(places), source.read_place, public_url, known, same)


def _take(runtime: Runtime, seen: _Seen, item: Item, row: dict[str, Any] | None, request: MediaRequest,
          found: Any) -> None:  # fmt: skip
    """Make a document of what was seen, unless it is what the index has."""
    payload = item.row or {"caption": "", "title": "", "heading_path": [], "metadata": {}}
    content_hash = digest("media", found.content_hash, json.dumps(payload, ensure_ascii=False, sort_keys=True))
    memory = json.dumps({url: known.values for url, known in found.known.items()})
    versions = runtime.fingerprints.versions(item, memory)
    same = row is not None and row["content_hash"] == content_hash
    if row is not None and same and not runtime.full and row["fingerprint"] == versions["fingerprint"]:
        seen.touched.append({**row, **versions})
        return
    info = runtime.provider.info
    kind: MediaKind = found.kind
    fuse = runtime.spec.media is not None and runtime.spec.media.embedding.fuse
    fused = payload["caption"] if fuse else ""
    words = int(runtime.provider.tokenizer.count([fused])[0]) if fused else 0
    if reason := _refusal(info, kind, len(request.places), words):
        seen.failed.append(Failure(item.uri, reason, "load"))
        return
    media = Media(
        kind, found.urls, found.data, found.media_types, found.content_hash, fused,
        tokens=info.media_tokens.get(kind, 0) * max(1, len(request.places)) + words,
    )  # fmt: skip
    metadata = {"path": item.parent or item.uri, "media_type": found.media_type, **payload["metadata"]}
    document = MediaDocument(
        uri=item.uri, text=payload["caption"], media_type=found.media_type, content_hash=content_hash,
        title=payload["title"] or _name(request.places[0]), syntax="media", metadata=metadata, media=media,
        url=found.shown, heading_path=tuple(payload["heading_path"]), width=found.width, height=found.height,
        duration_s=found.duration_s, size=found.size,
    )  # fmt: skip
    seen.documents.append(document)
    seen.rows.append({
        "doc_id": document.id, "uri": item.uri, "parent": document_id(item.parent) if item.parent else None,
        "collection": False, "content_hash": content_hash, "title": document.title, "chunks": 0, "tokens": 0,
        **versions,
    })  # fmt: skip


def _refusal(info: ModelInfo, kind: MediaKind, pictures: int, words: int) -> str:
    """Say why a model does not take a thing of so many pictures and fused tokens; empty if it does."""
    if kind not in info.modalities:
        what = "one image at a time; give each its own row" if kind == "images" else f"no {kind}s"
        return f"{info.name} takes {what}"
    most = info.media_per_request.get("pictures", 0)
    if most and pictures > most:
        return f"{pictures} images in one row; {info.name} takes at most {most}"
    if info.max_input_tokens and words > info.max_input_tokens:
        limit = f"{info.name} takes at most {info.max_input_tokens:,}"
        return f"its caption has {words:,} tokens, which are fused with it; {limit}"
    return ""


def _name(place: str) -> str:
    """Name a picture nobody has named by its file."""
    if place.startswith("data:"):
        return ""
    return place.partition("?")[0].rstrip("/").rpartition("/")[2]


def _pairs(*columns: pa.ChunkedArray) -> zip[tuple[str, ...]]:
    return zip(*(column.to_pylist() for column in columns), strict=True)
