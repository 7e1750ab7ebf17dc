"""The nouns that travel along the main path, and the ids that make a rerun land on the same rows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat
from pathlib import Path
from typing import Any, Literal, NamedTuple

__all__ = [
    "Chunk",
    "Content",
    "Document",
    "Ignored",
    "Item",
    "Media",
    "MediaDocument",
    "MediaKind",
    "Moment",
    "chunk_ids",
    "digest",
    "digests",
    "document_id",
    "occurrences",
]

MediaKind = Literal["image", "video", "images"]


def digest(*parts: str | bytes, size: int = 16) -> str:
    """Hash parts unambiguously to `2 × size` hex digits (BLAKE2b; each part is length-prefixed)."""
    state = hashlib.blake2b(digest_size=size)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def digests(kind: str, *columns: Sequence[str] | str, size: int = 16) -> bytes:
    """Hash many rows of parts, each as `digest(kind, *row)` does; returns `size` bytes a row, one after the other.

    A column that is a str is the same in all rows; at least one is a sequence.
    """
    pieces: list[Iterable[bytes]] = [repeat(_part(kind))]
    for column in columns:
        if isinstance(column, str):
            pieces.append(repeat(_part(column)))
        else:
            parts = [text.encode("utf-8", "surrogatepass") for text in column]
            pieces += [[len(part).to_bytes(8, "little") for part in parts], parts]
    messages = map(b"".join, zip(*pieces, strict=False))
    return b"".join([hashlib.blake2b(message, digest_size=size).digest() for message in messages])


def _part(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return len(data).to_bytes(8, "little") + data


def document_id(uri: str) -> str:
    """Name a document by where it is: 32 hex digits, the same on every machine and in every run."""
    return digest("document", uri)


@dataclass(slots=True, frozen=True)
class Item:
    """What a source lists without reading it.

    Attributes:
        uri: unique in the index; for files the path relative to the spec file, for a row `path#id`.
        version: changes whenever the content, or who may see it, may have changed (files: mtime and size; rows: content
            hash).
        media_type: what the parser registry goes by, e.g. `text/markdown`.
        size: bytes, 0 where unknown.
        source: position of the source in the spec.
        collection: True for a file of rows: it is no document itself, its parser lists what it holds; sources leave it.
        row: the payload of a row, as the parser read it.
        parent: uri of the collection a row came from.
        live: whether it may change without its version changing (what is behind an address), so that every run looks.
        memory: a JSON object that the source wants to see again in the next run, e.g. an ETag; empty for none. It
            decides nothing. With `live`, it is written also where the version is the same.
    """

    uri: str
    version: str
    media_type: str
    size: int = 0
    source: int = 0
    collection: bool = False
    row: dict[str, Any] | None = None
    parent: str | None = None
    live: bool = False
    memory: str = ""


@dataclass(slots=True, frozen=True)
class Ignored:
    """What a source has and the index has not, on purpose; it is counted by reason.

    Attributes:
        uri: of a file, or of a folder with all below it: then it ends with `/`.
        reason: a few words, the same for all of a kind, such as `hidden`.
        kind: what tells some of them from others, such as `.iso`; empty where nothing does.
    """

    uri: str
    reason: str
    kind: str = ""


@dataclass(slots=True, frozen=True)
class Media:
    """An image, a video, or several images of one thing, as it is embedded.

    Attributes:
        kind: what it is; `images` are several views of one thing that get one vector together.
        urls: addresses the service fetches itself.
        data: else the files themselves, sent as Base64.
        files: paths of more of them, of the run's staging area, which are read when they are sent.
        media_types: of `data`, then of `files`, e.g. `image/png`.
        content_hash: names the content, so that the same picture under two addresses is bought once.
        caption: fused with the picture into one vector where the spec asks for that; else empty.
        tokens: what it will probably be billed as.
    """

    kind: MediaKind
    urls: tuple[str, ...] = ()
    data: tuple[bytes, ...] = ()
    media_types: tuple[str, ...] = ()
    content_hash: str = ""
    caption: str = ""
    tokens: int = 0
    files: tuple[str, ...] = ()

    @property
    def is_there(self) -> bool:
        """Whether it has something to be sent; one whose vector is known has not."""
        return bool(self.urls or self.data or self.files)

    def contents(self) -> list[bytes]:
        """Return the files themselves, those that lie in the staging area included."""
        return [*self.data, *(Path(path).read_bytes() for path in self.files)]

    @property
    def size(self) -> int:
        """Bytes that it brings into a request."""
        return sum(map(len, self.data)) + sum(Path(path).stat().st_size for path in self.files)

    @property
    def identity(self) -> str:
        """Everything that decides its vector, as text: what stands in a vector's key instead of a text."""
        return f"\0{self.kind}\0{self.content_hash}\0{self.caption}"


