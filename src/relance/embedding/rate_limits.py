"""How hard a service is pushed: requests in flight that adapt to it, and rates per minute that it publishes.

All belong to one event loop, are fair (first come, first served) and survive the cancellation of a waiter.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType

__all__ = ["AdaptiveLimit", "Limits", "RateLimit", "shared_limits"]

# Part of a limit that is left unused where requests are evenly spread.
SPARE = 0.03
# Seconds' worth that may be spent at once. The first requests arrive later than those after them (connections are
# opened), so the service sees a burst and what follows closer together: with a whole second it refused one request of
# the first dozen in every run, with this none (measured at the emulator, 1 M tokens a minute).
BURST_S = 0.9


class AdaptiveLimit:
    """A bound on requests in flight that grows on success and halves when the service says: too many (AIMD).

    Use it as an async context manager around a request; tell it the outcome by `succeeded` and `throttled`.
    """

    def __init__(self, maximum: int, *, start: int = 4) -> None:
        self.maximum = maximum
        self.in_flight = 0
        self.epoch = 0
        self._limit = float(min(start, maximum))
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """How many requests may be in flight now; between 1 and `maximum`."""
        return int(self._limit)

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return len(self._waiting)

    def succeeded(self) -> None:
        """Grow: by one per success until the first throttling (doubles per round trip), then by one per round trip."""
        if self.in_flight < self.limit and not self._waiting:
            return  # the limit was not what bounded us, so this success says nothing about a higher one
        self._limit = min(float(self.maximum), self._limit + (1.0 if self.epoch == 0 else 1.0 / self._limit))
        self._wake()

    def throttled(self, epoch: int) -> None:
        """Halve, unless the refused request was sent before the last halving.

        Args:
            epoch: value of `self.epoch` when the request was sent.
        """
        if epoch == self.epoch:
            self.epoch += 1
            self._limit = max(1.0, self._limit / 2)

    async def __aenter__(self) -> None:
        if self.in_flight < self.limit and not self._waiting:
            self.in_flight += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # granted and cancelled in the same moment: pass it on
                self._release()
            elif turn in self._waiting:  # not if `_wake` came upon it first
                self._waiting.remove(turn)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        self.in_flight -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self.in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)


class RateLimit:
    """A token bucket for a limit per minute; 0 is no limit.

    Services enforce such limits per second as well, so the bucket holds less than a second's worth, or with
    `even` little more than a single unit: then no second sees more than its share. An amount larger than what it holds
    is let through when it is full and is paid back before the next.

    Attributes:
        share: part of the limit that is ours, where other processes use the same account; 0 < share ≤ 1.
    """

    def __init__(
        self,
        per_minute: float,
        *,
        even: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._per_second = per_minute / 60
        self._even = even
        self.share = 1.0
        self._level = self._capacity
        self._clock = clock
        self._sleep = sleep
        self._filled = clock()
        self._turn = asyncio.Lock()

    def __bool__(self) -> bool:
        return bool(self._per_second)

    @property
    def _rate(self) -> float:
        # 61.1 and not 60: a burst plus sixty seconds of refilling then stay within the limit of any one minute.
        return self._per_second * self.share * (1 - SPARE if self._even else 60 / 61.1)

    @property
    def _capacity(self) -> float:
        # What is spared lets those catch up whom a busy event loop wakes late: with a single unit and no more, 30
        # requests a second became 28, and 100 became 83 (measured).
        second = self._per_second * self.share
        return 1 + SPARE * second if self._even else max(1.0, BURST_S * second)

    async def acquire(self, amount: float = 1.0) -> None:
        """Wait until `amount` may be spent, then spend it."""
        if not self or not amount:
            return
        async with self._turn:  # held while sleeping: the next in line waits behind, whatever it wants
            # A hair of tolerance: a sleep of exactly the missing time may refill to 0.9999… by rounding.
            while (missing := min(amount, self._capacity) - self._refill()) > 1e-9 * self._capacity:
                await self._sleep(missing / self._rate)
            self._level -= amount

    def _refill(self) -> float:
        now = self._clock()
        self._level = min(self._capacity, self._level + (now - self._filled) * self._rate)
        self._filled = now
        return self._level


@dataclass(slots=True, frozen=True)
class Limits:
    """What bounds the requests to one model of one service."""

    concurrency: AdaptiveLimit
    requests: RateLimit
    tokens: RateLimit

    @classmethod
    def of(cls, *, concurrency: int, requests_per_minute: float, tokens_per_minute: float) -> Limits:
        """Make limits; a rate of 0 is none."""
        return cls(AdaptiveLimit(concurrency), RateLimit(requests_per_minute, even=True), RateLimit(tokens_per_minute))


_shared: dict[asyncio.AbstractEventLoop, dict[tuple[object, ...], Limits]] = {}


def shared_limits(service: tuple[str, ...], **rates: float) -> Limits:
    """Return the limits everybody on the running event loop shares who calls this service by these rates.

    Args:
        service: model and address: what the provider counts by.
        rates: as for `Limits.of`.
    """
    for loop in list(_shared):  # no weak references: a lock that was waited for holds its loop
        if loop.is_closed():
            _shared.pop(loop, None)
    known = _shared.setdefault(asyncio.get_running_loop(), {})
    key = (*service, *sorted(rates.items()))
    if key not in known:
        known[key] = Limits.of(**rates)  # ty: ignore[invalid-argument-type]  # the count of requests is whole
    return known[key]
