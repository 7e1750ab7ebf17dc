"""Loading images and videos: files read, addresses asked, contents checked, before anything is spent on them."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from relance.config.fingerprint import fingerprint
from relance.documents import Media, MediaKind, Moment, digest
from relance.errors import (
    ConfigurationError,
    DocumentError,
    GoneDocumentError,
    InputError,
    MissingExtraError,
    RelanceError,
    RetryableError,
    StoppedError,
)
from relance.http.byte_gate import ByteGate, Held
from relance.http.event_loop import event_loop
from relance.media.answers import Answers, all_there, is_same, refusal, renewed, validators
from relance.media.fetch import FetchPolicy
from relance.media.fetch.declared import host_rules
from relance.media.prepare import Animated
from relance.media.request import MediaInfo, MediaRequest, RefusedMediaError, Validators, hash_of, is_address
from relance.media.rules import MediaRules
from relance.media.sending import Part, Send, Sender
from relance.media.spill import Spill

if TYPE_CHECKING:
    from anyio import CapacityLimiter
    from anyio.from_thread import BlockingPortal

    from relance.config import MediaSpec
    from relance.media.fetch import Fetched, Fetcher
    from relance.media.resending import Resender

__all__ = ["MediaLoader", "open_media_loader"]

_POLL_S = 0.2
# Bytes that an unknown picture is expected to have: a photograph's at first, then as the last one had.
_EXPECTED, _LEAST_EXPECTED = 16 << 20, 32 << 10
_NOTHING: Mapping[str, str] = MappingProxyType({})


class MediaLoader:
    """Loads many things at once, on the process's event loop; a context manager."""

    def __init__(self, policy: FetchPolicy, rules: MediaRules, *, send: Send = "auto",  # noqa: PLR0913
                 scale: bool = False,
                 upload: bool = False, animated: Animated = "first", key_frames: int = 0, buffer: int = 64 << 20,
                 spill: Spill | None = None, stop: Callable[[], bool] = lambda: False) -> None:  # fmt: skip
        self._policy = policy
        self._stop = stop
        self._rules = rules
        self._send = send
        self._scale = scale
        self._upload = upload
        self._animated: Animated = animated
        self._key_frames = key_frames
        self._buffer = buffer
        self._sender = Sender(rules, policy, send=send, scale=scale, upload=upload, animated=animated,
                              key_frames=key_frames, spill=spill)  # fmt: skip
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
        rest = self._send, self._scale, self._upload, self._animated, self._key_frames, self._policy.max_bytes
        return fingerprint(version("relance"), plain, *rest)

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
                        frames = range(self._key_frames)
                        moments = tuple(Moment(float(at), digest("moment", hashes[-1], str(at))) for at in frames)
                else:
                    part = self._sender.part(request, place, None, scale=False)
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
            forbidden = "media.send: url forbids to send the file itself; auto does so" if self._send == "url" else ""
            self._resender = Resender(
                fetcher, decoders, self._rules, self._scale, self._upload, forbidden, Counter()
            )  # fmt: skip
        return self._resender

    def _opened(self) -> tuple[Fetcher, CapacityLimiter]:
        if self._fetcher is None or self._decoders is None:
            from anyio import CapacityLimiter

            from relance.media.fetch import Fetcher
            from relance.media.head import check_head

            self._fetcher = Fetcher(self._policy, look=partial(check_head, rules=self._rules, scale=self._scale,
                                                         films=bool(self._key_frames)))  # fmt: skip
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
        # A body is in memory twice for a moment, while its parts are put together.
        async with self._gate.hold(self._expected * len(request.addresses) * 3 // 2) as held:
            return await self._look(request, held)

    async def _look(self, request: MediaRequest, held: Held) -> MediaInfo | RelanceError | None:
        from anyio.to_thread import run_sync

        answers = await self._fetch(request)
        if isinstance(answers, MediaRequest):  # nothing is new, except until when it need not be asked again
            keeps = request.same and answers is request
            return MediaInfo.again(answers, answers.before) if answers.before and not keeps else None
        sizes = [len(each.data) for each in answers.values() if not isinstance(each, RelanceError)]
        held.resize(sum(sizes))
        if sizes:  # those to come are probably like these, and it is better to be wrong about the smaller ones
            self._expected = max(*sizes, self._expected // 2, _LEAST_EXPECTED)
        parts: list[Part] = []
        errors: list[DocumentError] = []
        memory: dict[str, Validators] = {}
        extras = True
        for place in request.places:
            answer = answers.get(place)
            known = validators(answer)
            try:
                if isinstance(answer, RelanceError):
                    raise answer
                parts.append(await run_sync(self._sender.kept, request, place, answer, limiter=self._decoders))
            except (InputError, MissingExtraError) as error:
                extras &= not isinstance(error, MissingExtraError)
                errors.append(refusal(request, place, error))
                known = replace(known, left_out=errors[-1].reason)
            except RetryableError as error:
                if request.views == "all" or request.before is not None:
                    return error  # what the index has of it is better than a part of it
                errors.append(DocumentError(request.uri, str(error)))
                known = replace(known, left_out=str(error))
            except RelanceError as error:
                return error
            if answer is not None:
                memory[request.identity(place)] = known
        if errors and (request.views == "all" or not parts):
            first = next((error for error in errors if not isinstance(error, GoneDocumentError)), errors[0])
            return RefusedMediaError.of(first, memory) if extras and all_there(answers) else first
        mixed = len({bool(part.url) for part in parts}) > 1  # a set is sent in one way
        if mixed and self._send == "auto" and all(part.facts.kind == "image" for part in parts):
            try:
                parts = await run_sync(self._sender.all_as_data, request, parts, answers)
            except InputError as error:
                return refusal(request, request.uri, error)
        return self._found(request, parts, memory, tuple(error.reason for error in errors))

    async def _fetch(self, request: MediaRequest) -> Answers | MediaRequest:
        """Ask all addresses; the request itself, or a renewed one, if they still have what they had."""
        addresses = request.addresses
        known = {place: was for place in addresses if (was := request.was(place)) is not None}
        if len(known) < len(addresses) or not (request.same or (request.before is not None and not request.unasked)):
            known = {}
        answers: Answers = {}
        for place in addresses:
            answers[place] = await self._ask(place, known.get(place, Validators()))
        # The same content under new validators is written down: the next run can then ask by them.
        if known and all(is_same(answer, known[place]) for place, answer in answers.items()):
            return renewed(request, answers)
        if request.views == "all" and any(isinstance(answer, RelanceError) for answer in answers.values()):
            return answers
        for place, answer in answers.items():  # several parts have one vector: one that is new needs them all
            if not isinstance(answer, RelanceError) and answer.unchanged:
                answers[place] = await self._ask(place, Validators())
        return answers

    async def _ask(self, place: str, was: Validators) -> Fetched | RelanceError:
        assert self._fetcher is not None  # noqa: S101  # _load_all opened it
        try:
            return await self._fetcher.fetch(
                place, etag=was.etag, last_modified=was.last_modified, fresh_until=was.fresh_until
            )
        except RelanceError as error:
            return error

    def _found(
        self, request: MediaRequest, parts: list[Part], memory: dict[str, Validators], warnings: tuple[str, ...]
    ) -> MediaInfo | DocumentError:
        first = parts[0].facts
        kind: MediaKind = "images" if len(parts[0].media_types) > 1 or parts[0].is_film_in_frames else first.kind
        kind = "image" if parts[0].moments else kind
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
        return MediaInfo(
            kind=kind,
            content_hash=hash_of([part.content_hash for part in parts]),
            shown=request.shown,
            urls=tuple(part.url for part in parts if part.url),
            data=tuple(data for part in parts for data in part.data),
            files=tuple(path for part in parts for path in part.files),
            media_types=tuple(
                each
                for waits in (False, True)
                for part in parts
                if bool(part.files) == waits
                for each in part.media_types
            ),
            media_type=first.media_type,
            width=first.width,
            height=first.height,
            duration_s=first.duration_s if first.kind == "video" else None,
            size=sum(part.facts.size for part in parts),
            known=memory,
            parts=sum(1 if part.moments else max(1, len(part.media_types)) for part in parts),
            warnings=(*warnings, *(part.warning for part in parts if part.warning)),
            moments=parts[0].moments,
        )


def open_media_loader(
    spec: MediaSpec,
    rules: MediaRules | None,
    *,
    scale: bool,
    stop: Callable[[], bool] = lambda: False,
    spill: Spill | None = None,
) -> MediaLoader:
    """Prepare to load what a model takes; ConfigurationError for one of texts, or `allow` with what is no host."""
    if rules is None:
        msg = f"media.embedding.model: {spec.embedding.model} embeds texts only; name a multimodal model"
        raise ConfigurationError(msg)
    fetch = spec.fetch
    policy = FetchPolicy(
        allow=tuple(fetch.allow), max_bytes=int(fetch.max_size), timeout_s=fetch.timeout_s,
        connections=fetch.connections, patience_s=fetch.patience_s, hosts=host_rules(fetch),
        recheck_s=fetch.recheck_s,
    )  # fmt: skip
    return MediaLoader(policy, rules, send=spec.send, scale=scale, upload=spec.embedding.lends,
                       animated=spec.animated, key_frames=spec.films.key_frames,
                       buffer=int(spec.buffer), spill=spill, stop=stop)  # fmt: skip
