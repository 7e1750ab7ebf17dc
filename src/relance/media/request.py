"""What is loaded, what was there the last time, and what is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from typing import Any

from relance.documents import MediaKind

__all__ = ["MediaInfo", "MediaRequest", "Validators", "is_address"]


@dataclass(slots=True, frozen=True)
class Validators:
    """What an address had the last time: what to ask by, and what it was."""

    etag: str = ""
    last_modified: str = ""
    size: int = 0
    content_hash: str = ""

    @property
    def values(self) -> tuple[Any, ...]:
        """As JSON holds it."""
        return astuple(self)


@dataclass(slots=True, frozen=True)
class MediaRequest:
    """One thing to load.

    Attributes:
        uri: its name in the index.
        places: addresses, `data:` URIs and paths; several are views of one thing.
        read: gives the bytes of a path.
        public_url: gives the address of a path, or "".
        known: what the addresses had the last time.
        same: whether nothing but what is behind the addresses can have changed since.
    """

    uri: str
    places: tuple[str, ...]
    read: Callable[[str], bytes]
    public_url: Callable[[str], str]
    known: dict[str, Validators]
    same: bool = False

    @property
    def addresses(self) -> list[str]:
        """Those of the places that have to be asked, each once."""
        return [place for place in dict.fromkeys(self.places) if is_address(place)]


@dataclass(slots=True, frozen=True)
class MediaInfo:
    """What was there.

    Attributes:
        urls, data, media_types: as in `Media`: what will be sent.
        content_hash: of all parts together.
        shown: where people can see it.
        width, height: of the first part, as `duration_s`.
        size: bytes of all parts.
        known: what to ask the addresses by the next time.
    """

    kind: MediaKind
    content_hash: str
    shown: str
    urls: tuple[str, ...] = ()
    data: tuple[bytes, ...] = ()
    media_types: tuple[str, ...] = ()
    media_type: str = ""
    width: int = 0
    height: int = 0
    duration_s: float | None = None
    size: int = 0
    known: dict[str, Validators] = field(default_factory=dict)


def is_address(place: str) -> bool:
    """Whether a place is asked over the network."""
    return place[:8].lower().startswith(("http://", "https://"))
