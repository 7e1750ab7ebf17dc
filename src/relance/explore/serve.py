"""Starting and stopping the page."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import SecretStr

from relance.errors import InputError
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


def serve(index: Index, config: ExploreConfig, *more: Index, ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve an index, or several, until interrupted; `ready` gets the address, with the token, once it listens.

    Raises ConfigurationError where the port is taken, InputError where two indexes have the same name.
    """
    with _opened(index, *more) as explorers, listening(_LOOPBACK, config.port, _CANNOT) as (listener, address):
        for explorer in explorers:
            # The first page of a large index takes seconds; somebody has to go to the browser first.
            threading.Thread(target=explorer.warm, name="warm", daemon=True).start()
        server = _server(explorers, config, listener.getsockname()[1])
        serve_until_interrupted(server, listener, lambda: ready(_entrance(address, config)))


@contextmanager
def running(index: Index, config: ExploreConfig | None = None, *more: Index) -> Generator[str]:
    """Serve in a thread and yield the address with the token, such as `http://127.0.0.1:50123/?token=…`."""
    config = config or ExploreConfig()
    with _opened(index, *more) as explorers, listening(_LOOPBACK, config.port, _CANNOT) as (listener, address):
        server = _server(explorers, config, listener.getsockname()[1])
        with serving(server, listener, "explorer"):
            yield _entrance(address, config)


@contextmanager
def _opened(*indexes: Index) -> Generator[list[Explorer]]:
    names = [index.spec.name for index in indexes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        msg = f"two of these indexes are called {twice[0]}; give one of them another name, or show them one at a time"
        raise InputError(msg)
    with ExitStack() as stack:
        yield [Explorer(stack.enter_context(index)) for index in indexes]


def _entrance(address: str, config: ExploreConfig) -> str:
    return f"{address}/?token={config.token.get_secret_value()}"


def _server(explorers: list[Explorer], config: ExploreConfig, port: int) -> uvicorn.Server:
    import uvicorn

    from relance.explore.app import build

    return uvicorn.Server(
        uvicorn.Config(
            build(explorers[0], config.token, port, *explorers[1:]),
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
    )
