"""Bodies that are being read: so much memory for all, and who is slow gives way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

__all__ = ["Bodies", "GaveWayError", "TooLargeError"]

# Some of what is too much is thrown away first: a sender that is cut off while sending hears no reason.
_THROWN_AWAY = 8


class TooLargeError(Exception):
    """A body is larger than it may be."""


class GaveWayError(Exception):
    """A body was slow, and its bytes were needed for others."""


class Bodies:
    """Reads bodies side by side, in bounded memory.

    A slow sender takes the bytes it has sent and no place. Where all bytes are taken, the body that was begun first is
    given up: one that is sent as a body should be is read in milliseconds.
    """

    def __init__(self, *, body_bytes: int, memory_bytes: int, within_s: float) -> None:
        """Bound the size of a body, of all that are being read, and the time each may take."""
        self._body_bytes, self._memory_bytes, self._within_s = body_bytes, memory_bytes, within_s
        self._open: dict[asyncio.Timeout, int] = {}
        self._gave_way: set[asyncio.Timeout] = set()

    async def read(self, parts: AsyncIterator[bytes], announced: int = 0) -> bytes:
        """Read a body; TooLargeError, TimeoutError or GaveWayError."""
        if announced > _THROWN_AWAY * self._body_bytes:
            raise TooLargeError
        limit = asyncio.timeout(self._within_s)
        try:
            async with limit:
                return await self._all(parts, limit)
        except TimeoutError:
            if limit in self._gave_way:
                raise GaveWayError from None
            raise
        finally:
            self._open.pop(limit, None)
            self._gave_way.discard(limit)

    async def _all(self, parts: AsyncIterator[bytes], limit: asyncio.Timeout) -> bytes:
        kept: list[bytes] = []
        size = 0
        async for part in parts:
            size += len(part)
            if size > _THROWN_AWAY * self._body_bytes:
                raise TooLargeError
            kept.append(part) if size <= self._body_bytes else kept.clear()
            self._open[limit] = size if kept else 0
            self._make_room()
        if size > self._body_bytes:
            raise TooLargeError
        return b"".join(kept)

    def _make_room(self) -> None:
        over = sum(self._open.values()) - self._memory_bytes
        for limit, size in self._open.items():
            if over <= 0:
                return
            if size and limit not in self._gave_way:
                self._gave_way.add(limit)
                limit.reschedule(asyncio.get_running_loop().time())
            over -= size
