"""Where documents come from. `open_source` turns a section of the spec into a `Source`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from relance.config import IndexSpec, SourceSpec
from relance.documents import Content, Document, Item
from relance.errors import DocumentError

if TYPE_CHECKING:
    from relance.sources.media import MediaFiles

__all__ = ["Source", "open_media_source", "open_source"]


class Source(Protocol):
    """One place with documents; methods are called from several threads."""

    def list(self) -> Iterator[Item | DocumentError]:
        """Stream what is there, cheaply and in a stable order, without reading content.

        A thing that cannot even be listed is yielded as an error; ConfigurationError when the source itself is
        missing, so that an unmounted folder is never taken for an empty one.
        """
        ...

    def rows(self, collection: Item) -> Iterator[Item | DocumentError]:
        """Stream the rows of a collection; an error stands for one row, unless its uri is the collection's."""
        ...

    def read(self, item: Item) -> Content:
        """Read one item; raises DocumentError with a plain reason."""
        ...

    def parse(self, content: Content) -> Document:
        """Turn content into text; raises DocumentError with a plain reason."""
        ...

    def parser_version(self, media_type: str) -> str:
        """Name everything on this side that decides the text of such an item; part of the fingerprint."""
        ...


def open_source(spec: IndexSpec, position: int) -> Source:
    """Open the source at a position of `spec.sources`."""
    section: SourceSpec = spec.sources[position]
    match section.type:
        case "files":
            from relance.sources.files import Files

            root, skip_media = spec.path(section.root), spec.media is not None
            return Files(section, root=root, base=spec.folder, position=position, skip_media=skip_media)


def open_media_source(spec: IndexSpec, position: int) -> MediaFiles:
    """Open the media of the source at a position of `spec.sources`."""
    from relance.sources.media import MediaFiles

    section: SourceSpec = spec.sources[position]
    assert spec.media is not None  # noqa: S101  # nobody asks for the media of an index without
    return MediaFiles(section, root=spec.path(section.root), base=spec.path("."), position=position, media=spec.media)
