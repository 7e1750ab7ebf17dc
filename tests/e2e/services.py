"""PostgreSQL and Redis from the machine's own packages: what no container engine runs here, infra/compose.yaml runs there.

Both listen on a free loopback port, keep their data in a folder of their own, and are stopped by their process.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Generator

import pytest
from servers import folder_of, free_port, postgres_server, program, stopped, wait_for

__all__ = ["free_port", "postgres_server", "redis_server", "stopped"]


@pytest.fixture(scope="session")
def postgres() -> Generator[str]:
    """Address of a PostgreSQL server with an empty database `prefect` and a password nobody else knows."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def redis() -> Generator[str]:
    """Address of a Redis server that keeps nothing."""
    with redis_server() as url:
        yield url


@contextlib.contextmanager
def redis_server() -> Generator[str]:
    """Run Redis for as long as the block; yields `redis://127.0.0.1:PORT`."""
    redis = program("redis-server", "redis-server")
    port = free_port()
    with folder_of(None) as folder, (folder / "log").open("w") as log:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
        server = subprocess.Popen([redis, *options], stdout=log, stderr=log)
        with stopped(server):

            def answers() -> bool:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as line:
                    line.sendall(b"PING\r\n")
                    return line.recv(16).startswith(b"+PONG")
                return False

            wait_for(server, answers, folder / "log")
            yield f"redis://127.0.0.1:{port}"
