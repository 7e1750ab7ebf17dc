"""Starting and stopping the page."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import SecretStr

from relance.explore.explorer import Explorer
from relance.http.server import listening, serve_until_interrupted, serving

if TYPE_CHECKING:
    import uvicorn

    from relance.index import Index

__all__ = ["ExploreConfig", "running", "serve"]

_CANNOT = "The page cannot listen"
_LOOPBACK = "127.0.0.1"  # never anywhere else: whoever has the token reads every document


@dataclass(slots=True, frozen=True)
class ExploreConfig:
    """How the page is served.

    Attributes:
        port: on 127.0.0.1; 0 takes a free one.
        token: what a browser has to know; a new one each time.
    """

    port: int = 0
    token: SecretStr = field(default_factory=lambda: SecretStr(secrets.token_urlsafe(32)))


def serve(index: Index, config: ExploreConfig, *, ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve until interrupted; `ready` is told the address, with the token, once it listens.

    Raises ConfigurationError where the port is taken.
    """
    with index, listening(_LOOPBACK, config.port, _CANNOT) as (listener, address):
        explorer = Explorer(index)
        # The first page of a large index takes seconds; somebody has to go to the browser first.
        threading.Thread(target=explorer.warm, name="warm", daemon=True).start()
        server = _server(explorer, config, listener.getsockname()[1])
        serve_until_interrupted(server, listener, lambda: ready(_entrance(address, config)))


@contextmanager
def running(index: Index, config: ExploreConfig | None = None) -> Generator[str]:
    """Serve in a thread and yield the address with the token, such as `http://127.0.0.1:50123/?token=…`."""
    config = config or ExploreConfig()
    with index, listening(_LOOPBACK, config.port, _CANNOT) as (listener, address):
        server = _server(Explorer(index), config, listener.getsockname()[1])
        with serving(server, listener, "explorer"):
            yield _entrance(address, config)


def _entrance(address: str, config: ExploreConfig) -> str:
    return f"{address}/?token={config.token.get_secret_value()}"


def _server(explorer: Explorer, config: ExploreConfig, port: int) -> uvicorn.Server:
    import uvicorn

    from relance.explore.app import build

    return uvicorn.Server(
        uvicorn.Config(
            build(explorer, config.token, port),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
    )
