"""What the store knows of a part of an index: how large it is, how its last run went, and all its runs summed up."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from relance.config import IndexSpec
from relance.store import Store, open_store
from relance.store.index_tables import IndexTables, part_name
from relance.store.runs import NAME

__all__ = ["BILLED", "OUTCOMES", "LastRun", "PartReading", "Reader", "Sums"]

# Machines' clocks differ: a run may be logged a little before one that was read already.
_OVERLAP = timedelta(minutes=10)
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
        if status == "maintained":  # which says nothing of how the sources are followed
            return
        if self.last is None or ended >= self.last.ended_at:
            stages = {name: value for name, value in report.get("seconds", {}).items() if name != "total"}
            self.last = LastRun(status, ended, (row["ended_at"] - row["started_at"]).total_seconds(), stages)


@dataclass(slots=True, frozen=True)
class PartReading:
    """A part of an index as it is now.

    Attributes:
        part: text | media.
        model: `provider/model` the spec names.
        failures: documents that could not be indexed.
    """

    part: str
    model: str
    documents: int
    chunks: int
    failures: int
    sums: Sums


class Reader:
    """Reads one index; the log of its runs is read once, then only what is new in it."""

    def __init__(self, spec: IndexSpec) -> None:
        self.spec = spec
        self._store = open_store(spec)
        self._logs: dict[str, RunLog] = {}

    def read(self) -> list[PartReading]:
        """Read all parts; raises what LanceDB raises where the store cannot be read."""
        if not self._store.exists:
            msg = f"there is no store at {self._store.uri} yet"
            raise FileNotFoundError(msg)
        media = self.spec.media
        sections = [("text", self.spec.embedding)] + ([("media", media.embedding)] if media else [])
        return [self._read(part, section.model) for part, section in sections]

    def _read(self, part: str, model: str) -> PartReading:
        media = part == "media"
        tables = IndexTables.serving(self._store, self.spec.name, media=media)
        log = self._logs.setdefault(part, RunLog(self._store, part_name(self.spec.name, media=media), model))
        sums = log.read()
        if tables is None:
            return PartReading(part, model, 0, 0, 0, sums)
        manifest, failures = tables.manifest.table, tables.failures.table
        return PartReading(
            part,
            model,
            manifest.count_rows("collection = false") if manifest is not None else 0,
            tables.chunks.count(),
            failures.count_rows() if failures is not None else 0,
            sums,
        )


class RunLog:
    """The log of a part's runs, summed up as far as it has been read."""

    def __init__(self, store: Store, name: str, model: str) -> None:
        self._store = store
        self._name = name
        self._model = model
        self._forget()

    def _forget(self) -> None:
        self._sums, self._rows = Sums(), 0
        # So that a sum is seen to grow from nothing.
        self._sums.bills[self._model].update(dict.fromkeys(BILLED, 0))
        self._newest: datetime | None = None
        self._recent: set[tuple[str, datetime]] = set()

    def read(self) -> Sums:
        """Add what has been logged since the last time; a log that has become shorter is another one."""
        table = self._store.open(NAME)
        rows = table.count_rows(f"index = '{self._name}'") if table is not None else 0
        if rows < self._rows:
            self._forget()
        if rows > self._rows:
            for row in self._fresh(table):
                self._recent.add((row["run_id"], row["ended_at"]))
                self._sums.take(row, self._model)
            self._newest = newest = max(ended for _, ended in self._recent)
            self._recent = {run for run in self._recent if run[1] >= newest - _OVERLAP}
            self._rows = rows
        return deepcopy(self._sums)

    def _fresh(self, table: Any) -> Iterator[dict[str, Any]]:
        from lancedb.expr import col, lit

        condition = col("index") == self._name
        if self._newest is not None:
            condition &= col("ended_at") >= lit(self._newest - _OVERLAP)
        columns = ["run_id", "status", "started_at", "ended_at", "report"]
        for batch in table.search().where(condition).select(columns).limit(None).to_batches():
            for row in batch.to_pylist():
                if (row["run_id"], row["ended_at"]) not in self._recent:
                    yield row | {"report": json.loads(row["report"])}
