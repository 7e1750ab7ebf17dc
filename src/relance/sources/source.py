"""What a source is: a class that lists documents, reads one, and says where it is."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple

from relance.config.sources import SourceSpec
from relance.documents import Content, Ignored, Item
from relance.errors import DocumentError
from relance.parsers.media_types import media_type_of
from relance.sources.watched_folder import WatchedFolder

__all__ = ["Location", "Remembered", "Source", "SourceContext", "anything"]


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


class Remembered(NamedTuple):
    """A document of an index, with what its source wanted to remember of it.

    Attributes:
        uri: of the document; it may be one of another source.
        version: of the item that was indexed.
        memory: of the same item.
    """

    uri: str
    version: str
    memory: str


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

    A constructor is cheap and opens nothing: `location` is asked on machines that cannot reach the place, too.

    Attributes:
        Spec: its section of the spec, whose `type` is the name it is installed under.
        version: changed when the same item would be read as other bytes; part of the fingerprint.
        reads_at_once: how many items are read at the same time: of a disk one, over a network more.
        libraries: modules that it imports when it is used and relance does not need, with the extra that brings each.
        remembers: whether its items have a `memory`, so that `recall` is called before each listing.
    """

    Spec: ClassVar[type[SourceSpec]]
    version: ClassVar[str]
    reads_at_once: ClassVar[int] = 1
    libraries: ClassVar[Mapping[str, str]] = {}
    remembers: ClassVar[bool] = False

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

    def recall(self, remembered: Iterable[Remembered], *, full: bool = False) -> None:  # noqa: B027  # most need none
        """Take up, before a listing, what earlier runs remembered: of all documents of the index that have a memory.

        `full`: everything is to be read again, whatever is remembered of it.
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

    def expect(self, items: Sequence[Item]) -> None:  # noqa: B027  # most places have nothing to prepare
        """Prepare to read items one by one, which begins now: a source that can fetch many at once does so here.

        Raises nothing; what cannot be had, `read` says.
        """

    @abstractmethod
    def location(self, uri: str = "") -> Location | None:
        """Say where a uri is, or the source as a whole; None for a uri that cannot be one of this source."""

    def page(self, uri: str, metadata: Mapping[str, Any], line: int | None = None, line_end: int | None = None) -> str:  # noqa: ARG002  # most pages show no lines
        """Return the page where people see what a hit is of; empty where there is none.

        Args:
            uri: of the document.
            metadata: of the document, as the index has it.
            line: of its file where the hit begins, from 1; None where that is not known.
            line_end: where it ends.
        """
        place = self.location(uri)
        return place.link if place is not None else ""

    def named(self, bucket: str, key: str) -> str | None:  # noqa: ARG002  # most places are no buckets
        """Return the uri of what a bucket's notification is about; asks nobody.

        Empty for what is in this bucket and cannot be a document of this source; None for another bucket.
        """
        return None

    def news(self, stop: threading.Event) -> Iterator[frozenset[str] | None] | None:  # noqa: ARG002  # most say nothing
        """Listen to the place until stopped: stream uris of what it says has changed; None where it says nothing.

        None in place of uris: everything may have changed, as at the beginning and after each break. Something comes,
        if only no uris, a few times a second. Raises ConfigurationError where nobody can ever listen.
        """
        return None

    def watched(self, *, shown: bool = False) -> WatchedFolder | None:  # noqa: ARG002  # most places cannot be watched
        """Return the folder whose changes can be watched; None where there is none.

        `shown`: documents of the index may show images and videos of this source.
        """
        return None
