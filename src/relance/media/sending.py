"""How a file is sent: by its address, as it is, or as a copy that the model takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from relance.documents import Moment, digest
from relance.errors import InputError
from relance.fetch import FetchPolicy
from relance.media import Facts
from relance.media.identity import expiry
from relance.media.prepare import Animated, Copies
from relance.media.request import MediaRequest
from relance.media.rules import MediaRules
from relance.media.spill import Spill

if TYPE_CHECKING:
    from relance.fetch import Fetched

__all__ = ["NO_ADDRESS", "File", "Part", "Sender", "Sending"]

# Without so many seconds left, a signed address may have expired when the service comes to fetch it.
_LEAST_LIFE_S = 900.0
NO_ADDRESS = (
    "a video is sent by its address only: name that, set `public_url` of its source, or with media.embedding.upload: "
    "true the service is lent the file (DashScope in Beijing)"
)


@dataclass(slots=True, frozen=True)
class Sending:
    """What a spec says of how files are sent.

    Attributes:
        send: addresses or files; `auto` sends addresses that last.
        scale: what is too large is made smaller.
        upload: the service takes films as files.
        animated: which pictures of an animation are sent.
        key_frames: most pictures of a film that get a vector each; 0 where it has one vector.
    """

    send: Literal["auto", "url", "data"] = "auto"
    scale: bool = False
    upload: bool = False
    animated: Animated = "first"
    key_frames: int = 0


@dataclass(slots=True, frozen=True)
class File:
    """What is at one of the places of a thing.

    Attributes:
        name: what messages call it.
        address: where a service may fetch it; empty where it cannot.
        lasts: whether `auto` sends a picture by that address.
    """

    name: str
    data: bytes
    content_hash: str
    address: str = ""
    lasts: bool = False


@dataclass(slots=True, frozen=True)
class Part:
    """A file that was looked at and may be sent: what it is, and what is sent of it, if that is made already.

    Attributes:
        count: pictures that are sent of it.
        copied: whether they are another thing than the file: some frames of it.
        moments: of a film: what the pictures are, if each gets a vector of its own.
    """

    facts: Facts
    content_hash: str
    url: str = ""
    data: tuple[bytes, ...] = ()
    files: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    warning: str = ""
    count: int = 1
    copied: bool = False
    moments: tuple[Moment, ...] = ()

    @classmethod
    def of(cls, facts: Facts, content_hash: str, copies: Copies) -> Part:
        """Make a part of which copies are sent."""
        if copies.mark:
            content_hash = digest("copies", content_hash, copies.mark)
        return cls(
            facts, content_hash, data=copies.data, media_types=copies.media_types, warning=copies.warning,
            count=copies.count, copied=bool(copies.mark), moments=copies.moments,
        )  # fmt: skip


class Sender:
    """Checks files, and decides how they are sent.

    Args:
        rules: what the model takes.
        policy: names hosts that are asked although they are private: a service cannot reach those.
        sending: what the spec says.
        spill: where what is sent waits; None is memory.
    """

    def __init__(self, rules: MediaRules, policy: FetchPolicy, sending: Sending, spill: Spill | None = None) -> None:
        self._rules, self._policy, self.sending, self._spill = rules, policy, sending, spill

    def file(self, request: MediaRequest, place: str, fetched: Fetched | None) -> File:
        """Take what was fetched from a place, or read it; raises DocumentError."""
        from relance.media.addresses import data_url

        if fetched is not None:
            lasts = not (self._policy.allows_url(place) or _expires(place))
            return File(place, fetched.data, fetched.content_hash, place, lasts)
        if place.startswith("data:"):
            name, data, address = request.uri, data_url(place), ""
        else:
            name, data, address = place, request.read(place), request.public_url(place)
        return File(name, data, digest("file", data), address)

    def outlooks(self, file: File) -> list[Part]:
        """Say what `part` would make of a file, by its header: one of these. Empty where it might refuse it.

        Raises InputError and MissingExtraError.
        """
        from relance.media.inspect import describe
        from relance.media.prepare import film_outlooks, picture_outlook

        facts = describe(file.data, file.name)
        if facts.kind == "image":
            copies = [picture_outlook(facts, self._rules, animated=self.sending.animated)]
            return [Part.of(facts, file.content_hash, each) for each in copies if self._takes(file, facts)]
        if self.sending.key_frames:
            return []
        try:
            self._check_film(file, facts)
        except InputError:
            if not self._sends_frames:
                raise
            return [Part.of(facts, file.content_hash, each) for each in film_outlooks(facts, self._rules)]
        return [Part(facts, file.content_hash)]

    def part(self, file: File, *, scale: bool = True) -> Part:
        """Check a file and decide how it is sent; without `scale`, what could be made smaller counts as good."""
        from relance.media.inspect import inspect
        from relance.media.prepare import picture_copies
        from relance.media.rules import check

        how, facts = self.sending, inspect(file.data, file.name)
        if facts.kind == "video":
            return self._film(file, facts, scale=scale)
        address = self._address(file)
        copies = None
        if not address or how.send != "url":  # else the address is sent, whatever is behind it
            if not scale and (how.scale or facts.media_type not in self._rules.image_formats):
                return Part(facts, file.content_hash)
            copies = picture_copies(file.data, facts, self._rules, scale=how.scale, animated=how.animated)
        if copies is not None and copies.data:
            return Part.of(facts, file.content_hash, copies)
        warning = copies.warning if copies is not None else ""
        inline = not address or how.send == "data"
        check(facts, self._rules, inline=inline)
        if not inline:
            return Part(facts, file.content_hash, url=address, warning=warning)
        return Part(facts, file.content_hash, data=(file.data,), media_types=(facts.media_type,), warning=warning)

    def kept(self, file: File) -> Part:
        """Check a file, and let what is sent of it wait where there is room."""
        part = self.part(file)
        if self._spill is None or not self._spill.takes(sum(map(len, part.data))):
            return part
        return replace(part, data=(), files=tuple([self._spill.keep(each) for each in part.data]))

    def _film(self, file: File, facts: Facts, *, scale: bool) -> Part:
        """Decide how a film is sent: as it is, or by key frames where the spec says or allows that."""
        from relance.media.prepare import film_copies, film_moments

        if self.sending.key_frames:
            # The film itself is not sent, so that it may have any size and format.
            copies = film_moments(file.data, facts, self._rules, self.sending.key_frames)
            return Part.of(facts, file.content_hash, copies)
        try:
            self._check_film(file, facts)
        except InputError:
            if not self._sends_frames:
                raise
            copies = film_copies(file.data, facts, self._rules) if scale else Copies((), ())
            return Part.of(facts, file.content_hash, copies)
        if not file.address:
            return Part(facts, file.content_hash, data=(file.data,), media_types=(facts.media_type,))
        return Part(facts, file.content_hash, url=file.address)

    @property
    def _sends_frames(self) -> bool:
        """Whether key frames may be sent of a film."""
        return self.sending.scale and self._rules.views > 1

    def _address(self, file: File) -> str:
        """Return the address by which a picture is sent, if it is."""
        return file.address if file.lasts or self.sending.send != "auto" else ""

    def _takes(self, file: File, facts: Facts) -> bool:
        """Whether a picture can surely be sent, as it is or as a copy; raises InputError where it surely cannot."""
        from relance.media.rules import check

        how, rules, address = self.sending, self._rules, self._address(file)
        if address and how.send == "url":
            check(facts, rules)
            return True
        written = next((each for each in ("image/jpeg", "image/png") if each in rules.image_formats), "")
        if facts.media_type in rules.image_formats and not how.scale:
            check(facts, rules, inline=not address or how.send == "data")
            return True
        if not written:
            return False
        check(replace(facts, media_type=written, size=0), replace(rules, max_pixels=0) if how.scale else rules)
        # A JPEG has less than a byte a pixel; whether a larger picture fits shows when it is written.
        return how.scale or facts.width * facts.height <= rules.max_inline_bytes(written)

    def _check_film(self, file: File, facts: Facts) -> None:
        from relance.media.rules import check

        check(facts, self._rules)
        if not file.address and not self.sending.upload:
            raise InputError(NO_ADDRESS)


def _expires(place: str) -> bool:
    ends = expiry(place)
    return ends is not None and (ends - datetime.now(UTC)).total_seconds() < _LEAST_LIFE_S
