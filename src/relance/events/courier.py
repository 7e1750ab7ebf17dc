"""Handing the changes of one index on in a thread of its own, while others come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Self

from relance.errors import RetryableError
from relance.events.change import Change, merge
from relance.events.outbox import Outbox

__all__ = ["Courier"]

log = logging.getLogger(__name__)

# How often we look whether a change that was not taken is due again.
_TICK_S = 0.5


class Courier:
    """Takes changes at once, and hands them on one after the other: what comes meanwhile is put together as the next.

    It begins with `everything`. So what is accepted is safe from a kill without being written down: a change names
    documents that their source has already, and the next courier looks at all of them. A context manager.
    """

    def __init__(self, index: str, emit: Callable[[Change], object]) -> None:
        """Prepare; `emit` is called in one thread, and what it refuses by RetryableError is handed on again later."""
        self._outbox = Outbox(emit)
        self._come: Change | None = Change(index, everything=True)
        self._lock, self._wake, self._stop = threading.Lock(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"courier {index}", daemon=True)

    def __enter__(self) -> Self:
        self._wake.set()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join()
        if waiting := self._taken() or self._outbox.waiting:
            log.warning("%s: waits no longer; the next start begins by looking at everything", waiting)

    def add(self, change: Change) -> None:
        """Accept a change; RetryableError where nothing is handed on any more."""
        with self._lock:
            if self._stop.is_set() or not self._thread.is_alive():
                msg = f"{change.index}: changes are not taken any more"
                raise RetryableError(msg)
            self._come = merge([self._come, change]) if self._come else change
        self._wake.set()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(_TICK_S)
            self._wake.clear()
            if change := self._taken():
                self._outbox.add(change)
            self._outbox.send()

    def _taken(self) -> Change | None:
        with self._lock:
            change, self._come = self._come, None
        return change
