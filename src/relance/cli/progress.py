"""How far a run is, while it goes on: a bar on a terminal, a line every twenty seconds elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from relance.counted import counted
from relance.pipeline.run_handle import Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

__all__ = ["Pace", "bar", "lines"]

_EVERY_S = 20.0


class Pace:
    """Where a run is, and how long it will still take; `clock` gives the time in seconds.

    The time left is worked out when documents are done, and counts down until the next are: a batch may take minutes.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._clock = name, clock
        self._began = clock()
        self._ends: float | None = None
        self.now = Progress("starting")

    def take(self, progress: Progress) -> None:
        """Take what the run says of itself."""
        done, total = progress.documents, progress.documents_total
        if done != self.now.documents or total != self.now.documents_total:
            took = self._clock() - self._began
            self._ends = self._clock() + took * (total - done) / done if done and total > done else None
        self.now = progress

    @property
    def left_s(self) -> float | None:
        """Seconds the run will still take; None where that cannot be said."""
        return None if self._ends is None else max(0.0, self._ends - self._clock())

    def phase(self) -> str:
        """Name the index and the stage: `notes: embed`."""
        return f"{self._name}: {self.now.stage}"

    def detail(self) -> str:
        """Say what the run waits for, chunks, rate, cost and failures so far, and the time left."""
        took, now = self._clock() - self._began, self.now
        parts = [now.waits_for] if now.waits_for else []
        parts.append(counted(now.chunks, "chunk"))
        if took and now.chunks:
            parts.append(f"{now.chunks / took:,.0f}/s")
        if now.cost_usd:
            parts.append(f"${now.cost_usd:.4f}")
        if now.failures:
            parts.append(counted(now.failures, "failure"))
        if (left := self.left_s) is not None:
            parts.append(f"{_time(left)} left")
        return " · ".join(parts)

    def line(self) -> str:
        """Say all of it in a line."""
        now = self.now
        share = f" · {now.documents:,} of {counted(now.documents_total, 'document')}" if now.documents_total else ""
        return f"{self.phase()}{share} · {self.detail()} · {_time(self._clock() - self._began)} so far"


@contextlib.contextmanager
def bar(console: Console, pace: Pace) -> Generator[Bar]:
    """Show a bar with phase, documents, rate, cost and time left on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar

    class Shown(Bar):
        """Asks the pace whenever it is drawn, ten times a second, so that the time left moves within a batch."""

        def get_renderables(self):  # noqa: ANN202  # as in its base
            for task in self.tasks:
                task.description = pace.phase()
                task.completed, task.total = pace.now.documents, pace.now.documents_total or None
                task.fields["detail"] = pace.detail()
            return super().get_renderables()

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TextColumn("{task.fields[detail]}"))  # fmt: skip
    with Shown(*columns, console=console, transient=True) as shown:
        shown.add_task(pace.phase(), total=None, detail="")
        yield shown


@contextlib.contextmanager
def lines(say: Callable[[str], None], pace: Pace, *, every_s: float = _EVERY_S) -> Generator[None]:
    """Say a line every few seconds, for logs; nothing of a run that ends before."""
    ended = threading.Event()

    def speak() -> None:
        while not ended.wait(every_s):
            say(pace.line())

    speaker = threading.Thread(target=speak, name="relance-progress", daemon=True)
    speaker.start()
    try:
        yield
    finally:
        ended.set()
        speaker.join()


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
