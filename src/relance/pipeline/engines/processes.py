"""The engine of one machine with several cores: stages run in worker processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from relance.errors import ConfigurationError, RetryableError
from relance.pipeline.engines import value_of

if TYPE_CHECKING:
    from loky.process_executor import ProcessPoolExecutor

    from relance.pipeline.batch import Batch

__all__ = ["Processes"]

# A batch that has taken so many pools with it is what kills them: out of memory, say.
_TRIES = 3
_LOOK_S = 0.2  # between two looks of a worker at its coordinator
# Each takes 150 MB or more, and all start at once: a thousand end the machine.
_MOST_A_CORE = 16


class Processes:
    """Runs stages in processes of our own, spawned (never forked: LanceDB does not survive it).

    A pool of which a worker has died is replaced, and what it was at is tried again.
    """

    shares_memory = False
    shares_disk = True

    def __init__(self, workers: int = 0) -> None:
        self.workers, most = workers or _cores(), _MOST_A_CORE * _cores()
        if self.workers > most:
            msg = f"engine processes: at most {most} workers on this machine of {_cores()} cores, got {workers}"
            raise ConfigurationError(msg)
        self._pool: ProcessPoolExecutor | None = None
        self._opening = threading.Lock()

    def submit(self, stage: Callable[..., Batch], /, *values: Any) -> _Trying:
        """Run a stage in a worker."""
        return _Trying(self, stage, [value_of(each) for each in values])

    def pool(self, broken: ProcessPoolExecutor | None = None) -> ProcessPoolExecutor:
        """Return the pool, a new one in place of a broken one."""
        with self._opening:
            if self._pool is None or self._pool is broken:
                from loky.process_executor import ProcessPoolExecutor

                # A model or table in one worker must not use the cores of all.
                threads = str(max(1, _cores() // self.workers))
                env = {name: threads for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS") if name not in os.environ}
                self._pool = ProcessPoolExecutor(self.workers, initializer=_begin, initargs=(os.getpid(),), env=env)
            return self._pool

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, kill_workers=error is not None)
            self._pool = None


class _Trying:
    """The future of a stage, which is tried again where its worker dies."""

    def __init__(self, engine: Processes, stage: Callable[..., Batch], values: list[Any]) -> None:
        self._engine, self._stage, self._values = engine, stage, values
        self._done: Batch | None = None
        self._start()

    def result(self) -> Batch:
        """Wait for the outcome; RetryableError where the workers die over it again and again."""
        for tried in range(1, _TRIES + 1):
            if self._done is not None:
                return self._done
            try:
                self._done = self._future.result()
            except BrokenProcessPool:
                if tried < _TRIES:
                    self._start(self._pool)
        if self._done is not None:
            return self._done
        workers = self._engine.workers
        msg = f"the worker processes died {_TRIES} times over one batch; is the memory too small for {workers} of them?"
        raise RetryableError(msg)

    def _start(self, broken: ProcessPoolExecutor | None = None) -> None:
        self._pool = self._engine.pool(broken)
        try:
            self._future: Future[Batch] = self._pool.submit(self._stage, *self._values)
        except BrokenProcessPool:  # another batch's worker died a moment ago
            self._pool = self._engine.pool(self._pool)
            self._future = self._pool.submit(self._stage, *self._values)


def _begin(coordinator: int) -> None:
    """Leave Ctrl-C to the coordinator, since a terminal sends it to all of its processes, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(coordinator,), name="relance-follow", daemon=True).start()


def _follow(coordinator: int) -> None:
    """End with the coordinator: a killed one's claims have lapsed, and the next run buys what this worker buys.

    loky's workers live on. Not by `prctl`: that signal comes when the thread ends that started the worker.
    """
    while os.getppid() == coordinator:
        time.sleep(_LOOK_S)
    os._exit(1)


def _cores() -> int:
    from loky import cpu_count

    return cpu_count()
