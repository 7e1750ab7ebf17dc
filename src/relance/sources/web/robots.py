"""What the robots.txt of a site allows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from relance.errors import InputError, RetryableError, SourceError
from relance.fetch import Fetcher, RefusedBodyError, UnsafeURLError

if TYPE_CHECKING:
    from protego import Protego

__all__ = ["Robots"]

_LARGEST = 2 << 20  # RFC 9309 wants 500 KiB to be read
_LONGEST_DELAY_S = 300.0


class Robots:
    """Asks each site for its robots.txt once in a listing; belongs to one event loop."""

    def __init__(self, fetcher: Fetcher, agent: str, delay_s: float) -> None:
        """Ask nothing yet.

        Args:
            fetcher: asks, and is slowed down where a robots.txt wants that.
            agent: what we are called there.
            delay_s: seconds between requests, at least.
        """
        self._fetcher, self._agent, self._delay_s = fetcher, agent, delay_s
        self._asked: dict[str, asyncio.Task[Protego]] = {}

    async def allow(self, address: str) -> bool:
        """Tell whether an address may be asked; SourceError where the site cannot say so now."""
        return (await self._rules(address)).can_fetch(address, self._agent)

    def allowed(self, address: str) -> bool:
        """Tell whether an address is known to be allowed, without asking; False where the site was not asked yet."""
        asked = self._asked.get(_site(address))
        if asked is None or not asked.done() or asked.cancelled() or asked.exception() is not None:
            return False
        return asked.result().can_fetch(address, self._agent)

    async def sitemaps(self, address: str) -> list[str]:
        """List the sitemaps that the site of an address names."""
        return list((await self._rules(address)).sitemaps)

    async def _rules(self, address: str) -> Protego:
        site = _site(address)
        if site not in self._asked:
            self._asked[site] = asyncio.create_task(self._ask(f"{site}/robots.txt"))
        return await asyncio.shield(self._asked[site])

    async def _ask(self, address: str) -> Protego:
        from protego import Protego

        try:
            found = await self._fetcher.fetch(address, max_bytes=_LARGEST)
        except (RetryableError, RefusedBodyError, UnsafeURLError) as error:
            # Whether a page may be read is not known then, and a page that is not read is not gone.
            raise SourceError(
                f"{error} Without robots.txt nothing is read; `obey_robots: false` does without."
            ) from None
        except InputError:  # RFC 9309: what is not there (4xx) forbids nothing
            return Protego.parse("")
        rules = Protego.parse(found.data.decode("utf-8", "replace"))
        delay = float(rules.crawl_delay(self._agent) or 0.0)
        if rate := rules.request_rate(self._agent):
            delay = max(delay, rate.seconds / rate.requests if rate.requests else 0.0)
        if delay > _LONGEST_DELAY_S:
            msg = f"{address} asks for {delay:g} s between two requests, and relance does not wait longer than 300 s"
            raise SourceError(msg)
        if delay > self._delay_s:
            self._fetcher.slow_down(address, delay)
        return rules


def _site(address: str) -> str:
    return "/".join(address.split("/", 3)[:3])
