"""Loading images and videos: files read, addresses asked, contents checked, before anything is spent on them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import astuple, fields
from functools import partial
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from relance.config.fingerprint import fingerprint
from relance.documents import Media, MediaKind, Moment, digest
from relance.errors import (
    ConfigurationError,
    InputError,
    MissingExtraError,
    RelanceError,
    StoppedError,
)
from relance.fetch import FetchPolicy
from relance.http.byte_gate import ByteGate, Held
from relance.http.event_loop import event_loop
from relance.media.composing import Composer
from relance.media.declared import host_rules
from relance.media.known import Known
from relance.media.outcomes import Outcomes, is_same, refusal, renewed
from relance.media.request import MediaInfo, MediaRequest, Validators, hash_of, is_address
from relance.media.rules import MediaRules
from relance.media.sending import Sender, Sending
from relance.media.spill import Spill
from relance.media.thumbnails import ThumbnailDrawer

if TYPE_CHECKING:
    from anyio import CapacityLimiter
    from anyio.from_thread import BlockingPortal

    from relance.config import MediaSpec
    from relance.config.media import FetchSpec
    from relance.fetch import Fetched, Fetcher
    from relance.media.resending import Resender

__all__ = ["MediaLoader", "open_media_loader"]

_POLL_S = 0.2
# Bytes that an unknown picture is expected to have: a photograph's at first, then as the last one had.
_EXPECTED, _LEAST_EXPECTED = 16 << 20, 32 << 10
_NOTHING: Mapping[str, str] = MappingProxyType({})


class MediaLoader:
    """Loads many things at once, on the process's event loop; a context manager."""

    def __init__(self, policy: FetchPolicy, rules: MediaRules, sending: Sending | None = None, *,
                 buffer: int = 64 << 20, spill: Spill | None = None, known: Known | None = None,
                 drawer: ThumbnailDrawer | None = None,
                 stop: Callable[[], bool] = lambda: False) -> None:  # fmt: skip
        self._policy, self._rules, self._sending = policy, rules, sending or Sending()
        self._stop = stop
        self._buffer = buffer
        self._sender = Sender(rules, policy, self._sending, spill)
        self._composer = Composer(self._sender, known, drawer)
        self._gate: ByteGate | None = None
        self._expected = min(_EXPECTED, buffer)
        self._exits = contextlib.ExitStack()
        self._portal: BlockingPortal | None = None
        self._fetcher: Fetcher | None = None
        self._decoders: CapacityLimiter | None = None
        self._resender: Resender | None = None

    def __enter__(self) -> Self:
        self._portal = self._exits.enter_context(event_loop())
        return self

    def __exit__(self, *error: object) -> None:
        if self._portal is not None and self._fetcher is not None:
            self._portal.call(self._fetcher.aclose)
        self._exits.close()

    @property
    def mark(self) -> str:
        """A short hash of all that decides whether a file is refused."""
        rules = [getattr(self._rules, each.name) for each in fields(self._rules)]
        plain = [sorted(each) if isinstance(each, frozenset) else each for each in rules]
        return fingerprint(version("relance"), plain, *astuple(self._sending), self._policy.max_bytes)

    def load(self, requests: list[MediaRequest]) -> list[MediaInfo | RelanceError | None]:
        """Load; None stands for what has not changed, an error for what cannot be had or used.

        Raises StoppedError soon after `stop` has become true: servers may take minutes to answer.
        """
        assert self._portal is not None  # noqa: S101  # used inside the with block
        return self._portal.call(self._load_all, requests)

    def guess(
        self, request: MediaRequest, known_elsewhere: Mapping[str, str] = _NOTHING
    ) -> MediaInfo | RelanceError | None:
        """Say what `load` would probably find, without fetching: what is known is unchanged, the rest is new.

        `known_elsewhere` are content hashes of other rows' addresses, by identity.
        """
        known = [request.was(place) for place in request.addresses]
        if known and all(known):
            if request.same:
                return None
            if request.before is not None and not request.unasked:
                return MediaInfo.again(request, request.before)
        from relance.parsers.media_types import media_type_of

        kinds = {media_type_of(place.partition("?")[0]).partition("/")[0] for place in request.places}
        kind: MediaKind = "images" if len(request.places) > 1 else ("video" if kinds == {"video"} else "image")
        hashes, guessed = [], False
        moments: tuple[Moment, ...] = ()
        for place in request.places:
            try:
                if is_address(place):
                    was, name = request.was(place) or Validators(), request.identity(place)
                    known_hash = was.content_hash or known_elsewhere.get(name, "")
                    hashes.append(known_hash or digest("address", name))
                    guessed |= not known_hash
                    if kind == "video":  # it has so many at most
                        frames = range(self._sending.key_frames)
                        moments = tuple(Moment(float(at), digest("moment", hashes[-1], str(at))) for at in frames)
                else:
                    file = self._sender.file(request, place, None)
                    part = self._sender.part(file, scale=False)
                    hashes.append(part.content_hash)
                    moments = part.moments if len(request.places) == 1 else ()
            except (InputError, MissingExtraError) as error:
                return refusal(request, place, error)
        kind = "image" if moments and kind == "video" else kind
        return MediaInfo(kind, hash_of(hashes), request.places[0], parts=len(hashes), guessed=guessed, moments=moments)

    async def instead(self, media: Media) -> Media:
        """Give the file in place of an address that a service could not fetch; see `Resender.instead`."""
        return await self._resending().instead(media)

    def prepared(self, inputs: list[Any]) -> list[Any]:
        """Give files in place of the addresses from which the service could fetch nothing so far, in this run."""
        if self._resender is None:
            return inputs
        assert self._portal is not None  # noqa: S101  # used inside the with block
        return self._portal.call(self._resender.prepared, inputs)

    def _resending(self) -> Resender:
        if self._resender is None:
            from relance.media.resending import Resender

            fetcher, decoders = self._opened()
            self._resender = Resender(fetcher, decoders, self._composer, forbidden=self._sending.send == "url")
        return self._resender

    def _opened(self) -> tuple[Fetcher, CapacityLimiter]:
        if self._fetcher is None or self._decoders is None:
            from anyio import CapacityLimiter

            from relance.fetch import Fetcher
            from relance.media.head import check_head

            how = self._sending
            look = partial(check_head, rules=self._rules, scale=how.scale, films=bool(how.key_frames))
            self._fetcher = Fetcher(self._policy, look=look)
            # A picture of 90 million pixels is a quarter of a gibibyte once decoded, and more at once is not faster.
            self._gate = ByteGate(self._buffer)
            self._decoders = CapacityLimiter(os.cpu_count() or 1)
        return self._fetcher, self._decoders

    async def _load_all(self, requests: list[MediaRequest]) -> list[MediaInfo | RelanceError | None]:
        import asyncio

        self._opened()
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
        assert self._gate is not None  # noqa: S101  # _load_all opened it
        # What is there mostly has the size it had; without it 2 known pictures were asked for at once, and not 16.
        sizes = [(was.size if (was := request.was(place)) else 0) or self._expected for place in request.addresses]
        # A body is in memory twice for a moment, while its parts are put together.
        async with self._gate.hold(sum(sizes) * 3 // 2) as held:
            return await self._look(request, held)

    async def _look(self, request: MediaRequest, held: Held) -> MediaInfo | RelanceError | None:
        from anyio.to_thread import run_sync

        outcomes = await self._fetch(request)
        if isinstance(outcomes, MediaRequest):  # nothing is new, except until when it need not be asked again
            keeps = request.same and outcomes is request
            return MediaInfo.again(outcomes, outcomes.before) if outcomes.before and not keeps else None
        sizes = [len(each.data) for each in outcomes.values() if not isinstance(each, RelanceError)]
        held.resize(sum(sizes))
        if sizes:  # those to come are probably like these, and it is better to be wrong about the smaller ones
            self._expected = max(*sizes, self._expected // 2, _LEAST_EXPECTED)
        return await run_sync(self._composer.compose, request, outcomes, limiter=self._decoders)

    async def _fetch(self, request: MediaRequest) -> Outcomes | MediaRequest:
        """Ask all addresses; the request itself, or a renewed one, if they still have what they had."""
        addresses = request.addresses
        known = {place: was for place in addresses if (was := request.was(place)) is not None}
        if len(known) < len(addresses) or not (request.same or (request.before is not None and not request.unasked)):
            known = {}
        outcomes: Outcomes = {}
        for place in addresses:
            outcomes[place] = await self._ask(place, known.get(place, Validators()))
        # The same content under new validators is written down: the next run can then ask by them.
        if known and all(is_same(answer, known[place]) for place, answer in outcomes.items()):
            return renewed(request, outcomes)
        if request.views == "all" and any(isinstance(answer, RelanceError) for answer in outcomes.values()):
            return outcomes
        for place, answer in outcomes.items():  # several parts have one vector: one that is new needs them all
            if not isinstance(answer, RelanceError) and answer.unchanged:
                outcomes[place] = await self._ask(place, Validators())
        return outcomes

    async def _ask(self, place: str, was: Validators) -> Fetched | RelanceError:
        assert self._fetcher is not None  # noqa: S101  # _load_all opened it
        try:
            return await self._fetcher.fetch(
                place, etag=was.etag, last_modified=was.last_modified, fresh_until=was.fresh_until
            )
        except RelanceError as error:
            return error


def open_media_loader(
    spec: MediaSpec,
    rules: MediaRules | None,
    *,
    scale: bool,
    stop: Callable[[], bool] = lambda: False,
    spill: Spill | None = None,
    known: Known | None = None,
    drawer: ThumbnailDrawer | None = None,
) -> MediaLoader:
    """Prepare to load what a model takes; ConfigurationError for one of texts, or `allow` with what is no host."""
    if rules is None:
        msg = f"media.embedding.model: {spec.embedding.model} embeds texts only; name a multimodal model"
        raise ConfigurationError(msg)
    sending = Sending(spec.send, scale=scale, upload=spec.embedding.lends, animated=spec.animated,
                      key_frames=spec.films.key_frames)  # fmt: skip
    return MediaLoader(
        fetch_policy(spec.fetch),
        rules,
        sending,
        buffer=int(spec.buffer),
        spill=spill,
        known=known,
        drawer=drawer,
        stop=stop,
    )


def fetch_policy(fetch: FetchSpec) -> FetchPolicy:
    """Say what may be fetched, as the spec has it; ConfigurationError for what is no host."""
    return FetchPolicy(
        allow=tuple(fetch.allow), max_bytes=int(fetch.max_size), timeout_s=fetch.timeout_s,
        connections=fetch.connections, patience_s=fetch.patience_s, hosts=host_rules(fetch),
        recheck_s=fetch.recheck_s, proxy=fetch.proxy.get_secret_value(), proxy_dns=fetch.proxy_dns,
    )  # fmt: skip
