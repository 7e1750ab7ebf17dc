"""How often somebody may ask."""

from __future__ import annotations

import time
from collections.abc import Callable

from relance.serve.tokens import Caller

__all__ = ["Rates"]


class Rates:
    """A bucket of requests for each token, filled evenly; it holds a tenth of a minute's, so that bursts pass.

    Used by the event loop only.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, caller: Caller) -> float:
        """Take a request out of the bucket: 0.0 if there is one, else the seconds until there will be."""
        if not caller.per_minute:
            return 0.0
        now, rate, size = self._clock(), caller.per_minute / 60, max(1.0, caller.per_minute / 10)
        left, at = self._buckets.get(caller.name, (size, now))
        left = min(size, left + (now - at) * rate)
        if left < 1:
            self._buckets[caller.name] = (left, now)
            return (1 - left) / rate
        self._buckets[caller.name] = (left - 1, now)
        return 0.0
