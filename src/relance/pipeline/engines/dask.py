"""The engine of a Dask cluster, or of one that is started on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from relance.errors import ConfigurationError, MissingExtraError, RetryableError

if TYPE_CHECKING:
    from relance.pipeline.batch import Batch

__all__ = ["Dask"]

_CONNECT_S = 20


class Dask:
    """Submits stages to a scheduler; a lost worker's are done again by another."""

    shares_memory = False

    def __init__(self, workers: int = 0, address: str = "") -> None:
        self.shares_disk = not address
        self.workers = workers
        self._address = address
        self._exits = contextlib.ExitStack()

    def submit(self, stage: Callable[..., Batch], /, *values: Any) -> _Future:
        """Have a stage executed by the cluster."""
        # Results and not futures: a batch lies in the staging area, and is there when the worker that made it is lost.
        made = [each.result() if isinstance(each, _Future) else each for each in values]
        return _Future(self._client.submit(stage, *made, pure=False))  # the same batch again is a try of its own

    def __enter__(self) -> Self:
        try:
            from distributed import Client, SubprocessCluster
        except ImportError as error:
            what = "engine dask"
            raise MissingExtraError(what, "dask") from error
        with contextlib.ExitStack() as exits:
            if self._address:
                try:
                    self._client = exits.enter_context(Client(self._address, timeout=_CONNECT_S))
                except (OSError, ValueError) as error:
                    msg = f"engine.address: no Dask scheduler answers at {self._address}: {str(error)[:200]}"
                    raise ConfigurationError(msg) from error
            else:
                # Not `LocalCluster`: its workers import the caller's script once more.
                cluster = SubprocessCluster(
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    n_workers=self.workers or None,
                    threads_per_worker=1,
                )
                self._client = exits.enter_context(Client(exits.enter_context(cluster)))
            self.workers = self.workers or max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._exits.close()


class _Future:
    """The future of a stage on the cluster."""

    def __init__(self, future: Any) -> None:
        self._future = future
        self._done: Batch | None = None

    def result(self) -> Batch:
        """Wait for the outcome; RetryableError where workers die over it, or the scheduler went away."""
        if self._done is None:
            from concurrent.futures import CancelledError

            from distributed.client import FutureCancelledError
            from distributed.comm.core import CommClosedError
            from distributed.scheduler import KilledWorker

            try:
                self._done = self._future.result()
            except KilledWorker as error:
                msg = f"the Dask workers died over one batch again and again: {str(error)[:200]}"
                raise RetryableError(msg) from error
            except (FutureCancelledError, CancelledError, CommClosedError, OSError) as error:
                msg = f"the Dask scheduler went away: {str(error)[:200]}"
                raise RetryableError(msg) from error
        return self._done
