"""Worker processes for parsers that a file could make explode."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from relance.errors import DocumentError
from relance.parsers.bounds import Bounds
from relance.parsers.worker import receive, send

if TYPE_CHECKING:
    from relance.parsers.parser import Parser

__all__ = ["Workers", "workers"]

_SIGKILL = 9
# Not `multiprocessing`: its children import the user's main module.
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from relance.parsers.worker import main; main()"


class Workers:
    """Processes that are started when they are needed and kept; each has one document at a time. For any thread.

    A document that exceeds its bounds ends its process and nothing else: the next one gets another.
    """

    def __init__(self, most: int = 0) -> None:
        """Bound their number; 0: as many as this process may use cores."""
        self.most = most or _cores()
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(self.most):
            self._free.put(None)

    def call(self, parser: Parser, method: str, argument: Any, size: int, bounds: Bounds) -> Iterator[Any]:
        """Run a method of a parser; streams what it streams, or the one thing it returns.

        Raises what it raises, and DocumentError for what exceeds the bounds, with the name of the limit.
        """
        worker = self._free.get()
        try:
            if worker is not None and worker.has_ended:
                worker.end()
                worker = None
            worker = worker or _Worker()
            try:
                yield from worker.call(parser, method, argument, size, bounds)
            except _LostError:  # it had waited for long, or somebody killed it
                worker.end()
                worker = _Worker()
                yield from worker.call(parser, method, argument, size, bounds, again=True)
        finally:
            if worker is not None and worker.is_amid:
                worker.end()
                worker = None
            self._free.put(worker)

    def close(self) -> None:
        """End the processes that are free."""
        free: list[_Worker | None] = []
        with contextlib.suppress(queue.Empty):
            while True:
                free.append(self._free.get_nowait())
        for worker in free:
            if worker is not None:
                worker.end()
            self._free.put(None)


class _LostError(Exception):
    """A process has ended that was not at fault."""


class _Worker:
    """One process.

    Attributes:
        is_amid: whether a document was begun and not ended: then the process is of no more use.
    """

    def __init__(self) -> None:
        path = json.dumps([each for each in sys.path if isinstance(each, str)])
        self._process = subprocess.Popen(  # noqa: S603  # this interpreter, our code
            [sys.executable, "-c", _START, path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is the parent's
        )  # fmt: skip
        assert self._process.stdin is not None  # noqa: S101  # both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self.is_amid = False

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, by itself or by somebody else."""
        return self._process.poll() is not None

    def call(self, parser: Parser, method: str, argument: Any, size: int, bounds: Bounds, *,
             again: bool = False) -> Iterator[Any]:  # fmt: skip
        """Run a method of a parser; streams what it streams, or the one thing it returns.

        Raises _LostError, unless it is tried again.
        """
        self.is_amid, begun, clock = True, again, _Clock(self._process, bounds.wait_s(size))
        try:
            send(self._requests, (parser, method, argument, size, bounds))
            while True:
                with clock:
                    kind, value = receive(self._answers)
                if kind == "part":
                    begun = True
                    yield value
                    continue
                self.is_amid = False
                if kind == "error":
                    raise value
                return
        except (EOFError, BrokenPipeError):
            status = self._process.wait()
            if status in (0, -_SIGKILL) and not (begun or clock.is_over):
                raise _LostError from None
            raise DocumentError(argument.uri, _cause(status, size, bounds, late=clock.is_over)) from None

    def end(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._process.wait()
        self._answers.close()
        with contextlib.suppress(BrokenPipeError):
            self._requests.close()


class _Clock:
    """Kills a process that gives no answer in time."""

    def __init__(self, process: subprocess.Popen[bytes], wait_s: float) -> None:
        self._process, self._wait_s = process, wait_s
        self.is_over = False

    def __enter__(self) -> None:
        self._timer = threading.Timer(self._wait_s, self._strike)
        self._timer.daemon = True
        self._timer.start()

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()

    def _strike(self) -> None:
        self.is_over = True
        self._process.kill()


def _cause(status: int, size: int, bounds: Bounds, *, late: bool) -> str:
    """Say why a process ended."""
    if late or -status == getattr(signal, "SIGXCPU", 0):
        return f"reading it takes more than {bounds.cpu_s(size)} s of CPU (limits.parse_s_per_mb)"
    if -status == _SIGKILL:
        return "the process that read it was killed twice: the machine may be out of memory"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"exit code {status}"
    memory = f"more than {bounds.parse_memory >> 20:,} MB of memory (limits.parse_memory)"
    return f"the parser crashed on it ({name}): it is damaged, or takes {memory}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_opening = threading.Lock()
_ours: Workers | None = None


def workers() -> Workers:
    """Return the workers of this process."""
    global _ours  # noqa: PLW0603  # one set a process, whatever the number of indexes
    with _opening:
        if _ours is None:
            _ours = Workers()
            atexit.register(_ours.close)
        return _ours
