"""What is known of an index for Prometheus: how large each part is, how its last run went, all its runs summed up."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Protocol

from relance.config import IndexSpec

__all__ = ["BILLED", "OUTCOMES", "DoctorReading", "LastRun", "PartReading", "Reader", "Sums"]

OUTCOMES = ("added", "changed", "removed", "failed")
BILLED = ("embedded", "reused", "tokens", "requests", "cost_usd")


@dataclass(slots=True)
class LastRun:
    """How the latest run went; `ended_at` in seconds since 1970, durations in seconds."""

    status: str
    ended_at: float
    seconds: float
    stages: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Sums:
    """All runs of a part in the log, summed up.

    Attributes:
        runs: by status.
        documents: by outcome.
        bills: by `provider/model`: vectors embedded and reused, tokens, requests, cost_usd.
        last: the latest run, whatever it was; None before the first.
        succeeded_at: when the latest that was not cut short ended, in seconds since 1970; 0 before the first.
    """

    runs: Counter[str] = field(default_factory=Counter)
    documents: Counter[str] = field(default_factory=Counter)
    bills: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    last: LastRun | None = None
    succeeded_at: float = 0.0

    def take(self, row: dict[str, Any], model: str) -> None:
        """Add a row of the log; `model` is for those that do not say which they used."""
        report, status = row["report"], row["status"]
        self.runs[status] += 1
        self.documents.update({name: report.get(name, 0) for name in OUTCOMES})
        self.bills[report.get("model") or model].update({name: report.get(name, 0) for name in BILLED})
        ended = row["ended_at"].timestamp()
        if status.startswith("completed"):
            self.succeeded_at = max(self.succeeded_at, ended)
        if status in {"maintained", "switched", "switched back"}:  # which says nothing of how the sources are followed
            return
        if self.last is None or ended >= self.last.ended_at:
            stages = {name: value for name, value in report.get("seconds", {}).items() if name != "total"}
            self.last = LastRun(status, ended, (row["ended_at"] - row["started_at"]).total_seconds(), stages)


@dataclass(slots=True, frozen=True)
class DoctorReading:
    """What a look at the store found and did not repair, by level; `at` in seconds since 1970."""

    errors: int
    notes: int
    at: float


@dataclass(slots=True, frozen=True)
class PartReading:
    """A part of an index as it is now.

    Attributes:
        part: text | media.
        model: `provider/model` the spec names.
        failures: documents that could not be indexed.
        doctor: what the latest `relance doctor` found of the whole index; None where it has not looked, and for media.
    """

    part: str
    model: str
    documents: int
    chunks: int
    failures: int
    sums: Sums
    doctor: DoctorReading | None = None


class Reader(Protocol):
    """Reads one index; `relance.store.readings` has the one for its tables."""

    spec: IndexSpec

    def read(self) -> list[PartReading]:
        """Read all parts as they are now; may raise anything where that cannot be done."""
        ...
