"""How a file is sent: by its address, as it is, or as a copy that the model takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from relance.documents import Moment, digest
from relance.errors import DocumentError, InputError, RelanceError
from relance.media import Facts
from relance.media.answers import Answers
from relance.media.fetch import FetchPolicy
from relance.media.identity import expiry
from relance.media.prepare import Animated, Copies
from relance.media.request import MediaRequest
from relance.media.rules import MediaRules
from relance.media.spill import Spill

if TYPE_CHECKING:
    from relance.media.fetch import Fetched

__all__ = ["Part", "Send", "Sender"]

Send = Literal["auto", "url", "data"]

# Without so many seconds left, a signed address may have expired when the service comes to fetch it.
_LEAST_LIFE_S = 900.0


@dataclass(slots=True, frozen=True)
class Part:
    """A file that was looked at and may be sent: what it is, and what is sent of it."""

    facts: Facts
    content_hash: str
    url: str = ""
    data: tuple[bytes, ...] = ()
    files: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    warning: str = ""
    place: str = ""
    moments: tuple[Moment, ...] = ()

    @classmethod
    def of(cls, facts: Facts, content_hash: str, copies: Copies) -> Part:
        """Make a part of which copies are sent."""
        if copies.mark:
            content_hash = digest("copies", content_hash, copies.mark)
        return cls(facts, content_hash, data=copies.data, media_types=copies.media_types, warning=copies.warning,
                   moments=copies.moments)  # fmt: skip

    @property
    def is_film_in_frames(self) -> bool:
        """Whether pictures are sent of a film."""
        return self.facts.kind == "video" and self.media_types[:1] != () and self.media_types[0].startswith("image/")


class Sender:
    """Checks files, and decides how they are sent.

    Args:
        rules: what the model takes.
        policy: names hosts that are asked although they are private: a service cannot reach those.
        send: addresses or files; `auto` sends addresses that last.
        scale: what is too large is made smaller.
        upload: the service takes films as files.
        animated: which pictures of an animation are sent.
        key_frames: most pictures of a film that get a vector each; 0 where it has one vector.
        spill: where what is sent waits; None is memory.
    """

    def __init__(self, rules: MediaRules, policy: FetchPolicy, *, send: Send = "auto",
                 scale: bool = False, upload: bool = False, animated: Animated = "first",
                 key_frames: int = 0, spill: Spill | None = None) -> None:  # fmt: skip
        self._rules, self._policy, self._send, self._scale = rules, policy, send, scale
        self._upload, self._key_frames, self._spill = upload, key_frames, spill
        self._animated: Animated = animated

    def part(self, request: MediaRequest, place: str, fetched: Fetched | None, *, scale: bool = True) -> Part:
        """Check one file and decide how it is sent; without `scale`, what could be made smaller counts as good."""
        from relance.media.addresses import data_url
        from relance.media.inspect import inspect
        from relance.media.prepare import picture_copies
        from relance.media.rules import check

        if fetched is not None:
            data, address = fetched.data, place
        elif place.startswith("data:"):
            data, address = data_url(place), ""
        else:
            data, address = request.read(place), request.public_url(place)
        facts = inspect(data, request.uri if place.startswith("data:") else place)
        content_hash = digest("file", data)
        if facts.kind == "video":
            return self._film(request, data, facts, content_hash, address, scale=scale)
        if self._send == "auto" and (fetched is None or self._policy.allows_url(place) or _expires(place)):
            address = ""
        copies = None
        if not address or self._send != "url":  # else the address is sent, whatever is behind it
            if not scale and (self._scale or facts.media_type not in self._rules.image_formats):
                return Part(facts, content_hash)
            copies = picture_copies(data, facts, self._rules, scale=self._scale, animated=self._animated)
        if copies is not None and copies.data:
            return Part.of(facts, content_hash, copies)
        warning = copies.warning if copies is not None else ""
        inline = not address or self._send == "data"
        check(facts, self._rules, inline=inline)
        if not inline:
            return Part(facts, content_hash, url=address, warning=warning)
        return Part(facts, content_hash, data=(data,), media_types=(facts.media_type,), warning=warning)

    def kept(self, request: MediaRequest, place: str, fetched: Fetched | None) -> Part:
        """Check a file, and let what is sent of it wait where there is room."""
        part = replace(self.part(request, place, fetched), place=place)
        if self._spill is None or not self._spill.takes(sum(map(len, part.data))):
            return part
        return replace(part, data=(), files=tuple([self._spill.keep(each) for each in part.data]))

    def all_as_data(self, request: MediaRequest, parts: list[Part], answers: Answers) -> list[Part]:
        """Send all pictures of a set within the request: some of them could be sent by an address."""
        return [self._as_data(request, part, answers) if part.url else part for part in parts]

    def _as_data(self, request: MediaRequest, part: Part, answers: Answers) -> Part:
        """Send a picture within the request that could be sent by its address."""
        from relance.media.rules import check

        check(part.facts, self._rules, inline=True)
        answer = answers.get(part.place)
        data = request.read(part.place) if answer is None or isinstance(answer, RelanceError) else answer.data
        return replace(part, url="", data=(data,), media_types=(part.facts.media_type,))

    def _film(self, request: MediaRequest, data: bytes, facts: Facts, content_hash: str, address: str, *,
              scale: bool) -> Part:  # fmt: skip
        """Decide how a film is sent: as it is, or by key frames where the spec says or allows that."""
        from relance.media.prepare import film_copies, film_moments
        from relance.media.rules import check

        if self._key_frames:
            # The film itself is not sent, so that it may have any size and format.
            copies = film_moments(data, facts, self._rules, self._key_frames)
            return Part.of(facts, content_hash, copies)
        try:
            check(facts, self._rules)
            if not address and not self._upload:
                reason = "a video is sent by its address only: name that, or set `public_url` of its source"
                raise DocumentError(request.uri, reason)
        except InputError:
            if not self._scale or self._rules.views < 2:
                raise
            copies = film_copies(data, facts, self._rules) if scale else Copies((), ())
            return Part.of(facts, content_hash, copies)
        if not address:
            return Part(facts, content_hash, data=(data,), media_types=(facts.media_type,))
        return Part(facts, content_hash, url=address)


def _expires(place: str) -> bool:
    ends = expiry(place)
    return ends is not None and (ends - datetime.now(UTC)).total_seconds() < _LEAST_LIFE_S
