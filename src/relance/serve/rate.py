"""How often somebody may ask."""

from __future__ import annotations

import time
from collections.abc import Callable

from relance.events.throttle import Throttle
from relance.serve.tokens import Caller

__all__ = ["Rates"]


class Rates:
    """A throttle for each token; its bucket holds a tenth of a minute's requests, so that bursts pass.

    Used by the event loop only.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._throttles: dict[str, Throttle] = {}

    def wait_s(self, caller: Caller) -> float:
        """Take a request out of the bucket: 0.0 if there is one, else the seconds until there will be."""
        if not caller.per_minute:
            return 0.0
        throttle = self._throttles.get(caller.name)
        if throttle is None:
            burst = max(1.0, caller.per_minute / 10)
            throttle = Throttle(per_second=caller.per_minute / 60, burst=burst, clock=self._clock)
            self._throttles[caller.name] = throttle
        return throttle.take(caller.name)
