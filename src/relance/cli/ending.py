"""Ending by a signal: a run under way ends after its batches, in seconds, and leaves no process behind."""

from __future__ import annotations

import contextlib
import contextvars
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

__all__ = ["SIGNALS", "catching", "interrupting", "stopping", "until_signalled"]

T = TypeVar("T")

# Ctrl-C, `kill` and service managers, a terminal that is closed. Windows has no SIGHUP.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
# A run that has heard a signal ends after the requests under way; then it is cut off. Service managers kill after ten.
_GRACE_S = 5.0
_RECORD_S = 1.0
# After the signal, whatever goes on. With 8.0 two of ten commands that got SIGTERM beside 27 busy processes on two
# cores took more than the ten seconds: waking up and ending takes seconds, too.
_END_S = 7.0
_POLL_S = 0.2


@contextlib.contextmanager
def catching(heard: Callable[[int], None]) -> Generator[None]:
    """Call `heard` for each signal that would end the process, in the block; one that is ignored (nohup) stays so."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in SIGNALS}
        before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, lambda number, _: heard(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interrupting() -> Generator[None]:
    """Let every signal that ends a server be a KeyboardInterrupt.

    uvicorn finishes what is under way, then raises the signal again: by default that would end the process at once,
    before indexes and files are closed, with the exit code of a kill.
    """

    def interrupt(_: int) -> NoReturn:
        raise KeyboardInterrupt

    with catching(interrupt):
        yield


@contextlib.contextmanager
def stopping(stopped: threading.Event, *calls: Callable[[], None]) -> Generator[threading.Event]:
    """Set an event at a signal, and call what is given, instead of ending at once."""

    def stop(_: int) -> None:
        stopped.set()
        for call in calls:
            call()

    with catching(stop):
        yield stopped


def until_signalled(work: Callable[[], T], *, stop: Callable[[], None], record: Callable[[], None],
                    say: Callable[[str], None], grace_s: float = _GRACE_S) -> T:  # fmt: skip
    """Do work, and return what it returns, or raise what it raises.

    It is done in a thread of its own: imports and native code hold up Python's signals for seconds, and Prefect has
    handlers of its own in the main thread. At the first signal `stop` asks the work to end. If it has not after
    `grace_s` seconds, or at a second Ctrl-C, `record` says what became of it, every process that was started here is
    killed, and this one ends with exit code 1.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    done = threading.Event()
    outcome: list[Any] = [None, None]

    def run() -> None:
        try:
            outcome[0] = work()
        except BaseException as error:  # raised again by who waits
            outcome[1] = error
        finally:
            done.set()

    signals: list[int] = []
    deadline = float("inf")

    def heard(number: int) -> None:
        nonlocal deadline
        signals.append(number)
        if len(signals) > 1 and number == signal.SIGINT:
            deadline = time.monotonic()
        elif len(signals) == 1:
            deadline = time.monotonic() + grace_s
            threading.Thread(target=_end, name="relance-end", daemon=True).start()
            stop()
            if number == signal.SIGINT:
                say("stopping after the batches under way (Ctrl-C again: at once)")
            else:
                say(f"stopping after the batches under way ({signal.Signals(number).name})")

    context = contextvars.copy_context()
    worker = threading.Thread(target=context.run, args=(run,), name="relance-command", daemon=True)
    with catching(heard):
        worker.start()
        while not done.wait(_POLL_S):
            if time.monotonic() >= deadline:
                _cut_off(record, say)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]


def _cut_off(record: Callable[[], None], say: Callable[[str], None]) -> None:
    recorder = threading.Thread(target=_quietly, args=(record,), daemon=True)  # the store may hang, too
    recorder.start()
    recorder.join(_RECORD_S)
    say("interrupted; what was committed stays, run again to continue")
    _exit()


def _end() -> None:
    time.sleep(_END_S)
    _exit()


def _exit() -> NoReturn:
    for number in reversed(_descendants(os.getpid())):
        with contextlib.suppress(OSError):
            os.kill(number, getattr(signal, "SIGKILL", signal.SIGTERM))
    os._exit(1)


def _quietly(record: Callable[[], None]) -> None:
    with contextlib.suppress(Exception):
        record()


def _descendants(pid: int) -> list[int]:
    """List the processes that this one has started, and those that they have, parents first."""
    children: dict[int, list[int]] = {}
    for number, parent in _processes():
        children.setdefault(parent, []).append(number)
    found, waiting = [], [pid]
    while waiting:
        waiting = [child for each in waiting for child in children.get(each, ())]
        found += waiting
    return found


def _processes() -> Sequence[tuple[int, int]]:
    """List all processes with their parents."""
    if Path("/proc/self/stat").exists():
        pairs = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
                fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
                pairs.append((int(folder.name), int(fields[1])))
        return pairs
    try:
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return ()
    return [(int(pid), int(parent)) for pid, parent in (line.split() for line in listed.stdout.splitlines())]
