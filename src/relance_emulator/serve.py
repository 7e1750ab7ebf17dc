"""Starting and stopping an emulator."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from relance.errors import MissingExtraError
from relance.http.server import listening, serve_until_interrupted, serving
from relance_emulator.config import EmulatorConfig

if TYPE_CHECKING:
    import uvicorn

__all__ = ["EmulatorConfig", "running", "serve"]

_CANNOT = "The emulator cannot listen"


def serve(config: EmulatorConfig, *, ready: Callable[[str], None] = lambda _: None) -> None:
    """Run an emulator until it is interrupted; prints nothing. `ready` is told its address once it listens.

    Raises ConfigurationError where the port is taken, MissingExtraError without the extra `emulator`.
    """
    server = _server(config)
    with listening(config.host, config.port, _CANNOT) as (listener, address):
        serve_until_interrupted(server, listener, lambda: ready(address))


@contextmanager
def running(config: EmulatorConfig | None = None) -> Generator[str]:
    """Run an emulator in a thread and yield its address, such as `http://127.0.0.1:50123`.

    Native addresses begin with that and `/api/v1`, OpenAI's with that and `/compatible-mode/v1`.
    """
    config = config or EmulatorConfig()
    with (
        listening(config.host, config.port, _CANNOT) as (listener, address),
        serving(_server(config), listener, "emulator"),
    ):
        yield address


def _server(config: EmulatorConfig) -> uvicorn.Server:
    if find_spec("python_multipart") is None:
        raise MissingExtraError("relance emulator", "emulator")
    import uvicorn

    from relance_emulator.app import build
    from relance_emulator.connection import BreakableProtocol

    return uvicorn.Server(
        uvicorn.Config(
            build(config),
            http=BreakableProtocol,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            log_level="critical",  # broken connections are meant, and uvicorn calls them errors
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=75,
        )
    )
