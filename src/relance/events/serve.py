"""Running the receiver of notifications."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from relance.http.server import listening, serve_until_interrupted, serving

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

__all__ = ["running_receiver", "serve_receiver"]

_HEAD_S = 10.0
_CANNOT = "The receiver cannot listen"


def serve_receiver(
    app: Starlette, host: str = "127.0.0.1", port: int = 8080, *, ready: Callable[[str], None] = lambda _: None
) -> None:
    """Serve until interrupted; prints nothing. `ready` is told the address once it listens.

    Raises ConfigurationError where the port is taken.
    """
    with listening(host, port, _CANNOT) as (listener, address):
        serve_until_interrupted(_server(app, _HEAD_S), listener, lambda: ready(address))


@contextmanager
def running_receiver(app: Starlette, *, head_s: float = _HEAD_S) -> Generator[str]:
    """Serve in a thread, on a free port, and yield the address; `head_s`: seconds in which a request has to begin."""
    with (
        listening("127.0.0.1", 0, _CANNOT) as (listener, address),
        serving(_server(app, head_s), listener, "receiver"),
    ):
        yield address


def _server(app: Starlette, head_s: float) -> uvicorn.Server:
    import uvicorn

    from relance.events.connection import punctual

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
