"""A small server that has nothing but the page for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr

from relance.http.server import listening, serve_until_interrupted, serving
from relance.telemetry.readings import Reader

if TYPE_CHECKING:
    import uvicorn

__all__ = ["serve_metrics", "serving_metrics"]

_OPEN = SecretStr("")
_CANNOT = "cannot serve metrics"


def serve_metrics(readers: Iterable[Reader], host: str = "127.0.0.1", port: int = 9464,
                  ready: Callable[[str], None] = lambda _: None, *, token: SecretStr = _OPEN) -> None:  # fmt: skip
    """Serve `GET /metrics` and `GET /health` until interrupted; `ready` is told the address once it listens.

    Raises ConfigurationError where the port is taken.
    """
    with listening(host, port, _CANNOT) as (listener, address):
        serve_until_interrupted(_server(readers, token), listener, lambda: ready(address))


@contextmanager
def serving_metrics(readers: Iterable[Reader], host: str = "127.0.0.1", port: int = 0,
                    *, token: SecretStr = _OPEN) -> Generator[str]:  # fmt: skip
    """Serve the same from a thread, beside whatever else the process does; yields the address."""
    server = _server(readers, token)
    with listening(host, port, _CANNOT) as (listener, address), serving(server, listener, "metrics"):
        yield address


def _server(readers: Iterable[Reader], token: SecretStr) -> uvicorn.Server:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from relance.telemetry.exporter import metrics_routes

    async def health(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    app = Starlette(routes=[*metrics_routes(readers, token), Route("/health", health)])
    return uvicorn.Server(
        uvicorn.Config(
            app, ws="none", lifespan="off", log_config=None, log_level="warning", access_log=False,
            server_header=False, timeout_graceful_shutdown=1,
        )
    )  # fmt: skip
