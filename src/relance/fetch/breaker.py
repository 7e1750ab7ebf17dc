"""When a host, or a proxy, is given up because it does not answer."""

from __future__ import annotations

from relance.errors import RetryableError
from relance.fetch.clock import Clock
from relance.fetch.fetched import copied

__all__ = ["Breaker", "HostGivenUpError"]

# Failures in a row after which a host is given up, by requests that began one after the other. From the third on there
# are shared pauses between them, 4 s in all, so that a restart of the host is survived.
_FAILURES = 7
_FREE_FAILURES = 3
_LONGEST_PAUSE_S = 2.0
# Silence costs 10 to 15 s a request; each counts twice, and those in flight together count each.
_SILENCE = 2


class HostGivenUpError(RetryableError):
    """A host or proxy does not live; in this run it is not asked any more."""


class Breaker:
    """Counts failures in a row; belongs to one event loop.

    Attributes:
        good: whether there has been an answer in this run.
        resume: time of the clock until which everybody pauses.
        given_up: why it is not asked any more, None while it is.
    """

    __slots__ = ("_clock", "_failed_at", "_failures", "_name", "given_up", "good", "resume")

    def __init__(self, name: str, clock: Clock) -> None:
        """Know nothing yet; `name` is for messages."""
        self.good = False
        self.resume = 0.0
        self.given_up: HostGivenUpError | None = None
        self._name, self._clock = name, clock
        self._failures = 0
        self._failed_at = -1.0

    async def enter(self) -> float:
        """Wait for the end of a pause; returns when that was. Raises HostGivenUpError."""
        while True:
            if self.given_up is not None:
                raise copied(self.given_up)
            now = self._clock.now()
            if self.resume <= now:
                return now
            await self._clock.sleep(self.resume - now)

    def answered(self) -> None:
        """Note that it lives."""
        self.good = True
        self._failures = 0

    def failed(self, began: float, reason: str, *, silent: bool) -> None:
        """Note that a request that began so had no answer; `reason` is a sentence, `silent` took a whole timeout."""
        if not silent and began <= self._failed_at:
            return  # it was in flight with the one that failed first
        now = self._failed_at = self._clock.now()
        self._failures += _SILENCE if silent else 1
        if self._failures >= _FAILURES:
            self.give_up(f"after failures in a row, the last: {reason}")
        elif self._failures >= _FREE_FAILURES:
            pause = min(0.25 * 2.0 ** (self._failures - _FREE_FAILURES), _LONGEST_PAUSE_S)
            self.resume = max(self.resume, now + pause)

    def give_up(self, why: str) -> None:
        """Ask it no more; `why` is how a sentence ends."""
        if self.given_up is None:
            self.given_up = HostGivenUpError(f"{self._name} was given up for this run {why}")
