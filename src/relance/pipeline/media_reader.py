"""The images and videos of a source: files, rows of tables, and what documents show."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from relance.config import IndexSpec, MediaSpec, SourceSpec, fingerprint
from relance.documents import Content, Ignored, Item, digest
from relance.errors import DocumentError
from relance.media.addresses import resolve
from relance.media.identity import Identity
from relance.media.vault import Vault
from relance.parsers import Collection, Parsers, Raw, Row, parsers_of
from relance.parsers.decoding import codec
from relance.parsers.media_types import is_media
from relance.pipeline.access import Permits
from relance.sources import Location, Source, listed, open_source
from relance.sources.local_file import read_file

__all__ = ["MediaReader", "open_media_reader"]

_MEMORY = 64 * 1024  # characters remembered of one document; one with pictures inside is parsed again
_ADDRESS = 256 * 1024  # bytes that what is behind an address counts as, so that a batch does not hold too many
_NAME = 200  # characters of an address that is ignored
_FRESH_S = 30.0  # so long, rows that were read again are fresh
_OUTSIDE = "it leads out of the folder of the spec and of this source"

_NOWHERE = "address in a document that leads out of the folder, or that is none of a picture"
# Name and payload of each picture a document shows; of one that is ignored the payload says why.
Shown = list[tuple[str, dict[str, Any]]]


class MediaReader:
    """A source with parsers: lists media, and the tables and documents that name them.

    An item is a file, or a row `path#id` whose payload says `urls` (addresses, paths from the spec's folder, or `data:`
    URIs), `caption`, `title`, `heading_path` and `metadata`. What is behind an address may change without a sign, so
    tables and documents are looked at on every run (`live`), as far as they show anything.

    Attributes:
        remembers: whether it wants to recall what it knew in earlier runs: always.
        remembered: uri → version of a document and what it shows, as JSON: parsing it again is spared.
    """

    remembers = True

    def __init__(self, source: Source, parsers: Parsers, media: MediaSpec) -> None:
        self.source = source
        self.remembered: dict[str, tuple[str, str]] = {}
        self._parsers, self._media, self._section = parsers, media, source.spec
        self.identity = Identity(media.identity)
        self.permits = Permits.of(source.spec)
        self._rows = source.spec.read_rows
        self._fresh: dict[str, tuple[float, dict[str, Sequence[str]]]] = {}
        self._reading = threading.Lock()
        self._kinds = _Kinds(source.spec, parsers, media)
        self._encoding = codec(self._section.encoding) if self._section.encoding else ""
        self._base = source.context.folder
        place = source.location()
        self._root = place.path if place is not None else None
        # A source outside the spec's folder may show what is in its own.
        prefix = Path(os.path.relpath(self._root, self._base)).as_posix() if self._root else ""
        self._vault = Vault(self._base, self._root)
        self._floor = prefix if prefix.startswith("..") else ""

    def list(self, only: frozenset[str] = frozenset()) -> Iterator[Item | DocumentError]:
        """Stream media files, and the tables and documents that name media."""
        for item in listed(self.source, only):
            if isinstance(item, Ignored):
                continue  # counted by the reader of texts
            if isinstance(item, DocumentError):
                yield item
                continue
            if is_media(item.media_type):
                yield self.permits.dated(replace(item, memory=""))  # the manifest has that of the picture
            elif self._kinds.is_table(item.media_type) or self._shows(item):
                yield replace(self.permits.dated(item), collection=True, live=True, memory="")

    def rows(
        self,
        collection: Item,
        names: frozenset[str] = frozenset(),  # noqa: ARG002  # all of them are looked at
    ) -> Iterator[Item | DocumentError | Ignored]:
        """Stream the media that a table or document names, and what of it is ignored."""
        try:
            if self._kinds.is_table(collection.media_type):
                yield from self._table(collection)
            else:
                yield from self._references(collection)
        except DocumentError as error:
            yield error

    def read_place(self, place: str) -> bytes:
        """Read what a row names: a path from the spec's folder, in it or in the source, or an address of the source.

        Raises DocumentError.
        """
        if "://" in place:
            return self.source.read(Item(place, "", self._parsers.media_type_of(place))).data
        path = self._base / place
        if not os.path.lexists(path):
            raise DocumentError(place, "there is no such file")
        folders = [os.path.realpath(folder) for folder in (self._base, self._root) if folder is not None]
        return read_file(path, place, folders, self._section.max_size, outside=_OUTSIDE)

    def views(self, item: Item) -> Literal["all", "any"]:
        """Say whether all pictures of an item have to be good, or any."""
        rows = self._section.rows
        return rows.views if rows is not None and self._kinds.is_table(item.media_type) else "all"

    def fresh(self, items: Sequence[Item]) -> Iterator[Item]:
        """Read the tables and documents of items again; yields those that have other addresses by now."""
        for item in items:
            if item.parent is None or item.row is None:
                continue
            table = Item(item.parent, "", item.media_type, source=item.source, collection=True, live=True)
            urls = self._addresses_now(table).get(item.uri)
            if urls is not None and urls != item.row["urls"]:
                yield self._item(item.uri, table, item.row | {"urls": urls})

    def _addresses_now(self, collection: Item) -> dict[str, Sequence[str]]:
        """Return the addresses of all rows, read now or a moment ago: many batches may ask at once."""
        with self._reading:
            read_at, found = self._fresh.get(collection.uri, (float("-inf"), {}))
            if time.monotonic() - read_at >= _FRESH_S:
                self.remembered.pop(collection.uri, None)
                rows = (row for row in self.rows(collection) if isinstance(row, Item) and row.row is not None)
                found = {row.uri: row.row["urls"] for row in rows if row.row is not None}
                self._fresh[collection.uri] = time.monotonic(), found
            return found

    def location(self, uri: str = "") -> Location | None:
        """Say where a file is, a row, or what a document shows."""
        return self.source.location(uri)

    def public_url(self, uri: str) -> str:
        """Say where a service can fetch a file of this source; empty if the spec does not say so."""
        place = self.source.location(uri)
        return place.url if place is not None else ""

    def parser_version(self, media_type: str) -> str:
        """Name the options that decide what is embedded of such an item."""
        version = f"{self.source.version}/media-1/{self._media.oversize}"
        if (frames := self._media.films.key_frames) and not media_type.startswith("image/"):
            version += f"/key-frames:{frames}"
        return f"{version}/{fingerprint(self._section.rows)}" if self._kinds.is_table(media_type) else version

    def recall(self, remembered: Iterable[tuple[str, str, str]], *, full: bool = False) -> None:
        """Take up what an earlier run remembered: uri, version and JSON of documents it has parsed."""
        for uri, version, memory in () if full else remembered:
            self.remembered[uri] = version, memory

    def _shows(self, item: Item) -> bool:
        marks = self._kinds.marks(item.media_type)
        if marks is None or self._root is None:
            return marks is not None  # from elsewhere it is read once; that it shows nothing is remembered
        try:
            data = self.source.read(item).data
        except DocumentError:
            return True  # nobody knows; reading it again says why, and what is indexed of it stays
        return marks.search(data.replace(b"\0", b"")) is not None  # UTF-16 has zeros in between

    def _table(self, collection: Item) -> Iterator[Item | DocumentError]:
        with self.source.open(self.permits.listed(collection)) as (stream, _):
            opened = Collection(
                stream, collection.uri, collection.media_type, self._rows, self._encoding, media=True,
                identity=self.identity,
            )  # fmt: skip
            for row in self._parsers.rows(opened):
                yield row if isinstance(row, DocumentError) else self._row(collection, row)

    def _row(self, collection: Item, row: Row) -> Item | DocumentError:
        uri, spec = f"{collection.uri}#{row.name}", self._section.rows
        assert spec is not None  # noqa: S101  # only tables with rows get here
        places = [resolve(url, collection.uri, self._floor, prefix=spec.url_prefix) for url in row.urls]
        if not all(places):
            reason = f"column {spec.url!r} holds no http address and no path below the spec's folder"
            return DocumentError(uri, reason)
        return self._item(uri, collection, self._permitted(_payload(places, row.text, row.title, (), row.metadata)))

    def _references(self, collection: Item) -> Iterator[Item | DocumentError | Ignored]:
        version = f"{self._parsers.version(collection.media_type, encoding=self._encoding)}{self.permits.mark}"
        known, memory = self.remembered.get(collection.uri, ("", ""))
        if known == collection.version and memory.startswith(json.dumps({"parser": version})[:-1] + ","):
            rows = json.loads(memory)["rows"]
        else:
            rows, lasting = self._shown_in(collection)
            memory = json.dumps({"parser": version, "rows": rows}, ensure_ascii=False)
            self.remembered[collection.uri] = collection.version, memory if lasting and len(memory) < _MEMORY else ""
        for name, row in rows:
            if "ignored" in row:
                yield Ignored(f"{collection.uri}#{name}", row["ignored"])
                continue
            yield self._item(f"{collection.uri}#{name}", collection, row)

    def _shown_in(self, collection: Item) -> tuple[Shown, bool]:
        """Parse a document: name and payload of each picture it shows, and whether that lasts while it is the same."""
        content = self.source.read(self.permits.listed(collection))
        data = content.data
        rows: Shown = []
        lasting = True
        readers = self._readers_of(collection, content)
        for each in self._parsers.references(Raw(data, collection.uri, collection.media_type, self._encoding)):
            place = resolve(each.url, collection.uri, self._floor)
            if reason := each.ignored or ("" if place else _NOWHERE):
                rows.append((each.url[:_NAME], {"ignored": reason}))
                continue
            if each.by_name and (found := self._vault.find(place)) != place:
                place, lasting = found, False  # the file may move, and the document says nothing of it
            name = f"data:{digest('data', place)}" if place.startswith("data:") else self.identity(each.url)
            title = each.title or (each.heading_path[-1] if each.heading_path else "")
            caption = each.alt or each.caption or each.title
            payload = _payload([place], caption, title, each.heading_path, {"shown_in": collection.uri})
            rows.append((name, payload | readers))
        return rows, lasting

    def permitted(self, item: Item) -> Item:
        """Say of a file that is an image or video who may see it, as its source knows."""
        if self.permits.access is None or item.row is not None:
            return item
        metadata = self.source.read(self.permits.listed(item)).metadata if self.permits.access.read_from else {}
        payload = self._permitted(_payload([item.uri], "", "", (), dict(metadata)))
        return replace(item, row=payload | {"metadata": {}})

    def _permitted(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Note who may see what a payload describes, by its metadata."""
        access, problem = self.permits.take(payload["metadata"])
        return payload | ({} if access is None else {"access": access, "problem": problem})

    def _readers_of(self, collection: Item, content: Content) -> dict[str, Any]:
        """Say who may see what a document shows: those who may see the document."""
        access = self.permits.access
        if access is None:
            return {}
        metadata = dict(content.metadata)
        if access.read_from and access.read_from not in metadata:
            raw = Raw(content.data, collection.uri, collection.media_type, self._encoding)
            metadata = self._parsers.parse(raw).metadata | metadata
        return {name: value for name, value in self._permitted({"metadata": metadata}).items() if name != "metadata"}

    def _item(self, uri: str, collection: Item, row: dict[str, Any]) -> Item:
        """Make an item that changes with its local files, and is looked at in every run if it has addresses."""
        known = json.dumps(row | {"urls": list(map(self.identity, row["urls"]))}, ensure_ascii=False, sort_keys=True)
        version, size, live = digest("media row", known), 0, False
        for place in row["urls"]:
            if place.startswith("data:"):
                continue
            if "://" in place:
                size += _ADDRESS
                live = True
                continue
            try:
                status = (self._base / place).stat()
            except OSError:
                continue  # reading it will say so
            version = digest("dated", version, f"{status.st_mtime_ns:x}-{status.st_size:x}")
            size += status.st_size
        kind, position = collection.media_type, collection.source
        return Item(uri, version, kind, size, position, row=row, parent=collection.uri, live=live)


