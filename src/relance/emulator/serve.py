"""Starting and stopping an emulator."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from relance.emulator.config import EmulatorConfig
from relance.errors import ConfigurationError

if TYPE_CHECKING:
    import uvicorn

__all__ = ["EmulatorConfig", "running", "serve"]


def serve(config: EmulatorConfig, *, ready: Callable[[str], None] = lambda _: None) -> None:
    """Run an emulator until it is interrupted; prints nothing. `ready` is told its address once it listens.

    Raises ConfigurationError where the port is taken.
    """
    with _listening(config) as listener:
        server = _server(config)
        listener.listen(socket.SOMAXCONN)  # so that whoever reads the address may call it
        host, port = listener.getsockname()[:2]
        ready(f"http://{host}:{port}")
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # how uvicorn ends after Ctrl-C
            return


@contextmanager
def running(config: EmulatorConfig | None = None) -> Generator[str]:
    """Run an emulator in a thread and yield its address, such as `http://127.0.0.1:50123`.

    Native addresses begin with that and `/api/v1`, OpenAI's with that and `/compatible-mode/v1`.
    """
    config = config or EmulatorConfig()
    with _listening(config) as listener:
        server = _server(config)
        # A fixture may be open for long; nobody should have to wait for a forgotten one.
        thread = threading.Thread(target=server.run, args=([listener],), name="emulator", daemon=True)
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise RuntimeError("the emulator did not start")
                time.sleep(0.005)
            host, port = listener.getsockname()[:2]
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def _listening(config: EmulatorConfig) -> Generator[socket.socket]:
    # Named as TCP, or asyncio does not switch Nagle's algorithm off and every reply takes 40 ms longer.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.host, config.port))
        except OSError as error:
            msg = f"The emulator cannot listen on {config.host}:{config.port} ({error.strerror}); choose another port."
            raise ConfigurationError(msg) from error
        yield listener


def _server(config: EmulatorConfig) -> uvicorn.Server:
    import uvicorn

    from relance.emulator.app import build
    from relance.emulator.connection import BreakableProtocol

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
