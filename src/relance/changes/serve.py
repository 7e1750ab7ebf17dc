"""Running the receiver of notifications."""

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
    from starlette.applications import Starlette

__all__ = ["running_receiver", "serve_receiver"]

_HEAD_S = 10.0


def serve_receiver(
    app: Starlette, host: str = "127.0.0.1", port: int = 8080, *, ready: Callable[[str], None] = lambda _: None
) -> None:
    """Serve until interrupted; prints nothing. `ready` is told the address once it listens.

    Raises ConfigurationError where the port is taken.
    """
    with _listening(host, port) as listener:
        server = _server(app, _HEAD_S)
        listener.listen(socket.SOMAXCONN)  # so that whoever reads the address may call it
        ready(_address(listener))
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # how uvicorn ends after Ctrl-C
            return


@contextmanager
def running_receiver(app: Starlette, *, head_s: float = _HEAD_S) -> Generator[str]:
    """Serve in a thread, on a free port, and yield the address; `head_s`: seconds in which a request has to begin."""
    with _listening("127.0.0.1", 0) as listener:
        server = _server(app, head_s)
        thread = threading.Thread(target=server.run, args=([listener],), name="receiver", daemon=True)
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    msg = "the receiver did not start"
                    raise RuntimeError(msg)
                time.sleep(0.005)
            yield _address(listener)
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def _listening(host: str, port: int) -> Generator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; without, an answer takes 44 ms instead of 2.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            msg = f"The receiver cannot listen on {host}:{port} ({error.strerror or error}); choose another port."
            raise ConfigurationError(msg) from error
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server(app: Starlette, head_s: float) -> uvicorn.Server:
    import uvicorn

    from relance.changes.connection import punctual

    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=punctual(head_s),
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            log_level="error",  # what scanners of the internet send is worth no line
            access_log=False,
            server_header=False,
            limit_concurrency=2000,
            timeout_graceful_shutdown=15,
        )
    )
