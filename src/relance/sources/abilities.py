"""What some sources can do beside what all can: a kind inherits an ability, and callers look for it by `isinstance`."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from relance.documents import Item
from relance.sources.watched_folder import WatchedFolder

__all__ = [
    "ABILITIES", "Announcing", "Bucketed", "Linking", "Prefetching", "Pushed", "Remembered", "Remembering", "Watchable",
]  # fmt: skip


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


class Remembering(ABC):
    """Its items have a `memory`, which comes back before the next listing."""

    @abstractmethod
    def recall(self, remembered: Iterable[Remembered], *, full: bool = False) -> None:
        """Take up, before a listing, what earlier runs remembered: of all documents of the index that have a memory.

        `full`: everything is to be read again, whatever is remembered of it.
        """


class Prefetching(ABC):
    """It can fetch many items at once."""

    @abstractmethod
    def prefetch(self, items: Sequence[Item]) -> None:
        """Fetch items that are read one by one from now on. Raises nothing; what cannot be had, `read` says."""


class Linking(ABC):
    """It knows more of a document's page than `Location.link` says."""

    @abstractmethod
    def page(self, uri: str, metadata: Mapping[str, Any], line: int | None = None, line_end: int | None = None) -> str:
        """Return the page where people see what a hit is of; empty where there is none.

        Args:
            uri: of the document.
            metadata: of the document, as the index has it.
            line: of its file where the hit begins, from 1; None where that is not known.
            line_end: where it ends.
        """


class Watchable(ABC):
    """It reads a folder on this machine, whose changes can be watched."""

    @abstractmethod
    def watched(self, *, shown: bool = False) -> WatchedFolder:
        """Return the folder; `shown`: documents of the index may show images and videos of this source."""


class Announcing(ABC):
    """Its place says what changes, to whoever listens."""

    @abstractmethod
    def news(self, stop: threading.Event) -> Iterator[frozenset[str] | None] | None:
        """Stream uris of what the place says has changed, until stopped; None if its section says not to listen.

        None in place of uris: everything may have changed, as at the beginning and after each break. Something comes,
        if only no uris, a few times a second. Raises ConfigurationError where nobody can ever listen.
        """


class Bucketed(ABC):
    """It reads a bucket, whose notifications name objects."""

    @abstractmethod
    def named(self, bucket: str, key: str) -> str | None:
        """Return the uri of an object; asks nobody.

        Empty for what is in this bucket and cannot be a document of this source; None for another bucket.
        """


class Pushed(ABC):
    """It reads a branch of a repository, whose server says what is pushed to it."""

    @abstractmethod
    def reads(self, addresses: Sequence[str], branch: str, *, is_default: bool) -> bool:
        """Tell whether a push to a branch of the repository with these addresses may change what is listed."""

    @abstractmethod
    def pushed(self, paths: Iterable[str]) -> Mapping[str, str] | None:
        """Return the uris of pushed files by their paths, without those that are not read; None: any may be meant."""


ABILITIES: tuple[type, ...] = (Remembering, Prefetching, Linking, Watchable, Announcing, Bucketed, Pushed)
