"""What a run did, in numbers: for the terminal, for Prefect, and for the log of runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from relance.pipeline.reasons import by_reason
from relance.pipeline.wall_time import WallTime
from relance.store.failures import Failure

__all__ = ["Observer", "Report", "combine"]


class Observer(Protocol):
    """Hears of everything that a report counts; called from any thread."""

    def stage(self, name: str, /) -> AbstractContextManager[Any]:
        """Open a block that lasts as long as a stage."""
        ...

    def count(self, name: str, amount: float, /) -> None:
        """Hear of what was added to a counter."""
        ...


@dataclass(slots=True)
class Report:
    """The counts of one run over the texts of an index, or over its media.

    Attributes:
        part: text | media.
        model: `provider/model` the vectors are from.
        partial: whether only named documents were looked at.
        media: what the same run did to the media, in the report of the texts.
        status: completed | completed with failures | stopped | failed.
        touched: documents whose version marker changed but not their content; part of `unchanged`.
        chunks: chunks of added and changed documents; `embedded` of them were bought, `reused` were not.
        tokens: as billed where the provider says, else counted.
        empty: documents without text, of those that were added or changed: they have no chunks.
        warned: documents that are in the index, but not whole or by a guess; `warnings` say what of them.
        ignored: what the sources have and the index has not, on purpose, by reason: `IgnoredCounts.as_dict`.
        served: whether readers used `table` when the run ended.
        seconds: that each stage was busy; stages overlap, so they add up to more than `total`.
        wall: the `total` divided among `start`, the stages, and `between` for moments without any; adds up to it.
    """

    index: str
    run_id: str
    part: str = "text"
    model: str = ""
    partial: bool = False
    status: str = "completed"
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    touched: int = 0
    chunks: int = 0
    embedded: int = 0
    reused: int = 0
    tokens: int = 0
    requests: int = 0
    cost_usd: float = 0.0
    empty: int = 0
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    warned: int = 0
    warnings: list[Failure] = field(default_factory=list)
    ignored: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    wall: dict[str, float] = field(default_factory=dict)
    table: str = ""
    table_version: int = 0
    served: bool = False
    notes: list[str] = field(default_factory=list)
    media: Report | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _observer: Observer | None = field(default=None, repr=False, compare=False)
    _wall: WallTime = field(default_factory=WallTime, repr=False, compare=False)

    @property
    def title(self) -> str:
        """What the run was over, for people: `handbook`, or `handbook media`."""
        return f"{self.index} media" if self.part == "media" else self.index

    def _repr_html_(self) -> str:
        """Show the report in a notebook."""
        from relance.pipeline.run_card import report_card

        return report_card(self)

    def watch(self, observer: Observer) -> None:
        """Report every stage and every count to an observer from now on."""
        self._observer = observer

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Add the time a block takes to a stage."""
        began = time.perf_counter()
        try:
            with self._observer.stage(name) if self._observer else nullcontext(), self._wall.within(name):
                yield
        finally:
            self.add(f"seconds.{name}", time.perf_counter() - began)

    def within(self, name: str) -> AbstractContextManager[None]:
        """Count a block as a stage that measures itself, in whatever process it runs."""
        return self._wall.within(name)

    def end(self) -> None:
        """Note how long the run took, and what of it each stage."""
        self.wall = self._wall.split()
        self.seconds["total"] = sum(self.wall.values())

    def add(self, name: str, amount: float) -> None:
        """Add to a counter, from any thread."""
        with self._lock:
            if name.startswith("seconds."):
                stage = name.removeprefix("seconds.")
                self.seconds[stage] = self.seconds.get(stage, 0.0) + amount
            else:
                setattr(self, name, getattr(self, name) + amount)
        if self._observer:
            self._observer.count(name, amount)

    def fail(self, failure: Failure) -> None:
        """Note a failure or a warning, from any thread."""
        if failure.indexed:
            with self._lock:
                self.warnings.append(failure)
                self.warned += 1
            return
        with self._lock:
            self.failures.append(failure)
            self.failed += 1
        if self._observer:
            self._observer.count("failed", 1)

    def forget_findings(self) -> None:
        """Drop what listing, reading and splitting counted: it is done again."""
        with self._lock:
            self.failures, self.failed, self.unchanged = [], 0, 0
            self.warnings, self.warned, self.ignored, self.empty = [], 0, {}, 0

    def include(self, media: Report) -> None:
        """Take in what the run did to the media; the status of both together is the worse one."""
        self.media = media
        order = ["completed", "completed with failures", "stopped", "failed"]
        self.status = max(self.status, media.status, key=order.index)

    def as_dict(self, *, failures: int = 100) -> dict[str, Any]:
        """Return plain values; at most so many failures, warnings and reasons: all are in the failures table.

        `reasons` are those of all failures and warnings, as in `reasons.Reason`.
        """
        values = {name: getattr(self, name) for name in self.__dataclass_fields__ if name[0] != "_"}
        if self.media is None:
            del values["media"]
        else:
            values["media"] = self.media.as_dict(failures=failures)
        for name in ("failures", "warnings"):
            values[name] = [asdict(failure) for failure in values[name][:failures]]
        values["reasons"] = [asdict(each) for each in by_reason([*self.failures, *self.warnings])[:failures]]
        values["seconds"] = {name: round(value, 3) for name, value in self.seconds.items()}
        values["cost_usd"] = round(self.cost_usd, 6)
        return values


def combine(reports: list[Report]) -> Report:
    """Put the reports of the parts into one: the texts', with the media's inside."""
    first, *others = reports
    for media in others:
        first.include(media)
    return first
