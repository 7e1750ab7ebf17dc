"""The part of a run that keeps images and videos in sync: looked at, checked, embedded, written beside the texts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from relance.config import EmbeddingSpec, MediaSpec
from relance.documents import Chunk, Document, Item, Media, MediaDocument, MediaKind, digest, document_id
from relance.embedding.providers import ModelInfo
from relance.errors import DocumentError, InputError, RelanceError, RetryableError
from relance.media.loader import open_media_loader
from relance.media.request import MediaRequest, Validators
from relance.pipeline.batch import Batch
from relance.pipeline.discovery import Candidate, Discovery
from relance.pipeline.media_reader import MediaReader, open_media_reader
from relance.pipeline.run import Ingestion
from relance.pipeline.text_reader import Reader
from relance.store.failures import Failure

__all__ = ["MediaIngestion"]


class MediaIngestion(Ingestion):
    """A run over the media of an index.

    It differs in what a document is: not bytes that are parsed and split, but files and addresses that are looked at.
    `version` of a manifest row is `ROW VERSION|JSON` with what is known of each address, so that the next run can ask
    whether it has changed instead of fetching it again; of a document, with what it shows, so that it is not parsed
    again.
    """

    media = True
    batch_items = 64  # the pictures of a batch are in memory at once
    batch_bytes = 16 << 20

    @property
    def embedding(self) -> EmbeddingSpec:
        """The section of the spec that names the multimodal model."""
        return self._section.embedding

    @property
    def _section(self) -> MediaSpec:
        assert self.spec.media is not None  # noqa: S101  # nobody makes one for an index without
        return self.spec.media

    def _open_sources(self) -> Sequence[Reader]:
        return [open_media_reader(self.spec, position) for position in range(len(self.spec.sources))]

    def discover(self) -> Discovery:
        """Compare the sources with the manifest."""
        scale, stop = self._section.oversize == "scale", self.handle.stop.is_set
        loader = open_media_loader(self._section, self.provider.info.media_rules, scale=scale, stop=stop)
        self._known: dict[str, str] = {}
        self._loader = self._exits.enter_context(loader)
        memories = [] if self._full else list(self._memories())
        for source in self._media_sources():
            source.recall(memories)
        return super().discover()

    def load(self, batch: Batch) -> Batch:
        """Look at the candidates: read files, ask for addresses; keep those that changed."""
        with self.report.stage("load"):
            batch.documents, batch.touched, failed, unchanged = [], [], [], 0
            rows = self.tables.manifest.rows(batch.known)
            requests: list[tuple[Candidate, MediaRequest]] = []
            for candidate in batch.candidates:
                try:
                    request = self._request(candidate.item, rows.get(document_id(candidate.item.uri)))
                except DocumentError as error:
                    failed.append(Failure(error.uri, error.reason, "load"))
                else:
                    requests.append((candidate, request))
            if self._read_only:
                seen = [self._loader.guess(request) for _, request in requests]
            else:
                seen = self._loader.load([request for _, request in requests])
            for (candidate, request), found in zip(requests, seen, strict=True):
                item = candidate.item
                row = rows.get(document_id(item.uri))
                if isinstance(found, RelanceError):
                    reason = found.reason if isinstance(found, DocumentError) else str(found)
                    retry = isinstance(found, RetryableError)
                    if not isinstance(found, (InputError, RetryableError)):
                        raise found
                    failed.append(Failure(item.uri, reason, "load", retryable=retry))
                elif found is None:  # the address still has what it had
                    unchanged += 1
                else:
                    self._take(batch, item, row, request, found)
            self.report.add("unchanged", unchanged)
            self._fail(failed)
        return batch

    def chunk(self, batch: Batch) -> Batch:
        """Give each document its one row: the caption, and what it will probably be billed as."""
        batch.chunks = [[Chunk(0, len(document.text), _media(document).tokens, _path(document))]
                        for document in batch.documents]  # fmt: skip
        return batch

    def inputs(self, batch: Batch) -> tuple[list[Any], np.ndarray | None]:
        """Return the media of the batch, and their tokens."""
        media = [_media(document) for document in batch.documents]
        return media, np.array([each.tokens for each in media], dtype=np.int64)

    def embed(self, batch: Batch) -> Batch:
        """Find or buy the vectors, then let go of the pictures."""
        super().embed(batch)
        for document in batch.documents:
            if isinstance(document, MediaDocument):
                document.media = replace(document.media, data=(), media_types=())
        return batch

    def _chunking_rules(self) -> tuple[Any, ...]:
        """Media are not split."""
        return ()

    def _request(self, item: Item, row: dict[str, Any] | None) -> MediaRequest:
        """Say what has to be read or asked for to know an item, and what was known of it."""
        source = self.sources[item.source]
        assert isinstance(source, MediaReader)  # noqa: S101  # _open_sources made them
        places = item.row["urls"] if item.row is not None else [item.uri]
        known: dict[str, Validators] = {}
        same = False
        if row is not None:
            version, _, memory = (row["version"] or "").partition("|")
            known = {url: Validators(*values) for url, values in json.loads(memory or "{}").items()}
            same = version == item.version and row["fingerprint"] == self._fingerprint(item) and not self._full
        return MediaRequest(item.uri, tuple(places), source.read_place, self._public_url, known, same)

    def _media_sources(self) -> Iterator[MediaReader]:
        return (source for source in self.sources if isinstance(source, MediaReader))

    def _memories(self) -> Iterator[tuple[str, str, str]]:
        """Stream what the manifest remembers of documents: uri, version, and what they show as JSON."""
        for row in self.tables.manifest.all(["uri", "version", "collection"]):
            version, _, memory = (row["version"] or "").partition("|")
            if row["collection"] and memory:
                yield row["uri"], version, memory

    def _public_url(self, path: str) -> str:
        """Say where a service can fetch a file: a document may show one that lies in another source."""
        return next((url for source in self._media_sources() if (url := source.public_url(path))), "")

    def _take(self, batch: Batch, item: Item, row: dict[str, Any] | None, request: MediaRequest, found: Any) -> None:
        """Make a document of what was seen, unless it is what the index has."""
        payload = item.row or {"caption": "", "title": "", "heading_path": [], "metadata": {}}
        content_hash = digest("media", found.content_hash, json.dumps(payload, ensure_ascii=False, sort_keys=True))
        self._known[item.uri] = json.dumps({url: seen.values for url, seen in found.known.items()})
        same = row is not None and row["content_hash"] == content_hash
        if row is not None and same and not self._full and row["fingerprint"] == self._fingerprint(item):
            batch.touched.append({**row, **self._versions(item)})
            return
        info = self.provider.info
        kind: MediaKind = found.kind
        fused = payload["caption"] if self._section.embedding.fuse else ""
        words = int(self.provider.tokenizer.count([fused])[0]) if fused else 0
        if reason := _refusal(info, kind, len(request.places), words):
            self._fail([Failure(item.uri, reason, "load")])
            return
        media = Media(
            kind, found.urls, found.data, found.media_types, found.content_hash, fused,
            tokens=info.media_tokens.get(kind, 0) * max(1, len(request.places)) + words,
        )  # fmt: skip
        metadata = {"path": item.parent or item.uri, "media_type": found.media_type, **payload["metadata"]}
        batch.documents.append(
            MediaDocument(
                uri=item.uri, text=payload["caption"], media_type=found.media_type, content_hash=content_hash,
                title=payload["title"] or _name(request.places[0]), syntax="media", metadata=metadata, media=media,
                url=found.shown, heading_path=tuple(payload["heading_path"]), width=found.width, height=found.height,
                duration_s=found.duration_s, size=found.size,
            )
        )  # fmt: skip

    def _versions(self, item: Item) -> dict[str, Any]:
        versions = super()._versions(item)
        if item.collection:
            source = self.sources[item.source]
            memory = source.remembered.get(item.uri, ("", ""))[1] if isinstance(source, MediaReader) else ""
        else:
            memory = self._known.get(item.uri, "")
        return versions | {"version": f"{item.version}|{memory}"}


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


def _media(document: Document) -> Media:
    assert isinstance(document, MediaDocument)  # noqa: S101  # load() made them
    return document.media


def _path(document: Document) -> tuple[str, ...]:
    return document.heading_path if isinstance(document, MediaDocument) else ()


def _name(place: str) -> str:
    """Name a picture nobody has named by its file."""
    if place.startswith("data:"):
        return ""
    return place.partition("?")[0].rstrip("/").rpartition("/")[2]
