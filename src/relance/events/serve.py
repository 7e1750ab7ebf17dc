"""Running the receiver of notifications."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from relance.events.connection import ConnectionLimits
from relance.http.server import listening, serve_until_interrupted, serving

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

__all__ = ["running_receiver", "serve_receiver"]

_CANNOT = "The receiver cannot listen"
_LIMITS = ConnectionLimits()
# Connections that the kernel holds until they are taken, and that are taken in one go, before any can be closed.
_BACKLOG = 1024
_OWN_FILES = 256  # of the store, of the connections to Prefect


def serve_receiver(
    app: Starlette, host: str = "127.0.0.1", port: int = 8080, *, ready: Callable[[str], None] = lambda _: None
) -> None:
    """Serve until interrupted; prints nothing. `ready` is told the address once it listens.

    Raises ConfigurationError where the port is taken.
    """
    with listening(host, port, _CANNOT) as (listener, address):
        serve_until_interrupted(_server(app, _LIMITS), listener, lambda: ready(address))


@contextmanager
def running_receiver(app: Starlette, *, limits: ConnectionLimits = _LIMITS) -> Generator[str]:
    """Serve in a thread, on a free port, and yield the address."""
    with listening("127.0.0.1", 0, _CANNOT) as (listener, address), serving(_server(app, limits), listener, "receiver"):
        yield address


def _server(app: Starlette, limits: ConnectionLimits) -> uvicorn.Server:
    import uvicorn

    files = _open_files(limits.most + _BACKLOG + _OWN_FILES)
    most = min(limits.most, max(16, (files - _OWN_FILES) // 2))
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=replace(limits, most=most, strangers=min(limits.strangers, most // 2)).protocol(),
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            log_level="error",  # what scanners of the internet send is worth no line
            access_log=False,
            server_header=False,
            backlog=min(_BACKLOG, max(64, files // 4)),
            timeout_graceful_shutdown=8,
        )
    )


def _open_files(wanted: int) -> int:
    """Raise how many files this process may open, as far as that is allowed; returns how many they are."""
    try:
        import resource
    except ImportError:  # Windows counts no files
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else soft
