"""What a source is: a class that lists documents, reads one, and says where it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, ClassVar

from relance.config.sources import SourceSpec
from relance.documents import Content, Ignored, Item
from relance.errors import DocumentError
from relance.parsers.media_types import media_type_of

__all__ = ["Location", "Source", "SourceContext", "anything"]


@dataclass(slots=True, frozen=True)
class Location:
    """Where a source or something in it is.

    Attributes:
        text: what people call it, e.g. `docs` or `s3://bucket/docs`.
        path: where it is on this machine; None if it is not.
        url: where a service can fetch its bytes; empty if it cannot.
        link: a page where people see it; empty where there is none.
    """

    text: str
    path: Path | None = None
    url: str = ""
    link: str = ""


def anything(media_type: str) -> bool:  # noqa: ARG001  # that is its meaning
    """Want files of every type."""
    return True


@dataclass(slots=True, frozen=True)
class SourceContext:
    """What a source gets beside its section of the spec.

    Attributes:
        folder: the folder of the spec, absolute; what relative paths are relative to.
        position: of the section in the spec; each item carries it.
        media_type_of: names the media type of a file by its name.
        wanted: whether anything reads files of a media type; others are `Ignored`.
        own: files and folders of the index itself, absolute: its spec and its store are never documents.
        own_addresses: the same in object stores, as `s3://bucket/path`.
    """

    folder: Path
    position: int = 0
    media_type_of: Callable[[str], str] = media_type_of
    wanted: Callable[[str], bool] = anything
    own: tuple[Path, ...] = ()
    own_addresses: tuple[str, ...] = ()


class Source(ABC):
    """One place with documents. It parses nothing; methods are called from several threads.

    What only some kinds can do is in `abilities`, and in `KeyedSource` for tables.

    A constructor is cheap and opens nothing: `location` is asked on machines that cannot reach the place, too.

    Attributes:
        Spec: its section of the spec, whose `type` is the name it is installed under.
        version: changed when the same item would be read as other bytes; part of the fingerprint.
        reads_at_once: how many items are read at the same time: of a disk one, over a network more.
        has_pages: whether people can see a document at an address (`Location.link`); a search asks no others.
        libraries: modules that it imports when it is used and relance does not need, with the extra that brings each.
    """

    Spec: ClassVar[type[SourceSpec]]
    version: ClassVar[str]
    reads_at_once: ClassVar[int] = 1
    has_pages: ClassVar[bool] = True
    libraries: ClassVar[Mapping[str, str]] = {}

    def __init__(self, spec: SourceSpec, context: SourceContext) -> None:
        self.spec, self.context = spec, context

    @abstractmethod
    def list(self) -> Iterator[Item | DocumentError | Ignored]:
        """Stream what is there, cheaply and in a stable order, without reading content.

        What is there and no item, for a reason that the spec or the place gives, is `Ignored`, so that it is counted.

        A uri is a path from the spec's folder, or an address such as `s3://bucket/key`; the index has each once. A
        thing that cannot even be listed is an error with its uri, which ends with `/` if it stands for all below it.
        ConfigurationError if the place itself is missing: an unmounted folder is never taken for an empty one.
        SourceError, at any moment, if it cannot be listed to its end (the server is away, credentials are refused, a
        page of the listing fails after all retries): what is indexed of this source stays then, which is everything
        that has a `location`, and other sources go on. A listing that only may be incomplete is never ended silently.
        """

    @abstractmethod
    def read(self, item: Item) -> Content:
        """Read one item whole; raises DocumentError with a plain reason, also if it is larger than `spec.max_size`.

        Only its uri counts: pictures that documents show are read as well, listed or not.
        """

    @contextmanager
    def open(self, item: Item) -> Generator[tuple[BinaryIO, int]]:
        """Open a collection of any size: a seekable stream and its size in bytes; raises as `read`.

        Where a source has nothing better, it is read whole, and `spec.max_size` holds.
        """
        data = self.read(item).data
        yield BytesIO(data), len(data)

    @abstractmethod
    def location(self, uri: str = "") -> Location | None:
        """Say where a uri is, or the source as a whole; None for a uri that cannot be one of this source.

        What is in an item (a row, a message of a mailbox) or shown in it (a picture) has the item's uri, `#` and a
        name: it is where the item is. What has a location stays in the index when a listing breaks off.
        """
