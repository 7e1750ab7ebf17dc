"""A limit of the bytes that tasks of one event loop hold in memory together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

__all__ = ["ByteGate", "Held"]


class ByteGate:
    """Lets tasks in while what they hold is within a limit; one that is larger alone goes in alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: list[asyncio.Future[None]] = []
        self.held = 0

    @contextlib.asynccontextmanager
    async def hold(self, size: int) -> AsyncGenerator[Held]:
        """Hold so many bytes, as soon as there is room for them."""
        while size and self.held and self.held + size > self._limit:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        held = Held(self)
        held.resize(size)
        try:
            yield held
        finally:
            held.resize(0)

    def add(self, size: int) -> None:
        """Count bytes, and let others look whether there is room."""
        self.held += size
        if size < 0:
            waiting, self._waiting = self._waiting, []
            for turn in waiting:
                if not turn.done():
                    turn.set_result(None)


class Held:
    """What one task holds."""

    def __init__(self, gate: ByteGate) -> None:
        self._gate, self._size = gate, 0

    def resize(self, size: int) -> None:
        """Hold so many bytes from now on, without waiting: they are there."""
        self._gate.add(size - self._size)
        self._size = size
