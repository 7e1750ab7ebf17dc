"""Images and videos: files, addresses in tables, and what documents show."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from relance.config import FilesSource, MediaSpec, fingerprint
from relance.documents import Content, Document, Item, digest
from relance.errors import DocumentError
from relance.media.request import is_address
from relance.parsers.media_types import TABLES, is_media
from relance.sources.files import Files
from relance.sources.media_rows import list_media_rows, media_row
from relance.sources.walk import inside

__all__ = ["MediaFiles"]

_DOCUMENTS = frozenset({"text/markdown", "text/html", "application/xhtml+xml"})
# Part of what is remembered of a document: changed when the same bytes would show something else.
_PARSER = "references-1"
_MEMORY = 64 * 1024  # characters remembered of one document; one with pictures inside is parsed again
_ADDRESS = 256 * 1024  # bytes that what is behind an address counts as, so that a batch does not hold too many
_SHOWS = re.compile(rb"!\[|<(?:img|video)\b", re.IGNORECASE)


# Name and payload of each picture a document shows.
Shown = list[tuple[str, dict[str, Any]]]


class MediaFiles(Files):
    """The media of a `files` source.

    An item is a file, or a row `path#id` whose payload says `urls` (addresses, paths from the spec's folder, or `data:`
    URIs), `caption`, `title`, `heading_path` and `metadata`. What is behind an address may change without a sign, so
    tables and documents are looked at on every run (`live`), as far as they show anything.

    Attributes:
        remembered: uri → version of a document and what it shows, as JSON: parsing it again is spared.
    """

    def __init__(self, section: FilesSource, root: Path, base: Path, position: int, media: MediaSpec) -> None:
        super().__init__(section, root, base, position)
        self.remembered: dict[str, tuple[str, str]] = {}
        self._media = media
        self._base = base
        # A source outside the spec's folder may show what is in its own.
        self._floor = self._prefix.rstrip("/") if self._prefix.startswith("..") else ""

    def list(self) -> Iterator[Item | DocumentError]:
        """Stream media files, and the tables and documents that name media."""
        for item in self._files():
            if isinstance(item, DocumentError):
                yield item
            elif is_media(item.media_type):
                yield _as(item, collection=False)
            elif item.media_type in TABLES:
                if self._section.rows is not None and self._section.rows.url:
                    yield _as(item, collection=True)
            elif item.media_type in _DOCUMENTS and self._media.references and self._shows(item):
                yield _as(item, collection=True)

    def rows(self, collection: Item) -> Iterator[Item | DocumentError]:
        """Stream the media that a table or document names."""
        if collection.media_type in TABLES:
            yield from self._table(collection)
        else:
            yield from self._references(collection)

    def read(self, item: Item) -> Content:
        """Read a file; of a row its payload only, for fetching is done for many at once."""
        if item.row is not None:
            return Content(item, json.dumps(item.row, ensure_ascii=False).encode(), item.version)
        data = self.read_file(item.uri)
        return Content(item, data, digest("file", data))

    def read_file(self, uri: str) -> bytes:
        """Read a local file by its path from the spec's folder; DocumentError unless it is there or in the source."""
        path = self._base / uri
        if not os.path.lexists(path):
            raise DocumentError(uri, "there is no such file")
        real = os.path.realpath(path)
        if not (inside(real, os.path.realpath(self._base)) or inside(real, self._real_root)):
            raise DocumentError(uri, "it leads out of the folder of the spec and of this source")
        return self._read_path(path, uri, real)

    def public_url(self, uri: str) -> str:
        """Say where a service can fetch a local file; empty if the spec does not say so."""
        prefix = self._section.public_url
        if not prefix or not uri.startswith(self._prefix):
            return ""
        from urllib.parse import quote

        return f"{prefix.rstrip('/')}/{quote(uri.removeprefix(self._prefix))}"

    def parse(self, content: Content) -> Document:
        """Media are not parsed."""
        raise DocumentError(content.item.uri, "no text in it")

    def parser_version(self, media_type: str) -> str:
        """Name the options that decide what is embedded of such an item."""
        rows = self._section.rows
        version = f"media-1/{self._media.oversize}"
        return f"{version}/{fingerprint(rows)}" if rows is not None and media_type in TABLES else version

    def _wanted(self, path: str) -> bool:
        from relance.parsers.media_types import media_type_of

        if self._include is not None:
            return bool(self._include.verdict(path))
        media_type = media_type_of(path)
        return is_media(media_type) or media_type in _DOCUMENTS or media_type in TABLES

    def _shows(self, item: Item) -> bool:
        try:
            data = self._read_path(self._base / item.uri, item.uri, self._real_root)
        except DocumentError:
            return True  # nobody knows; reading it again says why, and what is indexed of it stays
        return _SHOWS.search(data.replace(b"\0", b"")) is not None  # UTF-16 has zeros in between

    def _table(self, collection: Item) -> Iterator[Item | DocumentError]:
        assert self._section.rows is not None  # noqa: S101  # list() looked
        try:
            with self._open(collection.uri) as (stream, _):
                rows = list_media_rows(
                    stream, collection, self._section.rows, root=self._floor, encoding=self._encoding
                )
                yield from (each if isinstance(each, DocumentError) else self._dated(each) for each in rows)
        except DocumentError as error:
            yield error
        except OSError as error:
            yield DocumentError(collection.uri, (error.strerror or str(error)).lower())

    def _references(self, collection: Item) -> Iterator[Item | DocumentError]:
        known = self.remembered.get(collection.uri)
        if known is None or known[0] != collection.version or not known[1]:
            try:
                rows = self._shown_in(collection)
            except DocumentError as error:
                yield error
                return
            memory = json.dumps({"parser": _PARSER, "rows": rows}, ensure_ascii=False)
            self.remembered[collection.uri] = collection.version, memory if len(memory) < _MEMORY else ""
        else:
            rows = json.loads(known[1])["rows"]
        for name, row in rows:
            yield self._dated(media_row(f"{collection.uri}#{name}", collection, row))

    def _shown_in(self, collection: Item) -> Shown:
        """Parse a document; returns the name and payload of each picture it shows."""
        from relance.media.references import references, resolve

        data = self._read_path(self._base / collection.uri, collection.uri, self._real_root)
        rows = []
        for each in references(data, collection.media_type, collection.uri, self._encoding):
            place = resolve(each.url, collection.uri, self._floor)
            if not place or place.partition("?")[0].lower().endswith(".svg"):
                continue  # it leads out of the folder, or is nothing that has pixels
            name = f"data:{digest('data', place)}" if place.startswith("data:") else each.url
            row = {
                "urls": [place],
                "caption": each.alt or each.caption or each.title,
                "title": each.title or (each.heading_path[-1] if each.heading_path else ""),
                "heading_path": list(each.heading_path),
                "metadata": {"shown_in": collection.uri},
            }
            rows.append((name, row))
        return rows

    def recall(self, memories: Iterable[tuple[str, str, str]]) -> None:
        """Take up what an earlier run remembered: uri, version and JSON of documents it has parsed."""
        for uri, version, memory in memories:
            if memory.startswith(f'{{"parser": "{_PARSER}"'):
                self.remembered[uri] = version, memory

    def _dated(self, item: Item) -> Item:
        """Let a row change with its local files, and be looked at in every run if it has addresses."""
        assert item.row is not None  # noqa: S101  # rows only
        places: list[str] = item.row["urls"]
        version, size = item.version, 0
        for place in places:
            if is_address(place):
                size += _ADDRESS
            if is_address(place) or place.startswith("data:"):
                continue
            try:
                status = (self._base / place).stat()
            except OSError:
                continue  # reading it will say so
            version = digest("dated", version, f"{status.st_mtime_ns:x}-{status.st_size:x}")
            size += status.st_size
        live = any(map(is_address, places))
        return Item(item.uri, version, item.media_type, size, item.source, row=item.row, parent=item.parent, live=live)


def _as(item: Item, *, collection: bool) -> Item:
    return Item(item.uri, item.version, item.media_type, item.size, item.source, collection=collection, live=collection)
