"""How hard a service is pushed: requests in flight that adapt to it, and rates per minute that it publishes.

Both belong to one event loop, are fair (first come, first served) and survive the cancellation of a waiter.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType

__all__ = ["AdaptiveLimit", "RateLimit"]


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

    Services enforce such limits per second as well, so the bucket holds one second's worth and no more. An amount
    larger than that is let through when the bucket is full and is paid back before the next.
    """

    def __init__(
        self,
        per_minute: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        # 61.1 and not 60: a burst plus sixty seconds of refilling then stay within the limit of any one minute.
        self._rate = per_minute / 61.1
        self._capacity = max(1.0, per_minute / 60)
        self._level = self._capacity
        self._clock = clock
        self._sleep = sleep
        self._filled = clock()
        self._turn = asyncio.Lock()

    def __bool__(self) -> bool:
        return bool(self._rate)

    async def acquire(self, amount: float = 1.0) -> None:
        """Wait until `amount` may be spent, then spend it."""
        if not self._rate or not amount:
            return
        async with self._turn:  # held while sleeping: the next in line waits behind, whatever it wants
            enough = min(amount, self._capacity)
            # A hair of tolerance: a sleep of exactly the missing time may refill to 0.9999… by rounding.
            while (missing := enough - self._refill()) > 1e-9 * self._capacity:
                await self._sleep(missing / self._rate)
            self._level -= amount

    def _refill(self) -> float:
        now = self._clock()
        self._level = min(self._capacity, self._level + (now - self._filled) * self._rate)
        self._filled = now
        return self._level
