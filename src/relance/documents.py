"""The nouns that travel along the main path, and the ids that make a rerun land on the same rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Chunk", "Content", "Document", "Item", "chunk_ids", "digest", "document_id"]


def digest(*parts: str | bytes, size: int = 16) -> str:
    """Hash parts unambiguously to `2 × size` hex digits (BLAKE2b; each part is length-prefixed)."""
    state = hashlib.blake2b(digest_size=size)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def document_id(uri: str) -> str:
    """Name a document by where it is: 32 hex digits, the same on every machine and in every run."""
    return digest("document", uri)


@dataclass(slots=True, frozen=True)
class Item:
    """What a source lists without reading it.

    Attributes:
        uri: unique in the index; for files the path relative to the spec file, for a row `path#id`.
        version: changes whenever the content may have changed (files: mtime and size; rows: content hash).
        media_type: what the parser registry goes by, e.g. `text/markdown`.
        size: bytes, 0 where unknown.
        source: position of the source in the spec.
        container: True for a file of rows: it is no document itself, `Source.rows` lists what it holds.
        row: the payload of a row, as the source read it.
        parent: uri of the container a row came from.
    """

    uri: str
    version: str
    media_type: str
    size: int = 0
    source: int = 0
    container: bool = False
    row: dict[str, Any] | None = None
    parent: str | None = None


@dataclass(slots=True, frozen=True)
class Content:
    """An item that has been read but not parsed: enough to see whether it really changed."""

    item: Item
    data: bytes
    content_hash: str


@dataclass(slots=True)
class Document:
    r"""A parsed item.

    Attributes:
        text: Unicode in NFC with `\n` line ends; chunk offsets count its characters.
        syntax: `markdown`, `text`, `row`, or `code:LANGUAGE`; what `chunking.strategy: auto` goes by.
        pages: character offset at which each page begins, for paged formats; else empty.
    """

    uri: str
    text: str
    media_type: str
    content_hash: str
    title: str = ""
    syntax: str = "text"
    metadata: dict[str, Any] = field(default_factory=dict)
    pages: tuple[int, ...] = ()

    @property
    def id(self) -> str:
        """The document's id."""
        return document_id(self.uri)


@dataclass(slots=True, frozen=True)
class Chunk:
    """A span of a document: `document.text[start:end]`.

    Attributes:
        tokens: exact number of tokens of that span alone, by the embedding model's tokenizer.
        heading_path: titles of the headings above the span, outermost first.
    """

    start: int
    end: int
    tokens: int
    heading_path: tuple[str, ...] = ()


def chunk_ids(document: str, texts: list[str]) -> list[str]:
    """Name the chunks of one document (by id) by their text.

    An edit elsewhere in the document leaves a chunk's id alone; equal texts are told apart by their order.
    """
    seen: dict[str, int] = {}
    ids = []
    for text in texts:
        occurrence = seen.get(text, 0)
        seen[text] = occurrence + 1
        ids.append(digest("chunk", document, text, str(occurrence)))
    return ids
