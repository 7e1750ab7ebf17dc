"""Documents of a collection: one, and many at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from relance.errors import DocumentError

__all__ = ["BLOCK_CHARACTERS", "BLOCK_ROWS", "Row", "Rows", "gather", "in_blocks"]

# Beyond that, larger blocks are not faster (100,000 rows of 230 characters: 128 rows 0.9 CPU-s, 1,024 0.6, 4,096 0.6).
BLOCK_ROWS = 1000
BLOCK_CHARACTERS = 512 * 1024

T = TypeVar("T")


@dataclass(slots=True)
class Row:
    """One document of a collection.

    Attributes:
        name: unique in the collection; the document's uri is `COLLECTION#NAME`.
        text: of media: what the image or video shows, empty where nothing says so.
        metadata: JSON values.
        urls: where its images or videos are, as written; several are views of one thing.
        syntax: as in `Document`, as `pages` and `warnings`.
        media_type: its own; empty where it is that of the collection.
    """

    name: str
    text: str
    title: str
    metadata: dict[str, Any]
    urls: tuple[str, ...] = ()
    syntax: str = "row"
    pages: tuple[int, ...] = ()
    media_type: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it is a text with a title and metadata and nothing else."""
        return self.syntax == "row" and not (self.pages or self.media_type or self.warnings)


@dataclass(slots=True)
class Rows:
    """Some documents of a collection, column by column, and the errors that stand for others.

    Attributes:
        metadata: JSON objects as text.
        canonical: the same with sorted keys, which decides whether a row has changed.
        documents: those that have more than that, such as a syntax or pages.
    """

    names: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)
    canonical: list[str] = field(default_factory=list)
    urls: list[tuple[str, ...]] = field(default_factory=list)
    errors: list[DocumentError] = field(default_factory=list)
    documents: list[Row] = field(default_factory=list)

    def __iter__(self) -> Iterator[Row | DocumentError]:
        """Stream the documents one by one, then the errors."""
        for name, text, title, metadata, urls in zip(
            self.names, self.texts, self.titles, self.metadata, self.urls, strict=True
        ):
            yield Row(name, text, title, json.loads(metadata), urls)
        yield from self.documents
        yield from self.errors


def gather(found: Iterable[T], weigh: Callable[[T], int]) -> Iterator[list[T]]:
    """Put what is found into lists of a bounded number and weight; what was found before an error comes before it."""
    block: list[T] = []
    weight = 0
    try:
        for each in found:
            block.append(each)
            weight += weigh(each)
            if len(block) >= BLOCK_ROWS or weight > BLOCK_CHARACTERS:
                yield block
                block, weight = [], 0
    except Exception:
        yield block
        raise
    if block:
        yield block


def in_blocks(rows: Iterable[Row | DocumentError], uri: str) -> Iterator[Rows]:
    """Gather the rows of a collection; those that cannot be stored become errors."""
    for found in gather(rows, lambda row: len(row.text) if isinstance(row, Row) else 0):
        block = Rows(errors=[row for row in found if isinstance(row, DocumentError)])
        for row in found:
            if isinstance(row, Row):
                _add(block, row, uri)
        yield block


def _add(block: Rows, row: Row, uri: str) -> None:
    try:
        metadata, canonical = json.dumps(row.metadata), json.dumps(row.metadata, sort_keys=True)
    except (TypeError, ValueError) as error:
        block.errors.append(DocumentError(f"{uri}#{row.name}", f"its metadata are no JSON: {error}"))
        return
    try:
        f"{row.name}{row.text}{row.title}".encode()
    except UnicodeEncodeError as error:
        name = f"{uri}#{row.name}".encode("utf-8", "backslashreplace").decode()
        block.errors.append(DocumentError(name, f"its text is not valid Unicode: {error.reason}"))
        return
    if not row.is_plain:
        block.documents.append(row)
        return
    block.names.append(row.name)
    block.texts.append(row.text)
    block.titles.append(row.title)
    block.metadata.append(metadata)
    block.canonical.append(canonical)
    block.urls.append(row.urls)