class Moment(NamedTuple):
    """A key frame of a film that gets a row and a vector of its own.

    Attributes:
        moment_s: seconds from the film's start.
        content_hash: of the picture.
    """

    moment_s: float
    content_hash: str


@dataclass(slots=True, frozen=True)
class Content:
    """An item that has been read but not parsed: enough to see whether it really changed.

    Attributes:
        content_hash: of the data, unless a better one is given.
        metadata: what the source knows of it beside its bytes, as JSON values, e.g. `mtime`; who may see it under
            `principals`, where the source knows that.
    """

    item: Item
    data: bytes
    content_hash: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.content_hash:
            object.__setattr__(self, "content_hash", digest("file", self.data))


@dataclass(slots=True)
class Document:
    r"""A parsed item.

    Attributes:
        text: Unicode in NFC with `\n` line ends; chunk offsets count its characters.
        syntax: `markdown`, `text`, `row`, or `code:LANGUAGE`; what `chunking.strategy: auto` goes by.
        pages: character offset at which each page begins, for paged formats; else empty.
        warnings: what of it is not in the text, or is a guess: one sentence each, such as
            `pages 2 and 3 are pictures without text`.
        first_line: line of its file at which `text` begins, from 1, where that is the file's own text; else 0.
        access: who may see it; None: everybody.
    """

    uri: str
    text: str
    media_type: str
    content_hash: str
    title: str = ""
    syntax: str = "text"
    metadata: dict[str, Any] = field(default_factory=dict)
    pages: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    first_line: int = 0
    access: tuple[str, ...] | None = None

    @property
    def id(self) -> str:
        """The document's id."""
        return document_id(self.uri)


@dataclass(slots=True)
class MediaDocument(Document):
    """An image, a video, or several images of one thing; `text` is its caption, `heading_path` where it was shown.

    Attributes:
        media: what is embedded.
        url: where people can see it: an address, or the path of a file.
        width: pixels, 0 where unknown (several images); as `height`.
        duration_s: seconds, of videos.
        size: bytes.
        last_seen: when it was last found, where it is gone; else None.
        kind: what it is to people: a film is a `video`, also where pictures of it are embedded.
        moments: of a film: what the pictures of `media` are, if each gets a row of its own.
        moment_s: where in a film it is, in seconds, if its table says that.
    """

    media: Media = Media("image")
    url: str = ""
    heading_path: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    duration_s: float | None = None
    size: int = 0
    last_seen: datetime | None = None
    kind: MediaKind = "image"
    moments: tuple[Moment, ...] = ()
    moment_s: float | None = None


@dataclass(slots=True, frozen=True)
class Chunk:
    """A span of a document: `document.text[start:end]`.

    Attributes:
        tokens: exact number of tokens of that span alone, by the embedding model's tokenizer.
        heading_path: titles of the headings above the span, outermost first.
        lead: what the span needs before it to be read alone, and does not hold: the header of the table that it
            continues. It is embedded and shown with the span, and found by full-text search.
    """

    start: int
    end: int
    tokens: int
    heading_path: tuple[str, ...] = ()
    lead: str = ""


def chunk_ids(document: str, texts: list[str]) -> list[str]:
    """Name the chunks of one document (by id) by their text.

    An edit elsewhere in the document leaves a chunk's id alone; equal texts are told apart by their order.
    """
    return [digest("chunk", document, *each) for each in zip(texts, occurrences(texts), strict=True)]


def occurrences(texts: list[str]) -> list[str]:
    """Say of each text how often it came before."""
    if len(texts) == 1:
        return ["0"]
    seen: Counter[str] = Counter()
    found = []
    for text in texts:
        found.append(str(seen[text]))
        seen[text] += 1
    return found
