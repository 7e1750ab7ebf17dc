"""One thing of the files at its places: each is checked, and what is sent of them is put together."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from relance.documents import Media, MediaKind
from relance.errors import (
    DocumentError,
    GoneDocumentError,
    InputError,
    MissingExtraError,
    RelanceError,
    RetryableError,
)
from relance.fetch.urls import shown
from relance.media.known import Known
from relance.media.outcomes import Outcomes, all_there, refusal, validators
from relance.media.request import MediaInfo, MediaRequest, RefusedMediaError, Validators, hash_of
from relance.media.sending import NO_ADDRESS, File, Part, Sender
from relance.media.thumbnails import ThumbnailDrawer

if TYPE_CHECKING:
    from relance.fetch import Fetched

__all__ = ["Composer"]

Files = dict[str, File | RelanceError]


class Composer:
    """Makes things of files; safe in threads.

    Args:
        sender: checks files, and says how they are sent.
        known: things that are described only, since their vectors are there; None makes all of them.
        drawer: draws thumbnails of what is not on this disk; None draws none.
    """

    def __init__(self, sender: Sender, known: Known | None = None, drawer: ThumbnailDrawer | None = None) -> None:
        self._sender, self._known, self._drawer = sender, known, drawer

    def compose(self, request: MediaRequest, outcomes: Outcomes) -> MediaInfo | RelanceError:
        """Make a thing of what came of its addresses and of the files it names; an error if it cannot be used.

        One that is known has no content: nothing of it is decoded, but for a thumbnail that is not there.
        """
        files = {place: self._file(request, place, outcomes.get(place)) for place in dict.fromkeys(request.places)}
        info = self._composed(request, files, outcomes)
        if self._drawer is None or not isinstance(info, MediaInfo) or "://" not in info.shown:
            return info
        contents = [each.data for each in files.values() if isinstance(each, File)]
        is_film = info.media_type.startswith("video/")
        moments = {each.moment_s for each in info.moments} or ({0.0, request.moment_s} if is_film else {0.0})
        return replace(info, thumbnails=self._drawer.draw(info.content_hash, contents, sorted(moments)))

    def _composed(self, request: MediaRequest, files: Files, outcomes: Outcomes) -> MediaInfo | RelanceError:
        if self._known is None or request.caption is None:
            return self._make(request, files, outcomes)
        foreseen = self._foreseen(request, files, outcomes)
        if not foreseen:
            return self._make(request, files, outcomes)
        with self._known.alone(foreseen[-1].content_hash):
            things = [_name(request, info) for info in foreseen]
            if (at := self._known.find(things)) is not None:
                return foreseen[at]
            made = self._make(request, files, outcomes)
            if isinstance(made, MediaInfo):
                self._known.add(_name(request, made))
            return made

    def _file(self, request: MediaRequest, place: str, outcome: Fetched | RelanceError | None) -> File | RelanceError:
        if isinstance(outcome, RelanceError):
            return outcome
        try:
            return self._sender.file(request, place, outcome)
        except RelanceError as error:
            return error

    def _foreseen(self, request: MediaRequest, files: Files, outcomes: Outcomes) -> list[MediaInfo]:
        """Say by the headers of its files what a thing will be: one of these; empty where it may be refused."""
        outlooks: dict[str, list[Part]] = {}
        for place, file in files.items():
            # What stands in a page itself is not read again, should its vector be gone by the time it is needed.
            if isinstance(file, RelanceError) or place.startswith("data:"):
                return []
            try:
                outlooks[place] = self._sender.outlooks(file)
            except RelanceError:
                return []  # making it says so better
        memory = {request.identity(place): validators(outcome) for place, outcome in outcomes.items()}
        views = [outlooks[place] for place in request.places]
        if len(views) > 1 and (self._sender.sending.send == "url" or any(len(each) != 1 for each in views)):
            return []
        made = [_info(request, list(parts), memory, ()) for parts in product(*views)]
        return [each for each in made if isinstance(each, MediaInfo)]

    def _make(self, request: MediaRequest, files: Files, outcomes: Outcomes) -> MediaInfo | RelanceError:
        parts: dict[str, Part] = {}
        errors: list[DocumentError] = []
        memory: dict[str, Validators] = {}
        extras = True
        for place, file in files.items():
            known = validators(outcomes.get(place))
            try:
                if isinstance(file, RelanceError):
                    raise file
                parts[place] = self._sender.kept(file)
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
            if place in outcomes:
                memory[request.identity(place)] = known
        if errors and (request.views == "all" or not parts):
            first = next((error for error in errors if not isinstance(error, GoneDocumentError)), errors[0])
            return RefusedMediaError.of(first, memory) if extras and all_there(outcomes) else first
        try:
            parts = self._in_one_way(parts, files)
        except InputError as error:
            return refusal(request, request.uri, error)
        views = [parts[place] for place in request.places if place in parts]
        return _info(request, views, memory, tuple(error.reason for error in errors))

    def instead(self, media: Media, fetched: list[Fetched]) -> Media:
        """Make the same thing to be sent itself of what was fetched from its addresses.

        Raises InputError that names the limit which forbids it, RetryableError where it is another thing by now.
        """
        found = zip(media.urls, fetched, strict=True)
        parts = [self._sender.part(File(shown(url), each.data, each.content_hash)) for url, each in found]
        if media.kind == "video" and parts[0].copied:
            raise InputError(NO_ADDRESS)  # they have another vector
        if hash_of([part.content_hash for part in parts]) != media.content_hash:
            raise RetryableError("what is at its address has changed since it was looked at; the next run takes it")
        data, _, media_types = _sent(parts)
        return replace(media, urls=(), data=data, media_types=media_types)

    def _in_one_way(self, parts: dict[str, Part], files: Files) -> dict[str, Part]:
        """Send all pictures of a set within the request where some have no address, unless addresses are asked for."""
        mixed = len({bool(part.url) for part in parts.values()}) > 1
        auto = self._sender.sending.send == "auto"
        if not (mixed and auto and all(part.facts.kind == "image" for part in parts.values())):
            return parts
        made = dict(parts)
        for place, part in parts.items():
            file = files[place]
            if part.url and isinstance(file, File):
                made[place] = self._sender.kept(replace(file, address=""))
        return made


def _name(request: MediaRequest, info: MediaInfo) -> Media:
    """Name a thing by what decides its vector."""
    return Media(info.kind, content_hash=info.content_hash, caption=request.caption or "")


def _info(
    request: MediaRequest, parts: list[Part], memory: dict[str, Validators], left_out: tuple[str, ...]
) -> MediaInfo | DocumentError:
    first = parts[0].facts
    kind: MediaKind = "images" if parts[0].copied else first.kind
    kind = "image" if parts[0].moments else kind
    if len(parts) > 1:
        if any(part.facts.kind == "video" for part in parts):
            return DocumentError(request.uri, "several views of one thing can be images only; give a video its own row")
        kind = "images"
        if len({bool(part.url) for part in parts}) > 1:
            return DocumentError(
                request.uri, "some of its images have public addresses and some do not; set media.send"
            )
    data, files, media_types = _sent(parts)
    return MediaInfo(
        kind=kind,
        content_hash=hash_of([part.content_hash for part in parts]),
        shown=request.shown,
        urls=tuple(part.url for part in parts if part.url),
        data=data,
        files=files,
        media_types=media_types,
        media_type=first.media_type,
        width=first.width,
        height=first.height,
        duration_s=first.duration_s if first.kind == "video" else None,
        size=sum(part.facts.size for part in parts),
        known=memory,
        parts=sum(part.count for part in parts),
        left_out=left_out,
        warning="; ".join(part.warning for part in parts if part.warning),
        moments=parts[0].moments,
    )


def _sent(parts: list[Part]) -> tuple[tuple[bytes, ...], tuple[str, ...], tuple[str, ...]]:
    """Return what is sent of all parts: data, files, and the media types of both in this order."""
    kinds = [
        each for waits in (False, True) for part in parts if bool(part.files) == waits for each in part.media_types
    ]
    data = tuple(each for part in parts for each in part.data)
    return data, tuple(path for part in parts for path in part.files), tuple(kinds)
