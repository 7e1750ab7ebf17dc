"""How often something may happen."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Throttle"]


class Throttle:
    """A token bucket for each name: so many at once, and so many a second in the long run."""

    def __init__(self, *, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> float:
        """Take a token; returns 0, or the seconds after which there will be one."""
        now = self._clock()
        level, at = self._levels.get(name, (float(self._burst), now))
        level = min(float(self._burst), level + (now - at) * self._per_second)
        if level < 1:
            self._levels[name] = level, now
            return (1 - level) / self._per_second
        self._levels[name] = level - 1, now
        return 0.0
