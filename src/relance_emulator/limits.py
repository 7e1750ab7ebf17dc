"""Requests and tokens per minute, held to per second as well.

A second's worth may come at once and refills continuously; besides, no sixty seconds may hold more than the limit of a
minute. A text larger than a second's worth of tokens passes when the second is untouched, or it never could.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from relance_emulator.config import EmulatorConfig, Rate
from relance_emulator.models import MODELS, RERANKERS
from relance_emulator.problems import named

__all__ = ["Limits", "Meter"]


class Meter:
    """One limit per minute."""

    def __init__(self, per_minute: float, clock: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._burst = max(1.0, per_minute / 60)
        self._level = self._burst
        self._clock = clock
        self._at = clock()
        self._minute: deque[tuple[float, float]] = deque()
        self._spent = 0.0

    def spend(self, amount: float) -> bool:
        """Take the amount if there is that much; a refusal costs nothing."""
        if not self._per_minute:
            return True
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._at) * self._per_minute / 60)
        self._at = now
        while self._minute and self._minute[0][0] <= now - 60:
            self._spent -= self._minute.popleft()[1]
        needed = min(amount, self._burst)
        if self._level < needed * (1 - 1e-9) or (self._spent and self._spent + amount > self._per_minute):
            return False
        self._level -= amount
        self._minute.append((now, amount))
        self._spent += amount
        return True


class Limits:
    """The limits of all models; they count per account, which is one here."""

    def __init__(self, config: EmulatorConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._meters: dict[str, tuple[Meter, Meter]] = {}

    def reset(self) -> None:
        """Forget what has been spent."""
        self._meters.clear()

    def request(self, model: str) -> None:
        """Count a request; raise the refusal if there were too many."""
        if not self._of(model)[0].spend(1):
            raise named("Throttling.RateQuota")

    def tokens(self, model: str, amount: int) -> None:
        """Count tokens; raise the refusal if there were too many."""
        if not self._of(model)[1].spend(amount):
            raise named("Throttling.AllocationQuota")

    def _of(self, model: str) -> tuple[Meter, Meter]:
        if model not in self._meters:
            requests, tokens = self._rate(model)
            self._meters[model] = Meter(requests, self._clock), Meter(tokens, self._clock)
        return self._meters[model]

    def _rate(self, model: str) -> Rate:
        limits, none = self._config.limits, Rate(0, 0)
        if limits == "off":
            return none
        if limits == "published":
            known = MODELS.get(model) or RERANKERS.get(model)
            return known.rates.get(self._config.region or "beijing", none) if known else none
        return limits.get(model) or limits.get("*") or none
