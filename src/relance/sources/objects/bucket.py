"""What speaks for a bucket: four methods, and the errors in which they say what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple, Protocol

__all__ = ["ABSENT", "Bucket", "BucketError", "Found", "NoBucketError", "Opened", "UnlistableKeyError", "alias_of"]

ABSENT = "it vanished while being read"


class Found(NamedTuple):
    """An object as a listing has it.

    Attributes:
        key: whole.
        version: of a bucket that keeps earlier ones, where the listing says it.
        odd: why it cannot be read; empty if it can.
    """

    key: str
    size: int
    etag: str = ""
    version: str = ""
    modified: datetime | None = None
    odd: str = ""


class Opened(NamedTuple):
    """An object whose parts can be read.

    Attributes:
        read: returns the bytes from one place to before another; BucketError once the object is another one.
    """

    size: int
    modified: datetime | None
    read: Callable[[int, int], bytes]


class Bucket(Protocol):
    """A bucket by one library. Nothing is asked of the service before the first call; threads share it."""

    def list(self, prefix: str) -> Iterator[Found]:
        """Stream all objects below a prefix, which ends with `/` or is empty.

        Raises NoBucketError if there is no such bucket, UnlistableKeyError, and BucketError for everything else.
        """
        ...

    def read(self, key: str, most: int) -> tuple[bytes | None, int, datetime | None]:
        """Read an object: its bytes (None if there are more than `most`), size and time of modification."""
        ...

    def open(self, key: str) -> Opened:
        """Open an object of any size."""
        ...

    def sign(self, key: str, seconds: int) -> str:
        """Return an address by which anybody can fetch an object for so long; asks the service nothing."""
        ...


class BucketError(Exception):
    """A call failed, for a reason of a few words."""


class NoBucketError(BucketError):
    """There is no such bucket."""


class UnlistableKeyError(BucketError):
    """The library gives up the listing because of a key in it."""


def alias_of(key: str) -> str:
    """Say why a listing cannot be trusted: two objects have the same name in it."""
    return (
        f"a key begins with / and looks like {key!r}, so that they cannot be distinguished; rename it, or give the "
        "source a folder"
    )
