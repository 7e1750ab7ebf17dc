"""What a service could not fetch, though we could: the file is sent in place of its address, as far as it may be."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from relance.documents import Media
from relance.errors import InputError, RelanceError

if TYPE_CHECKING:
    from anyio import CapacityLimiter

    from relance.fetch import Fetcher
    from relance.media.composing import Composer

__all__ = ["Resender"]

# After so many files of a host that the service could not fetch, the others of this host are not tried.
_ENOUGH = 3


class Resender:
    """Fetches files once more and gives them to be sent; belongs to the event loop of its fetcher.

    Args:
        composer: decides what is sent of a file, as it does for those that have no address.
        forbidden: whether nothing but addresses may be sent.
    """

    def __init__(self, fetcher: Fetcher, decoders: CapacityLimiter, composer: Composer, *, forbidden: bool) -> None:
        self._fetcher, self._decoders, self._composer = fetcher, decoders, composer
        self._forbidden = forbidden
        self._hosts: Counter[str] = Counter()

    async def instead(self, media: Media) -> Media:
        """Give the files behind the addresses of a thing.

        Raises InputError that names the limit which forbids it, and RetryableError where they cannot be had now.
        """
        from anyio.to_thread import run_sync

        self._hosts.update(_hosts(media))
        if self._forbidden:
            raise InputError("media.send: url forbids to send the file itself; auto does so")
        fetched = [await self._fetcher.fetch(url) for url in media.urls]
        return await run_sync(self._composer.instead, media, fetched, limiter=self._decoders)

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


def _hosts(media: Media) -> set[str]:
    return {urlsplit(url).netloc for url in media.urls}
