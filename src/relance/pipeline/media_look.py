"""What becomes of the pictures of a batch: rows to be written, what is as it was, failures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from relance.counted import counted
from relance.documents import Document, Item, Media, MediaDocument, MediaKind, digest, document_id
from relance.errors import DocumentError, GoneDocumentError, InputError, RelanceError, RetryableError
from relance.media.addresses import separator_in
from relance.media.moments import moment_in
from relance.media.request import MediaInfo, MediaRequest, RefusedMediaError, Remembered, Validators
from relance.media.thumbnails import Thumbnail
from relance.pipeline.media_memory import MediaMemory
from relance.pipeline.refused_media import read_refusal, write_refusal
from relance.store.failures import Failure
from relance.store.runs import Runs

if TYPE_CHECKING:
    from relance.embedding.providers import ModelInfo
    from relance.pipeline.runtime import Runtime

__all__ = ["Look", "Looks"]


@dataclass(slots=True, frozen=True)
class Look:
    """One item, what the index has of it, and what has to be asked to know whether that is still so.

    Attributes:
        row: of the manifest.
        memory: that of `row`.
        request: what has to be read or asked for.
        refused: what an earlier run has refused of the same item by the same rules.
    """

    item: Item
    row: dict[str, Any] | None
    memory: MediaMemory
    request: MediaRequest
    refused: RefusedMediaError | None = None

    @property
    def asked(self) -> MediaRequest:
        """The request that is made: of what was refused, whether it is still that."""
        if self.refused is None:
            return self.request
        return replace(self.request, known=self.refused.known, same=True, before=None)

    @property
    def payload(self) -> dict[str, Any]:
        """What its table or document says of it."""
        return self.item.row or {"caption": "", "title": "", "heading_path": [], "metadata": {}}

    @property
    def shown_at(self) -> str:
        """The addresses it has now, as a digest: signatures among them."""
        return digest("shown at", *self.request.places, size=8)

    def content_hash(self, found: MediaInfo, last_seen: str = "") -> str:
        """Name what a row says that is made of this; a new signature of its address is nothing new."""
        payload = dict(self.payload)
        if "urls" in payload:
            payload["urls"] = [self.request.identity(place) for place in payload["urls"]]
        known = json.dumps(payload, ensure_ascii=False, sort_keys=True)
        return digest("media", found.content_hash, known, *([last_seen] if last_seen else []))


@dataclass
class Looks:
    """Takes down what has become of the items of a batch.

    Attributes:
        refused: memories of failures by the ids of documents.
        gone: ids of documents that are to be removed by the rule for what is missing.
        guessed: documents of which nobody knows yet what they show.
        items: of `documents`, but for those that are pictures inside a page.
        thumbnails: what was drawn of `documents`.
    """

    runtime: Runtime
    refused: dict[str, str] = field(default_factory=dict)
    documents: list[Document] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    touched: list[dict[str, Any]] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    thumbnails: list[Thumbnail] = field(default_factory=list)
    unchanged: int = 0
    guessed: int = 0

    def open(self, item: Item, row: dict[str, Any] | None) -> Look:
        """Say what has to be read or asked for to know an item; raises DocumentError."""
        runtime, source = self.runtime, self.runtime.sources[item.source]
        item = source.permitted(item)
        places = tuple(item.row["urls"] if item.row is not None else [item.uri])

        def public_url(path: str) -> str:
            """Say where a service can fetch a file: a document may show one that lies in another source."""
            return next((url for each in runtime.sources if (url := each.public_url(path))), "")

        memory = MediaMemory.of(row)
        request = MediaRequest(
            item.uri, places, source.read_place, public_url, memory.known, identity=source.identity,
            views=source.views(item),
        )  # fmt: skip
        told = self.refused.get(document_id(item.uri)) if not runtime.full else None
        look = Look(item, row, memory, request, read_refusal(item, self._mark, told) if told else None)
        moment_s = moment_in(look.payload["metadata"], "moment_s") or 0.0
        look = replace(look, request=replace(request, caption=self._fused(look), moment_s=moment_s))
        request, before = look.request, memory.row
        if row is None or runtime.full or row["fingerprint"] != runtime.fingerprints.of(item):
            return look
        if before is None:  # an earlier version of relance wrote it
            return replace(look, request=replace(request, same=memory.version == item.version))
        if before.caption != self._fused(look):  # the picture has to be embedded with the new one
            return look
        # One that is hidden, or was missing, is written again as soon as it is there.
        same = (memory.version == item.version and before.shown_at == look.shown_at
                and bool(row["chunks"]) and not before.last_seen)  # fmt: skip
        return replace(look, request=replace(request, same=same, before=before))

    def take(self, look: Look, found: MediaInfo | RelanceError | None) -> None:
        """Take down what was found."""
        found = look.refused if found is None and look.refused is not None else found
        if isinstance(found, RelanceError):
            if not isinstance(found, InputError | RetryableError):
                raise found
            self._miss(look, found)
        elif found is None:  # the addresses still have what they had
            self.unchanged += 1
            left_out = [each.left_out for each in look.request.known.values() if each.left_out]
            if left_out:  # it was asked for again; any other warning stays as it is while the row does
                self._warn(look, left_out, look.memory.row.warning if look.memory.row is not None else "")
        else:
            self.guessed += found.guessed
            self._warn(look, found.left_out, found.warning)
            self._write(look, found, fused=self._fused(look))

    def _fused(self, look: Look) -> str:
        media = self.runtime.spec.media
        return look.payload["caption"] if media is not None and media.embedding.fuse else ""

    def _warn(self, look: Look, left_out: Sequence[str], warning: str) -> None:
        views = f"{len(left_out)} of {len(look.request.places)} views left out: {'; '.join(left_out)}"
        problem = look.payload.get("problem", "")
        if reason := "; ".join(filter(None, [views if left_out else "", warning, problem])):
            self.failed.append(Failure(look.item.uri, reason, "load", indexed=True))

    def _write(self, look: Look, found: MediaInfo, *, fused: str, last_seen: str = "", missed: int = 0,
               failed: bool = False) -> None:  # fmt: skip
        """Make a document of what was found, unless it is what the index has; `failed`: it counts already."""
        runtime, item, row = self.runtime, look.item, look.row
        content_hash = look.content_hash(found, last_seen)
        made = Remembered(
            found.kind, found.content_hash, found.media_type, found.width, found.height, found.duration_s, found.size,
            fused, found.parts, look.shown_at, last_seen, missed, found.warning, found.moments,
        )  # fmt: skip
        versions = runtime.fingerprints.versions(item, MediaMemory(item.version, found.known, made).text)
        if row is not None and row["content_hash"] == content_hash and not runtime.full:
            before = look.memory.row
            here = before is None or before.shown_at == made.shown_at
            if here and row["fingerprint"] == versions["fingerprint"]:
                if row["version"] != versions["version"]:
                    self.touched.append({**row, **versions})
                elif not failed:
                    self.unchanged += 1
                return
        info, payload = runtime.provider.info, look.payload
        words = int(runtime.provider.tokenizer.count([fused])[0]) if fused else 0
        if reason := _refusal(info, found.kind, found.parts, words):
            self.failed.append(Failure(item.uri, reason, "load"))
            return
        tokens = info.media_tokens.get(found.kind, 0) * max(1, found.parts) + words
        media = Media(
            found.kind, found.urls, found.data, found.media_types, found.content_hash, fused,
            tokens=tokens * max(1, len(found.moments)), files=found.files,
        )  # fmt: skip
        metadata = {"path": item.parent or item.uri, "media_type": found.media_type, **payload["metadata"]}
        document = MediaDocument(
            uri=item.uri, text=payload["caption"], media_type=found.media_type, content_hash=content_hash,
            title=payload["title"] or _name(look.request.places[0]), syntax="media", metadata=metadata, media=media,
            url=found.shown, heading_path=tuple(payload["heading_path"]), width=found.width, height=found.height,
            duration_s=found.duration_s, size=found.size,
            last_seen=datetime.fromisoformat(last_seen) if last_seen else None,
            kind="video" if found.media_type.startswith("video/") else found.kind, moments=found.moments,
            moment_s=moment_in(metadata, "moment_s"),
            access=tuple(payload["access"]) if "access" in payload else None,
        )  # fmt: skip
        self.documents.append(document)
        self.thumbnails += found.thumbnails
        if not any(
            place.startswith("data:") for place in look.request.places
        ):  # those are in memory already, and large
            self.items.append(item)
        self.rows.append({
            "doc_id": document.id, "uri": item.uri, "parent": document_id(item.parent) if item.parent else None,
            "collection": False, "content_hash": content_hash, "title": document.title, "chunks": 0, "tokens": 0,
            **versions,
        })  # fmt: skip

    # -- what cannot be had ------------------------------------------------------------------------------------

    def _miss(self, look: Look, error: RelanceError) -> None:
        """Note that a picture cannot be had: its row says what its table or document says now, with the old vector."""
        reason = error.reason if isinstance(error, DocumentError) else str(error)
        reason = f"{reason.rstrip('.')}; {hint}" if (hint := _hint(look)) else reason
        row, was = look.row, look.memory.row
        media = self.runtime.spec.media
        if (row is None or was is None or media is None or look.request.unasked
                or row["fingerprint"] != self.runtime.fingerprints.of(look.item)):  # fmt: skip
            self._fail(look, reason, error)
            return
        found = MediaInfo.again(look.request, was)
        if not isinstance(error, GoneDocumentError):
            self._fail(look, reason, error)
            if row["chunks"]:
                self._write(look, found, fused=was.caption, last_seen=was.last_seen, missed=was.missed,
                            failed=True)  # fmt: skip
            return
        rule = media.missing
        # No longer counted than it matters, so that a run that finds nothing new writes nothing.
        most = 1 if rule.rule == "keep" else rule.after
        missed, last_seen = min(was.missed + 1, most), was.last_seen or self._looked
        due = missed >= most
        what = "it stays in the index" if rule.rule == "keep" or not due else f"media.missing: {rule.rule}"
        self._fail(look, f"{reason.rstrip('.')}; last seen on {last_seen[:10]}, {what}", error)
        if rule.rule == "remove" and due:
            self.gone.append(row["doc_id"])
        elif rule.rule == "hide" and due:
            self._hide(look, row, replace(was, missed=missed, last_seen=last_seen, shown_at=look.shown_at), found.known)
        else:
            self._write(look, found, fused=was.caption, last_seen=last_seen, missed=missed, failed=True)

    def _hide(self, look: Look, row: dict[str, Any], made: Remembered, known: dict[str, Validators]) -> None:
        """Leave a document without its row: no search finds it, and what is known of it stays."""
        versions = self.runtime.fingerprints.versions(look.item, MediaMemory(known=known, row=made).text)
        hidden = {**row, **versions, "content_hash": digest("hidden"), "chunks": 0, "tokens": 0}
        if hidden != row:
            self.touched.append(hidden)

    def _fail(self, look: Look, reason: str, error: RelanceError) -> None:
        retryable = isinstance(error, RetryableError)
        memory = write_refusal(look.item, self._mark, error) if isinstance(error, RefusedMediaError) else ""
        self.failed.append(Failure(look.item.uri, reason, "load", retryable=retryable, memory=memory))

    @cached_property
    def _mark(self) -> str:
        """What decides whether a picture is refused."""
        return f"{self.runtime.loader.mark}/{self.runtime.provider.info.name}"

    @cached_property
    def _looked(self) -> str:
        """When the pictures were last looked at, by the log of runs; ISO, now where it does not say."""
        for run in Runs(self.runtime.store, self.runtime.spec.name).latest():
            whole = run["status"].startswith("completed") and not run["report"].get("partial")
            if whole and run["report"].get("part") == "media":
                return run["started_at"].astimezone(UTC).isoformat(timespec="seconds")
        return datetime.now(UTC).isoformat(timespec="seconds")


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
        return f"its caption has {counted(words, 'token')}, which are fused with it; {limit}"
    return ""


def _hint(look: Look) -> str:
    """Say what to do where a cell seems to hold several addresses and is read as one."""
    places, table = look.request.places, look.item.parent is not None and "shown_in" not in look.payload["metadata"]
    if not table or len(places) > 1 or not (separator := separator_in(places[0])):
        return ""
    return f'it looks like several addresses: set `url_separator: "{separator}"` of its `rows`'


def _name(place: str) -> str:
    """Name a picture nobody has named by its file."""
    if place.startswith("data:"):
        return ""
    return place.partition("?")[0].rstrip("/").rpartition("/")[2]
