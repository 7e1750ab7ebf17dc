"""Starting and stopping: over HTTP until a signal, in a thread, or over stdin and stdout."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from relance.errors import MissingExtraError
from relance.events.connection import ConnectionLimits
from relance.http.server import listening, serve_until_interrupted, serving
from relance.serve.audit import AuditLog
from relance.serve.config import ServeConfig
from relance.serve.service import Service
from relance.serve.tokens import Caller
from relance.serve.visit import Visit

if TYPE_CHECKING:
    import uvicorn

    from relance.index import Index

__all__ = ["running", "serve", "serve_stdio"]

_CANNOT = "The API cannot listen"
_CONNECTIONS = ConnectionLimits()
_GRACE_S = 5  # for answers under way, after a signal


def serve(indexes: Sequence[Index], config: ServeConfig, *, ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish the answers under way; `ready` gets the address once it listens.

    Raises ConfigurationError where the port is taken, or the audit log cannot be written.
    """
    with (
        _opened(indexes, config) as (service, audit),
        listening(config.host, config.port, _CANNOT) as (socket, address),
    ):
        serve_until_interrupted(_server(service, config, audit), socket, lambda: ready(address))


@contextmanager
def running(indexes: Sequence[Index], config: ServeConfig | None = None) -> Generator[str]:
    """Serve in a thread and yield the address, such as `http://127.0.0.1:50123`."""
    config = config or ServeConfig(port=0)
    with (
        _opened(indexes, config) as (service, audit),
        listening(config.host, config.port, _CANNOT) as (socket, address),
        serving(_server(service, config, audit), socket, "serve"),
    ):
        yield address


def serve_stdio(indexes: Sequence[Index], config: ServeConfig) -> None:
    """Speak MCP over stdin and stdout until stdin ends.

    Raises MissingExtraError where the SDK is not installed.
    """
    try:
        import anyio

        from relance.serve.mcp_server import mcp_server
    except ImportError as error:
        what = "MCP"
        raise MissingExtraError(what, "serve") from error

    with _opened(indexes, config) as (service, audit):

        @contextmanager
        def local() -> Generator[Visit]:
            visit, status = Visit(Caller()), 500
            try:
                yield visit
                status = 200
            except Exception as error:
                status = 400 if type(error).__name__ == "ToolError" else 500
                raise
            finally:
                audit.write(visit, status)

        # The SDK takes stdout for the protocol: what anything else prints, also from C, goes to stderr meanwhile.
        with contextlib.suppress(KeyboardInterrupt):
            anyio.run(mcp_server(service, local).run_stdio_async)


@contextmanager
def _opened(indexes: Sequence[Index], config: ServeConfig) -> Generator[tuple[Service, AuditLog]]:
    """Open the indexes and the audit log."""
    audit = AuditLog(config.audit, queries=config.audit_queries)
    with contextlib.closing(audit), Service(indexes, config.limits) as service:
        yield service, audit


def _server(service: Service, config: ServeConfig, audit: AuditLog) -> uvicorn.Server:
    import uvicorn

    from relance.serve.app import build

    return uvicorn.Server(
        uvicorn.Config(
            build(service, config, audit),
            http=_CONNECTIONS.protocol(),
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
