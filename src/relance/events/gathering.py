"""Sending what arrives at nearly the same time as one event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from relance.events.change import Change, merge

__all__ = ["Gathering"]


@dataclass(slots=True)
class _Open:
    task: asyncio.Task[None]
    changes: list[Change] = field(default_factory=list)


class Gathering:
    """Collects the changes of an index for a moment; each caller waits until the event they became part of is taken."""

    def __init__(self, emit: Callable[[Change], object], *, wait_s: float) -> None:
        self._emit, self._wait_s = emit, wait_s
        self._open: dict[str, _Open] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def add(self, change: Change) -> None:
        """Have a change sent, and wait for that; raises what `emit` raises."""
        gathered = self._open.get(change.index)
        if gathered is None:
            task = asyncio.create_task(self._send(change.index))
            self._sending.add(task)
            task.add_done_callback(self._done)
            gathered = self._open[change.index] = _Open(task)
        gathered.changes.append(change)
        await asyncio.shield(gathered.task)  # who gives up waiting must not take the others' changes along

    async def aclose(self) -> None:
        """Wait for what is being sent."""
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _send(self, index: str) -> None:
        await asyncio.sleep(self._wait_s)
        await asyncio.to_thread(self._emit, merge(self._open.pop(index).changes))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled():
            task.exception()  # heard by the callers; with none left, nobody is to be told again
