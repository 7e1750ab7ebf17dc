"""What a service could not fetch, though we could: the file is sent in place of its address, as far as it may be."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from relance.documents import Media, digest
from relance.errors import InputError, RelanceError, RetryableError
from relance.media.request import hash_of

if TYPE_CHECKING:
    from anyio import CapacityLimiter

    from relance.media.fetch import Fetched, Fetcher
    from relance.media.rules import MediaRules

__all__ = ["Resender"]

# After so many files of a host that the service could not fetch, the others of this host are not tried.
_ENOUGH = 3


@dataclass(slots=True)
class Resender:
    """Fetches files once more and gives them to be sent; belongs to the event loop of its fetcher.

    Attributes:
        rules: of the model.
        scale: whether images are made smaller where they have to be.
        upload: whether the service is lent videos.
        forbidden: why files are not sent at all; empty where they are.
    """

    fetcher: Fetcher
    decoders: CapacityLimiter
    rules: MediaRules
    scale: bool
    upload: bool
    forbidden: str
    _hosts: Counter[str]

    async def instead(self, media: Media) -> Media:
        """Give the files behind the addresses of a thing.

        Raises InputError that names the limit which forbids it, and RetryableError where they cannot be had now.
        """
        from anyio.to_thread import run_sync

        self._hosts.update(_hosts(media))
        if self.forbidden:
            raise InputError(self.forbidden)
        parts: list[tuple[str, bytes, str]] = []
        for url in media.urls:
            fetched = await self.fetcher.fetch(url)
            parts.append(await run_sync(self._part, url, fetched, limiter=self.decoders))
        hashes = [content_hash for content_hash, _, _ in parts]
        if media.content_hash != hash_of(hashes):
            raise RetryableError("what is at its address has changed since it was looked at; the next run takes it")
        return replace(
            media, urls=(), data=tuple(data for _, data, _ in parts), media_types=tuple(kind for _, _, kind in parts)
        )

    async def prepared(self, inputs: Sequence[Any]) -> list[Any]:
        """Replace what is at hosts from which the service could fetch nothing so far."""

        async def ready(value: Any) -> Any:
            if not isinstance(value, Media) or not any(self._hosts[host] >= _ENOUGH for host in _hosts(value)):
                return value
            try:
                return await self.instead(value)
            except RelanceError:
                return value  # the service says so again

        return await asyncio.gather(*map(ready, inputs))

    def _part(self, url: str, fetched: Fetched) -> tuple[str, bytes, str]:
        from relance.media.inspect import inspect
        from relance.media.rules import check

        facts, content_hash = inspect(fetched.data, url), digest("file", fetched.data)
        if facts.kind == "video":
            check(facts, self.rules)
            if not self.upload:
                raise InputError(
                    "a video is sent by its address only; with media.embedding.upload: true the service is lent the "
                    "file (DashScope in Beijing)"
                )
        elif self.scale:
            from relance.media.scale import scale

            data, scaled = scale(fetched.data, facts, self.rules)
            return content_hash, data, scaled.media_type
        else:
            check(facts, self.rules, inline=True)
        return content_hash, fetched.data, facts.media_type


def _hosts(media: Media) -> set[str]:
    return {urlsplit(url).netloc for url in media.urls}
