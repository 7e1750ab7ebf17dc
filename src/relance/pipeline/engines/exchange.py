"""Where a coordinator leaves stages to be done, and workers anywhere take them: files in a folder all of them see."""

from __future__ import annotations

import contextlib
import pickle
import threading
import time
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relance.errors import RetryableError

if TYPE_CHECKING:
    from relance.pipeline.batch import Batch

__all__ = ["Exchange", "ExchangeLimits", "Order", "work"]

_TRIES = 3


@dataclass(slots=True, frozen=True, kw_only=True)
class ExchangeLimits:
    """How often is looked, and when a worker is taken for dead, in seconds.

    Attributes:
        poll_s: between two looks into the folder.
        beat_s: between two signs of life: of a worker that is at a stage, and of the coordinator.
        silent_s: without one, a worker's stage is given to another, and the workers of a coordinator go home: a pause
            of a machine must be no death.
    """

    poll_s: float = 0.1
    beat_s: float = 2.0
    silent_s: float = 30.0


class Exchange:
    """A folder with what is `open`, `taken` and `done`; a file is moved from one to the next, which one worker can do.

    What lies there is pickled: the folder is the run's own staging area, which only its account can write.
    """

    def __init__(self, folder: Path, limits: ExchangeLimits | None = None) -> None:
        self.limits = limits or ExchangeLimits()
        self._open, self._taken, self._done = (folder / name for name in ("open", "taken", "done"))
        self._closed, self._coordinator = folder / "closed", folder / "coordinator"
        self._heard = 0.0, time.monotonic()
        self._beating = contextlib.ExitStack()

    def make(self) -> None:
        """Make the folder, with signs of life of this process until it is closed."""
        for each in (self._open, self._taken, self._done):
            each.mkdir(parents=True, exist_ok=True)
        self._coordinator.touch()
        self._beating.enter_context(_alive(self._coordinator, self.limits.beat_s))

    # -- the coordinator's side ---------------------------------------------------------------------------------

    def put(self, stage: Callable[..., Batch], values: tuple[Any, ...]) -> Order:
        """Leave a stage to be done."""
        order = Order(self, uuid.uuid4().hex, pickle.dumps((stage, values)))
        order.leave()
        return order

    def close(self) -> None:
        """Send the workers home."""
        self._beating.close()
        with contextlib.suppress(OSError):
            self._closed.touch()

    # -- a worker's side ----------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether nothing more will come: the run has ended, or its coordinator was killed."""
        if self._closed.exists() or not self._open.is_dir():
            return True
        with contextlib.suppress(FileNotFoundError):
            beat, now = self._coordinator.stat().st_mtime, time.monotonic()
            if beat != self._heard[0]:
                self._heard = beat, now
        return time.monotonic() - self._heard[1] > self.limits.silent_s

    def take(self) -> str | None:
        """Take the oldest stage that is open; None if there is none."""
        with contextlib.suppress(OSError):
            for path in sorted(self._open.glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime_ns):
                with contextlib.suppress(FileNotFoundError):  # another worker was quicker
                    path.rename(self._taken / path.name)
                    return path.name
        return None

    def do(self, name: str) -> None:
        """Do a stage that was taken, and leave what came of it."""
        path = self._taken / name
        outcome: tuple[bool, Any]
        with _alive(path, self.limits.beat_s):
            try:
                stage, values = pickle.loads(path.read_bytes())  # noqa: S301  # the coordinator's, see above
                outcome = True, stage(*values)
                data = pickle.dumps(outcome)
            except Exception as error:  # raised where the result is wanted
                outcome = False, error
                data = pickle.dumps(outcome)
        _write(self._done / name, data)
        path.unlink(missing_ok=True)


@dataclass(slots=True)
class Order:
    """A stage that was left to be done, and the future of what comes of it."""

    exchange: Exchange
    name: str
    data: bytes
    _seen: tuple[float, float] = (0.0, 0.0)
    _tries: int = 0
    _outcome: tuple[bool, Any] | None = field(default=None)

    def leave(self) -> None:
        """Put it where workers find it."""
        self._tries += 1
        self._seen = 0.0, time.monotonic()
        _write(self.exchange._open / self.name, self.data)  # noqa: SLF001  # of this file

    def result(self, check: Callable[[], None] = lambda: None) -> Batch:
        """Wait for the outcome; `check` is called now and then and may raise.

        Raises RetryableError where worker after worker dies over it.
        """
        while self._outcome is None:
            check()
            self._look()
        good, value = self._outcome
        if not good:
            raise value
        return value

    def _look(self) -> None:
        done, taken = self.exchange._done / self.name, self.exchange._taken / self.name  # noqa: SLF001
        with contextlib.suppress(FileNotFoundError):
            self._outcome = pickle.loads(done.read_bytes())  # noqa: S301  # from a worker of this run
            done.unlink(missing_ok=True)
            return
        with contextlib.suppress(FileNotFoundError):
            beat, now = taken.stat().st_mtime, time.monotonic()
            if beat != self._seen[0]:
                self._seen = beat, now
            elif now - self._seen[1] > self.exchange.limits.silent_s:
                taken.unlink(missing_ok=True)
                if self._tries == _TRIES:
                    msg = f"{_TRIES} workers were lost over one batch"
                    raise RetryableError(msg)
                self.leave()
        time.sleep(self.exchange.limits.poll_s)


def work(folder: Path, limits: ExchangeLimits | None = None) -> int:
    """Do stages from an exchange until it is closed; returns how many."""
    exchange, done = Exchange(folder, limits), 0
    while not exchange.closed:
        name = exchange.take()
        if name is None:
            time.sleep(exchange.limits.poll_s)
            continue
        exchange.do(name)
        done += 1
    return done


@contextlib.contextmanager
def _alive(path: Path, beat_s: float) -> Generator[None]:
    """Touch a file now and then for the length of the block."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(beat_s):
            with contextlib.suppress(OSError):
                path.touch(exist_ok=True)

    thread = threading.Thread(target=beat, name="relance-alive", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _write(path: Path, data: bytes) -> None:
    """Write a file that is whole or not there."""
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    unfinished.write_bytes(data)
    unfinished.rename(path)
