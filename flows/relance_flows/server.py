"""A temporary Prefect server for a run that finds none."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Generator

from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, temporary_settings

from relance.errors import ConfigurationError, StoppedError
from relance.http.proxies import spare_loopback

__all__ = ["temporary_server"]

_POLL_S = 0.1
_GRACE_S = 3.0


@contextlib.contextmanager
def temporary_server(stopped: Callable[[], bool]) -> Generator[Callable[[], None]]:
    """Start a server on a free loopback port, unless one is configured; yields a function that waits for it.

    What Prefect would start itself, with two differences: it starts while we import, and in a session of its own, so
    that Ctrl-C in the terminal stops the run and not the server that has to record how it ended.
    """
    if PREFECT_API_URL.value():
        yield lambda: None
        return
    spare_loopback()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # -P: the folder relance is run in may hold modules of any name.
    process = subprocess.Popen(  # noqa: S603  # our own interpreter and constants
        [sys.executable, "-P", "-m", "relance_flows.server_process", str(port)],
        env=os.environ | {"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"},
        start_new_session=True,
        stdin=subprocess.PIPE,  # closed by whatever ends this process
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    up = threading.Event()

    def wait() -> None:
        deadline = time.monotonic() + PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
        while not _healthy(port):
            if stopped():
                msg = "stopped before the run began"
                raise StoppedError(msg)
            if process.poll() is not None or time.monotonic() > deadline:
                msg = (
                    "the temporary Prefect server did not start; start one with `prefect server start` and set "
                    "PREFECT_API_URL, or pass --direct to run without Prefect"
                )
                raise ConfigurationError(msg)
            time.sleep(_POLL_S)
        up.set()

    try:
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
            try:
                yield wait
            finally:
                if up.is_set():  # of a run that failed, too: what is queued would be said to have been lost
                    _drain()
    finally:
        process.terminate()
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _drain() -> None:
    """Send what Prefect still has queued: the last log lines and the events its record of task runs is made from."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=_GRACE_S)


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=1) as reply:
            return reply.status == 200
    except OSError:
        return False
