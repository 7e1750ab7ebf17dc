"""The documents of a source: what it lists, with what the parsers make of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Protocol

import numpy as np
import pyarrow as pa

from relance.config import IndexSpec
from relance.documents import Content, Document, Ignored, Item, digest, digests
from relance.errors import ConfigurationError, DocumentError
from relance.parsers import Collection, Parsers, Raw, Row, Rows, parsers_of
from relance.parsers.decoding import codec
from relance.parsers.media_types import is_media
from relance.pipeline.access import Permits
from relance.pipeline.items import ITEMS, hex_column
from relance.pipeline.late_rows import key_table
from relance.pipeline.lines import first_line
from relance.sources import KeyedSource, Location, Prefetching, Remembered, Remembering, Source, listed, open_source

__all__ = ["Reader", "TextReader", "open_text_reader"]

# An office document or e-book may unpack to so many times the size limit of a file.
_UNPACKED = 20


class Reader(Protocol):
    """What discovery needs of a source and its parsers."""

    def list(self, only: frozenset[str] = frozenset()) -> Iterator[Item | DocumentError | Ignored]:
        """Stream the items; those with many documents are marked as collections.

        Where `only` some documents are looked at, a collection that is none of them may have no version.
        """
        ...

    def rows(
        self, collection: Item, names: frozenset[str] = frozenset()
    ) -> Iterator[Item | pa.Table | DocumentError | Ignored]:
        """Stream what a collection holds, as items or as tables of `ITEMS`, in which nothing is `known`.

        An error stands for one row, unless its uri is the collection's. Where only some rows are asked for by their
        names, others may be left out.
        """
        ...

    def location(self, uri: str = "") -> Location | None:
        """Say where a document or row is, or the source; None for what cannot be of this source."""
        ...

    def parser_version(self, media_type: str) -> str:
        """Name everything on this side that decides what becomes of such an item; part of the fingerprint."""
        ...


class TextReader:
    """A source with parsers: lists documents and rows, reads and parses one."""

    def __init__(self, source: Source, parsers: Parsers, *, skip_media: bool = False) -> None:
        """Put them together; ConfigurationError for an encoding nobody knows.

        `skip_media`: images and videos are another reader's business.
        """
        self.source = source
        self._parsers = parsers
        self._skip_media = skip_media
        self._section = source.spec
        self.permits = Permits.of(source.spec)
        self._rows = source.spec.read_rows
        self._collections: dict[str, bool] = {}
        try:
            self._encoding = codec(self._section.encoding) if self._section.encoding else ""
        except LookupError:
            raise ConfigurationError(f"encoding: {self._section.encoding!r} is no encoding Python knows") from None

    @property
    def remembers(self) -> bool:
        """Whether the source wants to recall what it knew in earlier runs."""
        return isinstance(self.source, Remembering)

    def recall(self, remembered: Iterable[Remembered], *, full: bool) -> None:
        """Give the source what it remembered in earlier runs."""
        if isinstance(self.source, Remembering):
            self.source.recall(map(self.permits.recalled, remembered), full=full)

    def list(self, only: frozenset[str] = frozenset()) -> Iterator[Item | DocumentError | Ignored]:
        """Stream the documents and collections of the source in its order."""
        rows = self._section.rows
        only_media = rows is not None and bool(rows.url) and "text" not in rows.model_fields_set
        for item in listed(self.source, only):
            if isinstance(item, DocumentError):
                yield item
            elif isinstance(item, Ignored):
                if not (self._skip_media and is_media(self._parsers.media_type_of(item.uri))):
                    yield item
            elif self._is_collection(item.media_type):
                if not only_media or self._parsers.collector(item.media_type, None) is not None:
                    # A memory alone is not worth reading all rows again.
                    live = item.live and not item.memory
                    yield replace(self.permits.dated(item), collection=True, live=live)
            elif not (self._skip_media and is_media(item.media_type)):
                yield self.permits.dated(item)

    def rows(self, collection: Item, names: frozenset[str] = frozenset()) -> Iterator[Item | pa.Table | DocumentError]:
        """Stream the documents of a collection; memory stays flat but for 12 bytes an id."""
        uri, listed = collection.uri, self.permits.listed(collection)
        if isinstance(self.source, KeyedSource) and (keys := self.source.keys(listed, names)) is not None:
            for each in keys:
                yield self.permits.dated_rows(key_table(collection, each))
            return
        try:
            with self.source.open(listed) as (stream, size):
                if not size:
                    yield DocumentError(uri, "empty file")
                    return
                yield from self._read_rows(collection, stream)
        except DocumentError as error:
            yield error

    def prefetch(self, items: Sequence[Item]) -> None:
        """Fetch items that are read one by one from now on, where the source can."""
        if isinstance(self.source, Prefetching):
            self.source.prefetch([self.permits.listed(item) for item in items if item.row is None])

    def named_rows(self, collection: Item, names: Sequence[str]) -> Iterator[pa.Table | DocumentError]:
        """Read rows of a collection whose source listed their names only; raises DocumentError, as `read`."""
        assert isinstance(self.source, KeyedSource)  # noqa: S101  # no other source lists names only
        with self.source.open_rows(collection, names) as (stream, _):
            for found in self._read_rows(collection, stream):
                assert not isinstance(found, Item)  # noqa: S101  # rows of Parquet have a text and nothing else
                yield found

    def _read_rows(self, collection: Item, stream: BinaryIO) -> Iterator[Item | pa.Table | DocumentError]:
        opened = Collection(
            stream, collection.uri, collection.media_type, self._rows, self._encoding, self._section.max_size
        )
        for block in self._parsers.blocks(opened):
            yield from block.errors
            yield from (_item(collection, row, self.permits) for row in block.documents)
            if block.names:
                yield _table(collection, block, self.permits)

    def read(self, item: Item) -> Content:
        """Read a document, unless no parser takes it; raises DocumentError with a plain reason."""
        if item.row is not None:
            return Content(item, json.dumps(item.row, ensure_ascii=False).encode(), item.version)
        if reason := self._parsers.refusal(item.media_type):
            raise DocumentError(item.uri, reason)
        content = self.source.read(self.permits.listed(item))
        if self.permits.access is None:
            return content
        return replace(content, item=item, content_hash=self.permits.hashed(content.content_hash, content.metadata))

    def parse(self, content: Content) -> Document:
        """Turn content into text; raises DocumentError with a plain reason."""
        item = content.item
        if item.row is not None:
            return self._with_access(_row_document(content))
        max_unpacked = _UNPACKED * self._section.max_size
        parsed = self._parsers.parse(Raw(content.data, item.uri, item.media_type, self._encoding, max_unpacked))
        return self._with_access(Document(
            uri=item.uri,
            text=parsed.text,
            media_type=item.media_type,
            content_hash=content.content_hash,
            title=_title(parsed.title, item.uri, content.metadata.get("name")),
            syntax=parsed.syntax,
            metadata=parsed.metadata | {"path": item.uri, "media_type": item.media_type} | content.metadata,
            pages=parsed.pages,
            warnings=parsed.warnings,
            first_line=first_line(content.data, parsed.text),
        ))  # fmt: skip

    def _with_access(self, document: Document) -> Document:
        document.access, problem = self.permits.take(document.metadata)
        document.warnings += (problem,) if problem else ()
        return document

    def location(self, uri: str = "") -> Location | None:
        """Say where a document or row is."""
        return self.source.location(uri)

    def parses_elsewhere(self, item: Item) -> bool:
        """Tell whether a document is parsed in a worker process: then others can be parsed at the same time."""
        return item.row is None and self._parsers.is_isolated(item.media_type)

    def parser_version(self, media_type: str) -> str:
        """Name the source, the parser, and the options that decide the text."""
        parser = self._parsers.version(media_type, encoding=self._encoding, rows=self._section.rows)
        return f"{self.source.version}/{parser}" if parser else ""

    def _is_collection(self, media_type: str) -> bool:
        known = self._collections.get(media_type)
        if known is None:
            known = self._parsers.collector(media_type, self._section.rows) is not None
            self._collections[media_type] = known
        return known


def open_text_reader(spec: IndexSpec, position: int, parsers: Parsers | None = None) -> TextReader:
    """Open the documents of the source at a position of `spec.sources`; by default with the spec's parsers."""
    parsers = parsers or parsers_of(spec)
    source = open_source(spec, position, media_type_of=parsers.media_type_of, wanted=parsers.knows)
    return TextReader(source, parsers, skip_media=spec.media is not None)


