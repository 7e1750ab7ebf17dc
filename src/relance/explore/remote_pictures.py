"""Pictures and frames of films behind addresses, fetched by the guarded client when they are first looked at."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from relance.errors import DocumentError, InputError, RelanceError, RetryableError
from relance.explore.pictures import Pictures

if TYPE_CHECKING:
    from relance.config import MediaSpec
    from relance.fetch import Fetcher

__all__ = ["RemotePictures"]

# Somebody waits for it: less patience than a run has, and no film of hours for one frame.
_TIMEOUT_S, _PATIENCE_S, _CONNECTIONS, _LARGEST = 15.0, 5.0, 8, 64 << 20
_REFUSED_S, _REFUSED = 300.0, 2000  # seconds an address that failed is not asked again, and how many are remembered


class RemotePictures:
    """Fetches and draws under the rules of `media.fetch`; belongs to one event loop, `aclose()` it.

    What was drawn is remembered with the other pictures, so bounded with them. An address is fetched for the sizes and
    moments that are looked at, a few at once; bytes of the address never leave this process as they came.
    """

    def __init__(self, spec: MediaSpec, pictures: Pictures) -> None:
        self._spec, self._pictures = spec, pictures
        self._fetcher: Fetcher | None = None
        self._refused: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def webp(self, url: str, size: str, moment_s: float = 0.0) -> bytes:
        """Draw the picture, or the frame at a moment of the film, of an address.

        Raises DocumentError with a reason, and MissingExtraError without the extra `media`.
        """
        from starlette.concurrency import run_in_threadpool

        key = ("address", url, size, moment_s)
        if drawn := self._pictures.known(key):
            return drawn
        until, reason = self._refused.get(url, (0.0, ""))
        if time.monotonic() < until:
            raise DocumentError(url, reason)
        try:
            # With a limit of its own it is not remembered by the fetcher, whose memory is made for one run.
            found = await self._opened().fetch(url, max_bytes=min(int(self._spec.fetch.max_size), _LARGEST))
            return await run_in_threadpool(self._pictures.draw, key, found.data, url, size, moment_s)
        except (DocumentError, InputError, RetryableError) as error:
            self._refuse(url, error)
            raise DocumentError(url, str(error)) from None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._fetcher is not None:
            await self._fetcher.aclose()

    def _opened(self) -> Fetcher:
        if self._fetcher is None:
            from relance.fetch import Fetcher
            from relance.media.loader import fetch_policy

            policy = fetch_policy(self._spec.fetch)
            self._fetcher = Fetcher(
                replace(policy, timeout_s=min(policy.timeout_s, _TIMEOUT_S),
                        patience_s=min(policy.patience_s, _PATIENCE_S),
                        connections=min(policy.connections, _CONNECTIONS), attempts=1)
            )  # fmt: skip
        return self._fetcher

    def _refuse(self, url: str, error: RelanceError) -> None:
        self._refused[url] = (time.monotonic() + _REFUSED_S, str(error))
        self._refused.move_to_end(url)
        while len(self._refused) > _REFUSED:
            self._refused.popitem(last=False)
