"""PostgreSQL and Redis from the machine's own packages: what no container engine runs here, infra/compose.yaml runs there.

Both listen on a free loopback port, keep their data in a folder of their own, and are stopped by their process.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

START_S = 60.0
STOP_S = 20.0


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
def postgres_server() -> Generator[str]:
    """Run PostgreSQL for as long as the block; yields `postgresql://prefect:…@127.0.0.1:PORT/prefect`."""
    programs = {name: _program(name, "postgresql") for name in ("initdb", "postgres", "createdb")}
    account = _account()
    password, port = secrets.token_hex(16), free_port()
    with _folder(account) as folder, (folder / "log").open("w") as log:
        secret = folder / "password"
        secret.write_text(password, encoding="utf-8")
        if account:
            os.chown(secret, account.pw_uid, account.pw_gid)
        # The server refuses to run as root, so that it cannot be made to do what root may.
        user, group, groups = (account.pw_uid, account.pw_gid, []) if account else (None, None, None)
        data = folder / "data"
        options = ["-D", str(data), "-U", "prefect", "--auth=scram-sha-256", f"--pwfile={secret}", "-E", "UTF8"]
        subprocess.run(
            [programs["initdb"], *options, "--locale=C", "--no-sync"],
            check=True,
            stdout=log,
            stderr=log,
            cwd=folder,
            user=user,
            group=group,
            extra_groups=groups,
        )
        settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        server = subprocess.Popen(
            [programs["postgres"], "-D", str(data), *(part for setting in settings for part in ("-c", setting))],
            stdout=log,
            stderr=log,
            cwd=folder,
            user=user,
            group=group,
            extra_groups=groups,
        )
        with stopped(server, signal.SIGINT):  # SIGTERM would wait for every client to leave

            def created() -> bool:
                command = [programs["createdb"], "-h", "127.0.0.1", "-p", str(port), "-U", "prefect", "prefect"]
                environment = os.environ | {"PGPASSWORD": password}
                return subprocess.run(command, env=environment, stdout=log, stderr=log, check=False).returncode == 0

            _wait(server, created, folder / "log")
            yield f"postgresql://prefect:{password}@127.0.0.1:{port}/prefect"


@contextlib.contextmanager
def redis_server() -> Generator[str]:
    """Run Redis for as long as the block; yields `redis://127.0.0.1:PORT`."""
    program = _program("redis-server", "redis-server")
    port = free_port()
    with _folder(None) as folder, (folder / "log").open("w") as log:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
        server = subprocess.Popen([program, *options], stdout=log, stderr=log)
        with stopped(server):

            def answers() -> bool:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as line:
                    line.sendall(b"PING\r\n")
                    return line.recv(16).startswith(b"+PONG")
                return False

            _wait(server, answers, folder / "log")
            yield f"redis://127.0.0.1:{port}"


def _program(name: str, package: str) -> str:
    """Find a program; Debian keeps those of PostgreSQL out of PATH, in a folder per version."""
    found = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)]
    found += [path for path in [shutil.which(name)] if path]
    if not found:
        pytest.skip(f"{name} is not installed (Debian package {package})")
    return found[0]


def _account() -> pwd.struct_passwd | None:
    """Whom to become if we are root, or None."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    pytest.skip("PostgreSQL does not run as root, and there is no account postgres or nobody to run it as")


@contextlib.contextmanager
def _folder(account: pwd.struct_passwd | None) -> Generator[Path]:
    # Not tmp_path: pytest closes the folders above it to other accounts.
    with tempfile.TemporaryDirectory(prefix="relance-") as name:
        if account:
            os.chown(name, account.pw_uid, account.pw_gid)
        yield Path(name)


def free_port() -> int:
    """Find a port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(server: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not ready():
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{server.args} did not start:\n{log.read_text(encoding='utf-8')[-2000:]}")
        time.sleep(0.05)


@contextlib.contextmanager
def stopped(
    process: subprocess.Popen[bytes], with_signal: signal.Signals = signal.SIGTERM
) -> Generator[subprocess.Popen[bytes]]:
    """Stop a process at the end of the block, by force if it does not go."""
    try:
        yield process
    finally:
        process.send_signal(with_signal)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
