"""What is loaded, what was there the last time, and what is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any, Literal

from relance.documents import MediaKind, Moment, digest
from relance.errors import DocumentError
from relance.media.identity import Identity
from relance.media.thumbnails import Thumbnail

__all__ = ["MediaInfo", "MediaRequest", "RefusedMediaError", "Remembered", "Validators", "hash_of", "is_address"]


@dataclass(slots=True, frozen=True)
class Validators:
    """What an address had the last time: what to ask by, and what it was.

    Attributes:
        left_out: why this view of a thing is not used, where others are.
        fresh_until: seconds since 1970 until which nobody need ask again.
    """

    etag: str = ""
    last_modified: str = ""
    size: int = 0
    content_hash: str = ""
    left_out: str = ""
    fresh_until: int = field(default=0, compare=False)  # another date is no other content

    @property
    def values(self) -> tuple[Any, ...]:
        """As JSON holds it."""
        return astuple(self)


@dataclass(slots=True, frozen=True)
class Remembered:
    """What a row of the index is made of, so that it can be written again while its picture is not fetched.

    Attributes:
        content_hash, media_type, width, height, duration_s, size: as in `MediaInfo`.
        caption: fused with it into its vector.
        parts: pictures in it.
        shown_at: digest of the addresses that the row shows.
        last_seen: ISO time of the last run that found it, where a later one found nothing.
        missed: runs since then.
        warning: what of it is not embedded.
        moments: as in `MediaInfo`.
    """

    kind: MediaKind
    content_hash: str
    media_type: str = ""
    width: int = 0
    height: int = 0
    duration_s: float | None = None
    size: int = 0
    caption: str = ""
    parts: int = 1
    shown_at: str = ""
    last_seen: str = ""
    missed: int = 0
    warning: str = ""
    moments: tuple[Moment, ...] = ()

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
        known: what the addresses had the last time, by their identities.
        same: whether nothing but what is behind the addresses can have changed since.
        identity: which addresses are the same picture.
        before: what the row was made of, where it would be made so again of the same picture.
        views: whether all of several places have to be good, or any.
        caption: fused with it into its vector; None where its content is needed whether its vector is there or not.
        moment_s: of a film: the moment that its row is about, in seconds.
    """

    uri: str
    places: tuple[str, ...]
    read: Callable[[str], bytes]
    public_url: Callable[[str], str]
    known: dict[str, Validators]
    same: bool = False
    identity: Identity = field(default_factory=Identity)
    before: Remembered | None = None
    views: Literal["all", "any"] = "all"
    caption: str | None = None
    moment_s: float = 0.0

    def was(self, place: str) -> Validators | None:
        """Say what a place had the last time; None where that is not known."""
        return self.known.get(self.identity(place))

    @property
    def shown(self) -> str:
        """Where people can see it: its first place, or its name where that is the picture itself."""
        return self.uri if self.places[0].startswith("data:") else self.places[0]

    @property
    def unasked(self) -> bool:
        """Whether it has parts that no address is asked for: whether those are the same shows when they are read."""
        return not all(map(is_address, self.places))

    @property
    def addresses(self) -> list[str]:
        """Those of the places that have to be asked, each once."""
        return [place for place in dict.fromkeys(self.places) if is_address(place)]


class RefusedMediaError(DocumentError):
    """What was there is refused for good; `known` says what to ask by whether it is still that."""

    def __init__(self, uri: str, reason: str, known: dict[str, Validators]) -> None:
        super().__init__(uri, reason)
        self.known = known

    @classmethod
    def of(cls, error: DocumentError, known: dict[str, Validators]) -> RefusedMediaError:
        """Remember what was refused."""
        return cls(error.uri, error.reason, {name: replace(each, left_out="") for name, each in known.items()})


@dataclass(slots=True, frozen=True)
class MediaInfo:
    """What was there.

    Attributes:
        urls, data, files, media_types: as in `Media`: what will be sent.
        content_hash: of all parts together.
        shown: where people can see it.
        width, height: of the first part, as `duration_s`.
        size: bytes of all parts.
        known: what to ask the addresses by the next time, by their identities.
        parts: pictures in it.
        left_out: why views of it were left out.
        warning: what of the others is not embedded.
        guessed: whether nobody has looked at it yet.
        moments: of a film: what its pictures are, if each has a row and a vector of its own; then `kind`, `data`,
            `files` and `media_types` are of those, and `parts` is 1.
        thumbnails: what was drawn of it, and of no other thing before.
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
    parts: int = 1
    left_out: tuple[str, ...] = ()
    warning: str = ""
    files: tuple[str, ...] = ()
    guessed: bool = False
    moments: tuple[Moment, ...] = ()
    thumbnails: tuple[Thumbnail, ...] = ()

    @classmethod
    def again(cls, request: MediaRequest, was: Remembered) -> MediaInfo:
        """Make the info of what a row was made of the last time, without its content: its vector should be there."""
        known = {name: request.known[name] for place in request.addresses
                 if (name := request.identity(place)) in request.known}  # fmt: skip
        return cls(
            was.kind, was.content_hash, request.shown,
            media_type=was.media_type, width=was.width, height=was.height, duration_s=was.duration_s, size=was.size,
            known=known, parts=was.parts, left_out=tuple(each.left_out for each in known.values() if each.left_out),
            warning=was.warning, moments=tuple(Moment(*each) for each in was.moments),
        )  # fmt: skip


def is_address(place: str) -> bool:
    """Whether a place is asked over the network."""
    return place[:8].lower().startswith(("http://", "https://"))


def hash_of(parts: Sequence[str]) -> str:
    """Return the content hash of a thing from those of its parts, in their order."""
    return parts[0] if len(parts) == 1 else digest("images", *parts)
