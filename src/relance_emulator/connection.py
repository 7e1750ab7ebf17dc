"""A connection that the emulator can break: uvicorn does not let an app do that."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["BreakableProtocol", "abort", "is_open"]

KEY = "relance.transport"


class BreakableProtocol(H11Protocol):
    """HTTP/1.1 whose scope carries the transport."""

    def connection_made(self, transport: Any) -> None:
        """Take a connection and let the app have it."""
        super().connection_made(transport)
        app = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            scope[KEY] = transport
            await app(scope, receive, send)

        self.app = with_transport


def is_open(scope: Any) -> bool:
    """Say whether the client is still there, as far as is known."""
    return not scope[KEY].is_closing()


async def abort(scope: Any) -> None:
    """Reset the connection, so that the client sees an error and no end."""
    transport = scope[KEY]
    linger_not = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
    transport.abort()
    await asyncio.sleep(0.01)  # until the server has noticed; it would try to answer otherwise
