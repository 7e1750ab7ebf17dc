"""What has to be told and has not been taken yet."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from relance.errors import RateLimitedError, RetryableError
from relance.events.change import Change, merge

__all__ = ["Outbox"]

log = logging.getLogger(__name__)

_FIRST_S, _MOST_S = 1.0, 60.0


class Outbox:
    """Sends changes of one index, one event at a time; what the server does not take is kept and grows.

    Between attempts are 1, 2, 4 … 60 seconds, or what the server asks for; `clock` gives the time in seconds.
    """

    def __init__(self, emit: Callable[[Change], object], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._emit = emit
        self._clock = clock
        self._waiting: Change | None = None
        self._next_at = 0.0
        self._pause_s = 0.0

    @property
    def waiting(self) -> Change | None:
        """What is still to be sent."""
        return self._waiting

    def add(self, change: Change) -> None:
        """Put a change to those that wait."""
        self._waiting = merge([self._waiting, change]) if self._waiting else change

    def send(self, *, at_once: bool = False) -> bool:
        """Send what waits, unless the last attempt failed just now; returns whether nothing waits any more.

        Raises ConfigurationError: nobody is helped by another attempt.
        """
        if self._waiting is None:
            return True
        if self._clock() < self._next_at and not at_once:
            return False
        try:
            self._emit(self._waiting)
        except RetryableError as error:
            if not self._pause_s:
                log.warning("%s; changes are stored until it does", error)
            self._pause_s = min(2 * self._pause_s, _MOST_S) or _FIRST_S
            asked = error.retry_after_s if isinstance(error, RateLimitedError) else None
            self._next_at = self._clock() + (asked or self._pause_s)
            return False
        if self._pause_s:
            log.info("%s: reported after a break", self._waiting)
        self._waiting, self._pause_s, self._next_at = None, 0.0, 0.0
        return True
