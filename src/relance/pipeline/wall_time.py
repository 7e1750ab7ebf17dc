"""Where the time of a run went: each moment belongs to the stages that were at work in it, in equal parts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager

__all__ = ["WallTime"]

START = "start"  # before the first stage: of a Prefect server, above all
BETWEEN = "between"  # moments without any stage later on: the engine hands on, or a person is asked


class WallTime:
    """A stop-watch for stages that work side by side; its parts add up, however many batches are in a stage at once."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._at_work = Counter([START])
        self._spent = {START: 0.0}
        self._idle = 0.0
        self._last = clock()

    @contextmanager
    def within(self, stage: str) -> Generator[None]:
        """Count a block of any thread as work of a stage."""
        self._turn(stage, 1)
        try:
            yield
        finally:
            self._turn(stage, -1)

    def split(self) -> dict[str, float]:
        """Return the seconds so far, to three digits: before the first stage, of each stage, and of no stage."""
        with self._lock:
            self._pass()
            return {stage: round(seconds, 3) for stage, seconds in (self._spent | {BETWEEN: self._idle}).items()}

    def _turn(self, stage: str, by: int) -> None:
        with self._lock:
            self._pass()
            self._at_work.pop(START, None)
            self._at_work[stage] += by
            if not self._at_work[stage]:
                del self._at_work[stage]
            self._spent.setdefault(stage, 0.0)

    def _pass(self) -> None:
        """Give the time since the last change to the stages that were at work."""
        now = self._clock()
        if not self._at_work:
            self._idle += now - self._last
        for stage in self._at_work:
            self._spent[stage] += (now - self._last) / len(self._at_work)
        self._last = now
