"""Serving an HTTP app on this machine: until interrupted, or in a thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from relance.errors import ConfigurationError

if TYPE_CHECKING:
    import uvicorn

__all__ = ["listening", "serve_until_interrupted", "serving"]

_LAST_PORT = 65_535


@contextmanager
def listening(host: str, port: int, cannot: str) -> Generator[tuple[socket.socket, str]]:
    """Listen on an address (port 0: a free one); yields the socket and the URL, which can be called at once.

    Raises ConfigurationError where the port is taken or none; it begins with `cannot`, such as "The emulator cannot
    listen".
    """
    if not 0 <= port <= _LAST_PORT:
        msg = f"{cannot} on port {port}; ports are 1 to {_LAST_PORT:,}, and 0 takes a free one."
        raise ConfigurationError(msg)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; without, an answer takes 44 ms instead of 2.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            msg = f"{cannot} on {host}:{port} ({error.strerror or error}); choose another port."
            raise ConfigurationError(msg) from error
        listener.listen(socket.SOMAXCONN)
        place, port = listener.getsockname()[:2]
        yield listener, f"http://[{place}]:{port}" if ":" in place else f"http://{place}:{port}"


def serve_until_interrupted(server: uvicorn.Server, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Call `ready`, then serve until Ctrl-C."""
    ready()
    try:
        _run(server, listener)
    except KeyboardInterrupt:  # how uvicorn ends after Ctrl-C
        return


@contextmanager
def serving(server: uvicorn.Server, listener: socket.socket, name: str) -> Generator[None]:
    """Serve in a daemon thread of this name; RuntimeError if it does not start."""
    thread = threading.Thread(target=_run, args=(server, listener), name=name, daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                msg = f"the {name} did not start"
                raise RuntimeError(msg)
            time.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        thread.join()


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    import asyncio

    asyncio.run(_serve(server, listener))


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    try:
        await server.serve(sockets=[listener])
    finally:
        # uvicorn waits a second for those who do not read, and leaves their sockets to the garbage collector: a warning
        # in whatever runs by then.
        for connection in list(server.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
