"""A small server that has nothing but the page for Prometheus."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from relance.errors import ConfigurationError
from relance.spec import IndexSpec

if TYPE_CHECKING:
    import uvicorn

__all__ = ["serve_metrics", "serving_metrics"]


def serve_metrics(specs: Iterable[IndexSpec], host: str = "127.0.0.1", port: int = 9464,
                  ready: Callable[[str], None] = lambda _: None) -> None:  # fmt: skip
    """Serve `GET /metrics` and `GET /health` until interrupted; `ready` is told the address once it listens.

    Raises ConfigurationError where the port is taken.
    """
    with _listening(host, port) as (listener, address):
        server = _server(specs)
        ready(address)
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # how uvicorn ends after Ctrl-C
            return


@contextmanager
def serving_metrics(specs: Iterable[IndexSpec], host: str = "127.0.0.1", port: int = 0) -> Generator[str]:
    """Serve the same from a thread, beside whatever else the process does; yields the address."""
    with _listening(host, port) as (listener, address):
        server = _server(specs)
        thread = threading.Thread(target=server.run, args=([listener],), name="metrics", daemon=True)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            yield address
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def _listening(host: str, port: int) -> Generator[tuple[socket.socket, str]]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            msg = f"cannot serve metrics on {host}:{port} ({error.strerror}); choose another port"
            raise ConfigurationError(msg) from error
        listener.listen(socket.SOMAXCONN)  # so that whoever reads the address may call it
        shown = f"[{host}]" if ":" in host else host
        yield listener, f"http://{shown}:{listener.getsockname()[1]}"


def _server(specs: Iterable[IndexSpec]) -> uvicorn.Server:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from relance.telemetry.exporter import metrics_routes

    async def health(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    app = Starlette(routes=[*metrics_routes(specs), Route("/health", health)])
    return uvicorn.Server(
        uvicorn.Config(
            app, ws="none", lifespan="off", log_config=None, log_level="warning", access_log=False,
            server_header=False, timeout_graceful_shutdown=1,
        )
    )  # fmt: skip
