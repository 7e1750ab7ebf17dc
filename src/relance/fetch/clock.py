"""The time, so that tests of pauses need not wait."""

from __future__ import annotations

import asyncio
import time

__all__ = ["Clock"]


class Clock:
    """The machine's clock."""

    def now(self) -> float:
        """Read seconds that only grow, as the event loop counts them."""
        return time.monotonic()

    def date(self) -> float:
        """Read seconds since 1970."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