def open_media_reader(spec: IndexSpec, position: int, parsers: Parsers | None = None) -> MediaReader:
    """Open the media of the source at a position of `spec.sources`; by default with the spec's parsers."""
    assert spec.media is not None  # noqa: S101  # nobody asks for the media of an index without
    parsers = parsers or parsers_of(spec)
    wanted = _Kinds(spec.sources[position], parsers, spec.media).wanted
    source = open_source(spec, position, media_type_of=parsers.media_type_of, wanted=wanted)
    return MediaReader(source, parsers, spec.media)


class _Kinds:
    """Which media types are media, or may name some."""

    def __init__(self, section: SourceSpec, parsers: Parsers, media: MediaSpec) -> None:
        self._rows, self._parsers, self._media = section.rows, parsers, media

    def wanted(self, media_type: str) -> bool:
        """Whether files of this type are looked at at all."""
        return is_media(media_type) or self.is_table(media_type) or self.marks(media_type) is not None

    def is_table(self, media_type: str) -> bool:
        """Whether their rows name media."""
        named = self._rows is not None and bool(self._rows.url)
        return named and self._parsers.collector(media_type, self._rows) is not None

    def marks(self, media_type: str) -> re.Pattern[bytes] | None:
        """Return what the bytes of a document match if it shows media; None where none does."""
        parser = self._parsers.of(media_type) if self._media.references else None
        return parser.media_marks if parser is not None else None


def _payload(
    places: list[str], caption: str, title: str, heading_path: tuple[str, ...], metadata: dict[str, Any]
) -> dict[str, Any]:
    path = list(heading_path)
    return {"urls": places, "caption": caption, "title": title, "heading_path": path, "metadata": metadata}
