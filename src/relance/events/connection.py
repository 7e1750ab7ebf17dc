"""Connections that may not take forever to say what they want: uvicorn bounds the size of a head, not its time."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["punctual"]


def punctual(head_s: float) -> type[asyncio.Protocol]:
    """Make a protocol that closes connections which take longer than so many seconds to send the head of a request.

    A new connection has that long to begin at all; one that is kept open may be idle for as long as uvicorn lets it.
    """

    class Punctual(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._timer = self.loop.call_later(head_s, self._close)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            answering = self.cycle is not None and not self.cycle.response_complete
            if answering or self.conn.their_state is not h11.IDLE:
                self._unset_timer()
            elif self._timer is None:
                self._timer = self.loop.call_later(head_s, self._close)

        def connection_lost(self, exc: Exception | None) -> None:
            self._unset_timer()
            super().connection_lost(exc)

        def _unset_timer(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _close(self) -> None:
            self.transport.close()

    return Punctual
