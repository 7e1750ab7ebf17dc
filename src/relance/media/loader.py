"""Loading images and videos: files read, addresses asked, contents checked, before anything is spent on them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from relance.documents import MediaKind, digest
from relance.errors import (
    ConfigurationError,
    DocumentError,
    InputError,
    MissingExtraError,
    RelanceError,
    StoppedError,
)
from relance.http.event_loop import event_loop
from relance.media import Facts
from relance.media.fetch import FetchPolicy
from relance.media.request import MediaInfo, MediaRequest, Validators, is_address
from relance.media.rules import MediaRules

if TYPE_CHECKING:
    from anyio import CapacityLimiter
    from anyio.from_thread import BlockingPortal

    from relance.config import MediaSpec
    from relance.media.fetch import Fetched, Fetcher

__all__ = ["MediaLoader", "open_media_loader"]

Send = Literal["auto", "url", "data"]

_POLL_S = 0.2


@dataclass(slots=True, frozen=True)
class _Part:
    """A file that was looked at and may be sent: what it is, and what is sent of it."""

    facts: Facts
    content_hash: str
    url: str = ""
    data: bytes = b""
    media_type: str = ""


class MediaLoader:
    """Loads many things at once, on the process's event loop; a context manager."""

    def __init__(self, policy: FetchPolicy, rules: MediaRules, *, send: Send = "auto", scale: bool = False,
                 upload: bool = False, stop: Callable[[], bool] = lambda: False) -> None:  # fmt: skip
        self._policy = policy
        self._stop = stop
        self._rules = rules
        self._send = send
        self._scale = scale
        self._upload = upload
        self._exits = contextlib.ExitStack()
        self._portal: BlockingPortal | None = None
        self._fetcher: Fetcher | None = None
        self._decoders: CapacityLimiter | None = None

    def __enter__(self) -> Self:
        self._portal = self._exits.enter_context(event_loop())
        return self

    def __exit__(self, *error: object) -> None:
        if self._portal is not None and self._fetcher is not None:
            self._portal.call(self._fetcher.aclose)
        self._exits.close()

    def load(self, requests: list[MediaRequest]) -> list[MediaInfo | RelanceError | None]:
        """Load; None stands for what has not changed, an error for what cannot be had or used.

        Raises StoppedError soon after `stop` has become true: servers may take minutes to answer.
        """
        assert self._portal is not None  # noqa: S101  # used inside the with block
        return self._portal.call(self._load_all, requests)

    def guess(self, request: MediaRequest) -> MediaInfo | RelanceError | None:
        """Say what `load` would probably find, without fetching: what is known is unchanged, the rest is new."""
        addresses = request.addresses
        if request.same and addresses and set(addresses) <= set(request.known):
            return None
        from relance.parsers.media_types import media_type_of

        kinds = {media_type_of(place.partition("?")[0]).partition("/")[0] for place in request.places}
        kind: MediaKind = "images" if len(request.places) > 1 else ("video" if kinds == {"video"} else "image")
        hashes = []
        for place in request.places:
            try:
                if is_address(place):
                    hashes.append(
                        request.known[place].content_hash if place in request.known else digest("address", place)
                    )
                else:
                    hashes.append(self._part(request, place, None, scale=False).content_hash)
            except (InputError, MissingExtraError) as error:
                return _refusal(request, place, error)
        content_hash = hashes[0] if len(hashes) == 1 else digest("images", *hashes)
        return MediaInfo(kind, content_hash, request.places[0])

    async def _load_all(self, requests: list[MediaRequest]) -> list[MediaInfo | RelanceError | None]:
        import asyncio

        if self._fetcher is None:
            from anyio import CapacityLimiter

            from relance.media.fetch import Fetcher

            self._fetcher = Fetcher(self._policy)
            # A picture of 90 million pixels is a quarter of a gibibyte once decoded, and more at once is not faster.
            self._decoders = CapacityLimiter(os.cpu_count() or 1)
        tasks = [asyncio.create_task(self._load(request)) for request in requests]
        try:
            waiting = set(tasks)
            while waiting:
                _, waiting = await asyncio.wait(waiting, timeout=_POLL_S, return_when=asyncio.FIRST_EXCEPTION)
                if waiting and self._stop():
                    raise StoppedError("Fetching was stopped; the next run goes on from here.")
            return [task.result() for task in tasks]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _load(self, request: MediaRequest) -> MediaInfo | RelanceError | None:
        from anyio.to_thread import run_sync

        place = request.uri
        try:
            fetched = await self._fetch(request)
            if fetched is None:
                return None
            parts = []
            for place in request.places:
                parts.append(await run_sync(self._part, request, place, fetched.get(place), limiter=self._decoders))
        except (InputError, MissingExtraError) as error:
            return _refusal(request, place, error)
        except RelanceError as error:
            return error
        return self._found(request, parts, {place: _validators(each) for place, each in fetched.items()})

    async def _fetch(self, request: MediaRequest) -> dict[str, Fetched] | None:
        """Fetch all addresses, or return None if they still have what they had."""
        assert self._fetcher is not None  # noqa: S101  # _load_all opened it
        addresses = request.addresses
        known = request.known if request.same and set(addresses) <= set(request.known) else {}
        fetched: dict[str, Fetched] = {}
        for place in addresses:
            before = known.get(place, Validators())
            fetched[place] = await self._fetcher.fetch(place, etag=before.etag, last_modified=before.last_modified)
        # The same content under new validators is written down: the next run can then ask by them.
        if known and all(each.unchanged or _validators(each) == known[place] for place, each in fetched.items()):
            return None
        for place, each in fetched.items():  # a thing of several parts has one vector: one that is new needs them all
            if each.unchanged:
                fetched[place] = await self._fetcher.fetch(place)
        return fetched

    def _part(self, request: MediaRequest, place: str, fetched: Fetched | None, *, scale: bool = True) -> _Part:
        """Check one file and decide how it is sent; without `scale`, what could be made smaller counts as good."""
        from relance.media.addresses import data_url
        from relance.media.inspect import inspect
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
            check(facts, self._rules)
            if not address and self._upload:
                return _Part(facts, content_hash, data=data, media_type=facts.media_type)
            if not address:
                reason = "a video is sent by its address only: name that, or set `public_url` of its source"
                raise DocumentError(request.uri, reason)
            return _Part(facts, content_hash, url=address)
        if self._send == "auto" and (fetched is None or self._is_private(place)):
            address = ""
        inline = not address or self._send == "data"
        if self._scale and not scale:
            return _Part(facts, content_hash)
        if self._scale:
            from relance.media.scale import scale as scale_down

            smaller, scaled = scale_down(data, facts, self._rules)
            if smaller is not data:
                return _Part(facts, content_hash, data=smaller, media_type=scaled.media_type)
        check(facts, self._rules, inline=inline)
        if not inline:
            return _Part(facts, content_hash, url=address)
        return _Part(facts, content_hash, data=data, media_type=facts.media_type)

    def _is_private(self, url: str) -> bool:
        """Whether a host is one that only we can reach: those are named under `media.fetch.allow`."""
        from relance.media.fetch.syntax import canonical_host, split

        parts = split(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return self._policy.allows(canonical_host(parts.raw_host.decode("ascii")), port)

    def _found(
        self, request: MediaRequest, parts: list[_Part], memory: dict[str, Validators]
    ) -> MediaInfo | DocumentError:
        first = parts[0].facts
        kind: MediaKind = first.kind
        if len(parts) > 1:
            if any(part.facts.kind == "video" for part in parts):
                return DocumentError(
                    request.uri, "several views of one thing can be images only; give a video its own row"
                )
            kind = "images"
            if len({bool(part.url) for part in parts}) > 1:
                return DocumentError(
                    request.uri, "some of its images have public addresses and some do not; set media.send"
                )
        size = sum(part.facts.size for part in parts)
        hashes = [part.content_hash for part in parts]
        return MediaInfo(
            kind=kind,
            content_hash=hashes[0] if len(hashes) == 1 else digest("images", *hashes),
            shown=request.places[0] if not request.places[0].startswith("data:") else request.uri,
            urls=tuple(part.url for part in parts if part.url),
            data=tuple(part.data for part in parts if part.data),
            media_types=tuple(part.media_type for part in parts if part.data),
            media_type=first.media_type,
            width=first.width,
            height=first.height,
            duration_s=first.duration_s if kind == "video" else None,
            size=size,
            known=memory,
        )


def open_media_loader(
    spec: MediaSpec, rules: MediaRules | None, *, scale: bool, stop: Callable[[], bool] = lambda: False
) -> MediaLoader:
    """Prepare to load what a model takes; ConfigurationError for one of texts, or `allow` with what is no host."""
    if rules is None:
        msg = f"media.embedding.model: {spec.embedding.model} embeds texts only; name a multimodal model"
        raise ConfigurationError(msg)
    fetch = spec.fetch
    policy = FetchPolicy(
        allow=tuple(fetch.allow), max_bytes=int(fetch.max_size), timeout_s=fetch.timeout_s,
        connections=fetch.connections,
    )  # fmt: skip
    return MediaLoader(policy, rules, send=spec.send, scale=scale, upload=spec.embedding.lends, stop=stop)


def _refusal(request: MediaRequest, place: str, error: InputError | MissingExtraError) -> DocumentError:
    """Say which file is at fault where that is not the thing itself."""
    from relance.media.fetch.urls import shown

    reason = error.reason if isinstance(error, DocumentError) else str(error)
    reason = reason.removeprefix(f"{shown(request.uri)}: ")  # the thing itself need not be named twice
    if place == request.uri or place.startswith("data:"):
        return DocumentError(request.uri, reason)
    return DocumentError(request.uri, f"{shown(place) if is_address(place) else place}: {reason}")


def _validators(fetched: Fetched) -> Validators:
    return Validators(fetched.etag, fetched.last_modified, fetched.size, fetched.content_hash)
