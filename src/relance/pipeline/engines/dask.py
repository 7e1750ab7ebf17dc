"""The engine of a Dask cluster, or of one that is started on this machine."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from relance.errors import ConfigurationError, MissingExtraError, RetryableError
from relance.pipeline.engines import value_of

if TYPE_CHECKING:
    from relance.pipeline.batch import Batch

__all__ = ["Dask"]

_CONNECT_S = 20
_LOOK_S = 1.0  # between two looks at whether anybody works
# Batches wait for workers that come back: Dask's own nannies and a cluster's autoscaler start new ones.
_PATIENCE_S = 60.0
# What it logs about lost connections is said once, by the error.
_NOISY = ("distributed", "asyncio", "tornado")


class Dask:
    """Submits stages to a scheduler; a lost worker's are done again by another.

    Without any worker for `patience_s` seconds, it gives up.
    """

    shares_memory = False

    def __init__(self, workers: int = 0, address: str = "", *, patience_s: float = _PATIENCE_S) -> None:
        self.shares_disk = not address
        self.workers = workers
        self._address = address
        self._patience_s = patience_s
        self._exits = contextlib.ExitStack()
        self._looking = threading.Lock()
        self._looked = self._worked = time.monotonic()

    def submit(self, stage: Callable[..., Batch], /, *values: Any) -> _Future:
        """Have a stage executed by the cluster."""
        # Results and not futures: a batch lies in the staging area, and is there when the worker that made it is lost.
        made = [value_of(each) for each in values]
        with _went_away():
            # Not pure: the same batch again is a try of its own.
            return _Future(self, self._client.submit(stage, *made, pure=False))

    def check(self) -> None:
        """Raise RetryableError where nobody has worked for too long: Dask itself waits for ever."""
        with self._looking:
            now = time.monotonic()
            if now - self._looked < _LOOK_S:
                return
            self._looked = now
            if self._client.status == "running" and self._client.scheduler_info(n_workers=-1)["workers"]:
                self._worked = now
            elif now - self._worked > self._patience_s:
                msg = f"no Dask worker and no scheduler has answered for {self._patience_s:.0f} s"
                raise RetryableError(msg)

    def __enter__(self) -> Self:
        try:
            from distributed import Client, SubprocessCluster
        except ImportError as error:
            what = "engine dask"
            raise MissingExtraError(what, "dask") from error
        with contextlib.ExitStack() as exits:
            exits.enter_context(_quiet())
            if self._address:
                try:
                    self._client = exits.enter_context(Client(self._address, timeout=_CONNECT_S))
                except (OSError, ValueError) as error:
                    reason = " ".join(str(error).split())[:200]
                    msg = f"engine.address: no Dask scheduler answers at {self._address}: {reason}"
                    raise ConfigurationError(msg) from error
            else:
                # Not `LocalCluster`: its workers import the caller's script once more.
                cluster = SubprocessCluster(
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    n_workers=self.workers or None,
                    threads_per_worker=1,
                    silence_logs=logging.CRITICAL,
                )
                self._client = exits.enter_context(Client(exits.enter_context(cluster)))
            try:
                self._client.wait_for_workers(1, timeout=self._patience_s)
            except TimeoutError as error:
                where = f"the Dask scheduler at {self._address}" if self._address else "the Dask cluster"
                msg = f"engine.address: {where} has no worker after {self._patience_s:.0f} s"
                raise ConfigurationError(msg) from error
            self._worked = time.monotonic()
            self.workers = self.workers or len(self._client.scheduler_info(n_workers=-1)["workers"])
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._exits.close()


class _Future:
    """The future of a stage on the cluster."""

    def __init__(self, engine: Dask, future: Any) -> None:
        self._engine = engine
        self._future = future
        self._done: Batch | None = None

    def result(self) -> Batch:
        """Wait for the outcome; RetryableError where workers die over it, or the scheduler went away."""
        while self._done is None:
            with _went_away():
                try:
                    self._done = self._future.result(timeout=_LOOK_S)
                except TimeoutError:
                    if self._future.status == "error":  # the stage's own, or it failed at this moment
                        raise self._future.exception() from None
                    self._engine.check()  # it may have ended at this moment, too: the next look finds that
        return self._done


@contextlib.contextmanager
def _went_away() -> Generator[None]:
    """Say in one sentence what became of the cluster."""
    from concurrent.futures import CancelledError

    from distributed.client import ClosedClientError, FutureCancelledError
    from distributed.comm.core import CommClosedError
    from distributed.scheduler import KilledWorker

    try:
        yield
    except KilledWorker as error:
        msg = f"{error.allowed_failures + 1} Dask workers died over one batch; is their memory too small?"
        raise RetryableError(msg) from error
    except (FutureCancelledError, CancelledError, CommClosedError, ClosedClientError) as error:
        msg = "the Dask scheduler went away"
        raise RetryableError(msg) from error


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """Log errors that end something only; Dask logs every lost connection with its traceback."""
    loggers = [logging.getLogger(name) for name in _NOISY]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
