"""Reading what an index's tables and the log of its runs say, again and again, at little cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from relance.config import IndexSpec
from relance.store.catalog import Catalog
from relance.store.connection import Store, open_store
from relance.store.index_tables import IndexTables, part_name
from relance.store.runs import NAME
from relance.telemetry.readings import BILLED, DoctorReading, PartReading, Sums

__all__ = ["TableReader"]

# Machines' clocks differ: a run may be logged a little before one that was read already.
_OVERLAP = timedelta(minutes=10)


class TableReader:
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
        doctor = None if media else self._doctor()
        if tables is None:
            return PartReading(part, model, 0, 0, 0, sums, doctor)
        manifest = tables.manifest.table
        return PartReading(
            part,
            model,
            manifest.count_rows("collection = false") if manifest is not None else 0,
            tables.chunks.count(),
            tables.failures.count(),
            sums,
            doctor,
        )

    def _doctor(self) -> DoctorReading | None:
        found = Catalog(self._store).get(f"doctor/{self.spec.name}")
        return None if found is None else DoctorReading(found["errors"], found["notes"], found["at"])


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
