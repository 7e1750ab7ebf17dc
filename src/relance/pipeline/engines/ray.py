"""The engine of a Ray cluster, or of one that is started on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import warnings
from collections.abc import Callable, Generator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from relance.errors import ConfigurationError, MissingExtraError, RetryableError
from relance.pipeline.engines import value_of

if TYPE_CHECKING:
    from relance.pipeline.batch import Batch

__all__ = ["Ray"]

_TRIES = 3
_CONNECT_S = 20
_OBJECTS = 128 << 20  # bytes; Ray would reserve a third of the memory, and what travels here are addresses
_ENVIRONMENT = {
    # On a busy machine a node takes longer to register than Ray's ten seconds; it then gives up without a reason.
    "RAY_agent_register_timeout_ms": "180000",
    # Under `uv run`, Ray packs the working directory and installs it again for each worker: minutes.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the default of Ray's next versions; it warns until it is chosen
}


class Ray:
    """Submits stages as Ray tasks; a lost worker's are done again by another."""

    shares_memory = False

    def __init__(self, workers: int = 0, address: str = "") -> None:
        self.shares_disk = not address
        self.workers = workers
        self._address = address
        self._ray: Any = None
        self._remotes: dict[Callable[..., Batch], Any] = {}
        self._exits = contextlib.ExitStack()

    def submit(self, stage: Callable[..., Batch], /, *values: Any) -> _Future:
        """Have a stage executed by the cluster."""
        if stage not in self._remotes:
            self._remotes[stage] = self._ray.remote(num_cpus=1, max_retries=_TRIES)(stage)
        # Results and not references: a batch lies in the staging area, and is there when its worker is lost.
        made = [value_of(each) for each in values]
        return _Future(self._ray, self._remotes[stage].remote(*made))

    def __enter__(self) -> Self:
        for name, value in _ENVIRONMENT.items():  # Ray reads them when it is imported
            os.environ.setdefault(name, value)
        try:
            import ray
        except ImportError as error:
            what = "engine ray"
            raise MissingExtraError(what, "ray") from error
        logging.getLogger("ray").setLevel(logging.ERROR)
        self._ray = ray
        with contextlib.ExitStack() as exits:
            self._start(exits)
            self.workers = self.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._exits.close()

    def _start(self, exits: contextlib.ExitStack) -> None:
        options: dict[str, Any] = {"address": self._address}
        if self._address:
            _probe(self._address)
        else:
            folder = _folder()
            exits.callback(shutil.rmtree, folder, ignore_errors=True)
            options = {"address": "local", "num_cpus": self.workers or None, "include_dashboard": False,
                       "object_store_memory": _OBJECTS, "_temp_dir": folder}  # fmt: skip
        try:
            with _unnoticed():
                exits.callback(self._ray.shutdown)
                self._ray.init(**options, log_to_driver=False, configure_logging=False)
        # It leaves by SystemExit where nothing answers.
        except (ConnectionError, ValueError, RuntimeError, SystemExit) as error:
            raise ConfigurationError(_no_cluster(self._address, error)) from error


class _Future:
    """The future of a stage on the cluster."""

    def __init__(self, ray: Any, reference: Any) -> None:
        self._reference = reference
        self._ray = ray
        self._done: Batch | None = None

    def result(self) -> Batch:
        """Wait for the outcome; RetryableError where workers die over it, or the cluster went away."""
        if self._done is None:
            try:
                self._done = self._ray.get(self._reference)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except self._ray.exceptions.RayError as error:
                reason = " ".join(str(error).split())[:200]
                msg = f"the Ray cluster lost a batch: {reason or type(error).__name__}"
                raise RetryableError(msg) from error
        return self._done


def _probe(address: str) -> None:
    """Raise ConfigurationError where nothing listens: Ray takes two minutes and thirty lines to say that."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not (host and port.isdigit()):  # `auto`, or what Ray itself refuses at once
        return
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise ConfigurationError(_no_cluster(address, error)) from error


def _no_cluster(address: str, error: BaseException) -> str:
    reason = " ".join(str(error).split())[:200]
    if not address:
        return f"engine ray: no cluster could be started on this machine: {reason}"
    return f"engine.address: no Ray cluster answers at {address}: {reason}"


def _folder() -> str:
    """Make a folder for the logs and sockets of a cluster; the path of a socket has at most 107 characters."""
    short = Path("/tmp")  # noqa: S108  # mkdtemp makes a folder in it that only this account reads
    return tempfile.mkdtemp(prefix="relance-ray-", dir=short if short.is_dir() else None)


@contextlib.contextmanager
def _unnoticed() -> Generator[None]:
    """Start Ray without its handler of SIGTERM, which would end a flow run with a trace, and without a false alarm."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with warnings.catch_warnings():
            # Ray forks to start its servers, and the child is another program at once: nothing of LanceDB runs in it.
            warnings.filterwarnings("ignore", "lancedb fork support is experimental", RuntimeWarning)
            yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
