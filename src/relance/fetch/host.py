"""What is known of one host in this run, shared by all who want something from it: pace, pauses, whether it lives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from relance.errors import RateLimitedError
from relance.fetch.breaker import Breaker
from relance.fetch.clock import Clock
from relance.fetch.each_once import EachOnce
from relance.fetch.fetched import copied
from relance.fetch.pace import Pace

__all__ = ["Host", "HostRules", "duration"]

# A host is asked for two things at once, and for one more after every eight good answers. Whatever is in flight when a
# limit is met is refused as well: of 200 pictures at a host that allows 10 a second, 16 at once made 62 % refusals.
_FIRST = 2
_GROWTH = 8
# Pauses where a host does not say how long: 1 s, 2 s, 4 s and so on to a minute.
_LONGEST_OWN_PAUSE = 60.0


@dataclass(slots=True, frozen=True, kw_only=True)
class HostRules:
    """What the spec says of a host.

    Attributes:
        headers: sent to it and to no other, names as written; they replace ours of the same name.
        per_second: requests begun in a second at most; 0 is found out.
        connections: requests in flight at most; 0 is the policy's.
    """

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    per_second: float = 0.0
    connections: int = 0


class Host:
    """The state of one host; belongs to one event loop.

    Everybody enters before a request, says how it went, and leaves. A refusal (429, or 503 with a date) is a pause for
    all, or for that address where the host refuses each once, and nobody's failure.

    Attributes:
        rules: what the spec says of it.
        breaker: whether it lives.
        each_once: whether it refuses each address the first time.
    """

    def __init__(self, name: str, rules: HostRules, clock: Clock, *, connections: int, patience_s: float,
                 section: str = "media.fetch") -> None:  # fmt: skip
        """Know nothing yet; `connections`, `patience_s` and `section` as in `FetchPolicy`."""
        self.rules = rules
        self.breaker = Breaker(name, clock)
        self._name, self._clock, self._patience_s, self._section = name, clock, patience_s, section
        self._most = rules.connections or connections
        self._allowed = min(_FIRST, self._most)
        self._pace = Pace(rules.per_second, clock.now())
        self._slowing = False
        self._gate = asyncio.Lock()
        self._freed = asyncio.Event()
        self._busy = 0
        self._next = self._resume = 0.0
        self._given_up: RateLimitedError | None = None
        self._streak = 0
        self._refusals = 0
        self._refused_at = self._refusing_since = -1.0
        self._returns = asyncio.Lock()
        self._returning = 0
        self.each_once = EachOnce()

    async def enter(self, *, again: bool = False) -> float:
        """Wait for a turn; returns when it began, to be given back with the outcome.

        Who comes `again`, after a refusal, goes first: its answer says whether the pause was what the host wanted.
        Raises RetryableError, RateLimitedError too, where the host was given up.
        """
        self._returning += again
        try:
            async with self._returns if again else self._gate:  # who waits first goes first, and looks at the clock
                return await self._turn(again=again)
        finally:
            self._returning -= again
            self._freed.set()

    async def _turn(self, *, again: bool) -> float:
        while True:
            if (over := self.breaker.given_up or self._given_up) is not None:
                raise copied(over)
            if self._busy >= self._allowed or (self._returning and not again):
                self._freed.clear()
                await self._freed.wait()
                continue
            now = self._clock.now()
            wait = max(self._resume, self._next, self.breaker.resume) - now
            if wait <= 0:
                break
            await self._clock.sleep(wait)
        if self._slowing:
            self._slowing = False
            self._pace.slow_down(now)
        self._busy += 1
        if self._pace.per_second:
            self._next = now + 1 / self._pace.per_second
        return now

    def slow_down(self, pause_s: float) -> None:
        """Begin requests so many seconds apart from now on, or more."""
        slowest = self._pace.per_second
        self._pace = Pace(min(slowest, 1 / pause_s) if slowest else 1 / pause_s, self._clock.now())

    def leave(self) -> None:
        """Give the turn to the next."""
        self._busy -= 1
        self._freed.set()

    def answered(self, *, again: bool = False) -> None:
        """Note an answer, also that something is not there: the host lives."""
        self.breaker.answered()
        self.each_once.answered(again=again)
        self._pace.answered(self._clock.now())
        self._refusals = 0
        self._streak += 1
        if self._streak >= _GROWTH:
            self._streak = 0
            self._allowed = min(self._allowed + 1, self._most)
            self._freed.set()

    def refused(self, began: float, status: int, pause_s: float | None, *, again: bool = False) -> float:
        """Note that the host asked to come back later; `pause_s` as it said, None where it did not.

        That is a pause for all, or, where the host refuses each address once, one for this address alone: returns its
        seconds, else 0. `again`: this address had been refused before.
        """
        now = self._clock.now()
        if again:
            self.each_once.refused_again()
        elif self.each_once.found and (pause_s or 1.0) <= self._patience_s:
            return pause_s or 1.0
        if began <= self._refused_at:  # in flight with the one that was refused first
            self._resume = max(self._resume, now + min(pause_s or 0.0, self._patience_s))
            return 0.0
        if self.each_once.refused(self._pace.per_second):  # to slow down was no use
            self._pace.per_second, self._slowing = self.each_once.pace, False
            self._allowed, self._refusals, self._next = min(_FIRST, self._most), 0, now
            return pause_s or 1.0
        if not self._refusals:
            self._refusing_since = now
        own = min(2.0**self._refusals, _LONGEST_OWN_PAUSE)
        self._refusals += 1
        pause = own if pause_s is None else max(pause_s, own if self._refusals > 2 else 0.0)
        self._refused_at = now
        if now + pause - self._refusing_since > self._patience_s:
            what = f"still refuses after {duration(now - self._refusing_since)} of pauses ({status})"
            if self._refusals == 1:
                limit = f"{self._section}.patience_s ({self._patience_s:g} s)"
                what = f"asks to come back in {duration(pause)} ({status}), more than {limit}"
            msg = f"{self._name} {what}; the rest of it is left to the next run."
            self._given_up = RateLimitedError(msg, retry_after_s=pause)
            self._freed.set()
            return 0.0
        self._resume = now + pause
        self._slowing = True
        self._streak = 0
        self._allowed = max(1, min(self._allowed, self._busy) // 2)
        return 0.0

    def failed(self, began: float, reason: str, *, silent: bool) -> None:
        """Note that there was no answer, or one of a server in trouble; `reason` is a sentence."""
        self._streak = 0
        self._allowed = min(self._allowed, _FIRST)
        self.breaker.failed(began, reason, silent=silent)
        if self.breaker.given_up is not None:
            self._freed.set()

    def refused_by_proxy(self, reason: str) -> None:
        """Ask no more: the proxy does not let us to this host; `reason` is a sentence."""
        self.breaker.give_up(f"because {reason}")
        self._freed.set()


def duration(seconds: float) -> str:
    """Write a time as people do: `1 h`, `2 min`, `3 s`."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