def _table(collection: Item, block: Rows, permits: Permits) -> pa.Table:
    """Make a table of `ITEMS` of rows; a version is a hash of all that is kept of a row."""
    uris, rows = [f"{collection.uri}#{name}" for name in block.names], len(block.names)
    texts = pa.array(block.texts, pa.string())
    known = [block.texts, block.titles, block.canonical, *([permits.mark] if permits.mark else [])]
    return pa.table(
        [
            uris,
            hex_column(digests("document", uris)),
            hex_column(digests("row", *known)),
            pa.repeat(collection.media_type, rows),
            np.diff(np.frombuffer(texts.buffers()[1], np.int32)[: rows + 1]).astype(np.int64),
            pa.repeat(pa.scalar(collection.source, pa.int32()), rows),
            pa.repeat(collection.uri, rows),
            pa.repeat(False, rows),
            pa.repeat(False, rows),
            texts,
            block.titles,
            block.metadata,
            pa.nulls(rows, pa.string()),
            pa.nulls(rows, pa.string()),
        ],
        schema=ITEMS,
    )


def _item(collection: Item, row: Row, permits: Permits) -> Item:
    """Make an item of a row that has more than a text; its version is a hash of all of it."""
    payload = {
        "text": row.text, "title": row.title, "metadata": row.metadata,
        "syntax": row.syntax, "pages": row.pages, "warnings": row.warnings,
    }  # fmt: skip
    made = Item(
        uri=f"{collection.uri}#{row.name}",
        version=digest("row document", json.dumps(payload, sort_keys=True)),
        media_type=row.media_type or collection.media_type,
        size=len(row.text.encode()),
        source=collection.source,
        row=payload,
        parent=collection.uri,
    )
    return permits.dated(made)


def _row_document(content: Content) -> Document:
    """Make a document of a row; its metadata is where it is and what its parser said."""
    row, item = json.loads(content.data), content.item
    return Document(
        uri=item.uri,
        text=row["text"],
        media_type=item.media_type,
        content_hash=content.content_hash,
        title=row["title"],
        syntax=row.get("syntax", "row"),
        metadata={"path": item.parent, "media_type": item.media_type, **row["metadata"]},
        pages=tuple(row.get("pages", ())),
        warnings=tuple(row.get("warnings", ())),
    )


def _title(title: str, uri: str, name: Any) -> str:
    """Take the name of a file for its title where a parser took the end of its uri, which may be an id."""
    if title == PurePosixPath(uri).stem and isinstance(name, str) and name:
        return PurePosixPath(name).stem
    return title
