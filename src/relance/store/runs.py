"""The log of runs: what each did and which versions it left behind."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from relance.store import schemas
from relance.store.connection import Store
from relance.store.faults import store_errors
from relance.store.maintenance import compact

__all__ = ["Runs"]

NAME = "relance__runs"
_LOOKED_AT = 10_000
_COMPACT_AFTER = 100  # rows are appended one at a time, each its own small file


class Runs:
    """Runs of one index."""

    def __init__(self, store: Store, index: str) -> None:
        self._store = store
        self._index = index

    def append(self, *, run_id: str, table: str, status: str, started_at: datetime, ended_at: datetime,
               versions: tuple[int, int, int], report: dict[str, Any]) -> None:  # fmt: skip
        """Record a finished run; `versions` are those of chunks, documents and failures."""
        import pyarrow as pa

        runs = self._store.create(NAME, schemas.RUNS)
        row = {
            "run_id": run_id,
            "index": self._index,
            "table": table,
            "status": status,
            "started_at": started_at,
            "ended_at": ended_at,
            "chunks_version": versions[0],
            "documents_version": versions[1],
            "failures_version": versions[2],
            "report": json.dumps(report, ensure_ascii=False),
        }
        with store_errors(f"writing {NAME}"):
            runs.add(pa.Table.from_pylist([row], schema=schemas.RUNS))
        if runs.version % _COMPACT_AFTER == 0:
            compact(runs, retention=timedelta(days=1))

    def latest(self, limit: int = 20) -> list[dict[str, Any]]:
        """Return the latest runs, newest first, `report` parsed."""
        from lancedb.expr import col

        table = self._store.open(NAME)
        if table is None:
            return []
        with store_errors(f"reading {NAME}"):
            rows = table.search().where(col("index") == self._index).limit(None).to_list()
        rows.sort(key=lambda row: row["ended_at"], reverse=True)
        for row in rows[:limit]:
            row["report"] = json.loads(row["report"])
        return rows[:limit]

    def versions(self, table: str) -> tuple[set[int], set[int], set[int]]:
        """Return the versions of chunks, documents and failures that runs left of a table, or found and left."""
        found: tuple[set[int], set[int], set[int]] = (set(), set(), set())
        for run in self.latest(_LOOKED_AT):
            if run["table"] == table:
                left = (run["chunks_version"], run["documents_version"], run["failures_version"])
                for versions, *numbers in zip(found, left, run["report"].get("found", left), strict=True):
                    versions.update(numbers)
        return found
