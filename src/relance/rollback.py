"""Putting an index back to how an earlier run left it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from relance.errors import ConfigurationError, InputError
from relance.store import Store
from relance.store.lock import hold
from relance.store.runs import Runs
from relance.tables import IndexTables

__all__ = ["Rollback", "roll_back"]


@dataclass(slots=True, frozen=True)
class Rollback:
    """What was restored: the run, and the table and version that serve now; `media` the same for those."""

    index: str
    run_id: str
    table: str
    table_version: int
    chunks: int
    media: Rollback | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        values = asdict(self)
        if self.media is None:
            del values["media"]
        return values


def roll_back(store: Store, index: str, run_id: str = "") -> Rollback:
    """Restore chunks, manifest and failures to the versions a run ended with.

    Without `run_id`, that is the latest run that readers were left with something else by. LanceDB keeps a version
    until the retention of the store is over; a run older than that is refused.
    """
    serving = IndexTables.serving(store, index)
    if serving is None:
        msg = f"index {index!r} is not in {store.uri} yet; there is nothing to roll back"
        raise ConfigurationError(msg)
    with hold(store, index) as check_lock:
        runs = Runs(store, index)
        target = _choose(runs.latest(limit=10_000), run_id, serving)
        tables = IndexTables(store, index, target["table"])
        began = datetime.now(UTC)
        wanted = (target["chunks_version"], target["documents_version"], target["failures_version"])
        parts = list(zip((tables.chunks.table, tables.manifest.table, tables.failures.table), wanted, strict=True))
        for table, version in parts:
            if version and (table is None or version not in {each["version"] for each in table.list_versions()}):
                msg = f"run {target['run_id']} is past the retention: version {version} was cleaned up"
                raise InputError(msg)
        check_lock()
        # A crash in between is found by the next run, which repairs what does not fit together.
        tables.mark("rollback")
        for table, version in parts:
            if table is not None and not version:
                table.delete("true")  # the table did not exist yet
            elif table is not None and table.version != version:
                table.restore(version)
        tables.serve()
        tables.mark(None)
        done = Rollback(index, target["run_id"], tables.name, tables.chunks.version, tables.chunks.count())
        runs.append(
            run_id=f"rollback-{target['run_id']}",
            table=tables.name,
            status="rolled back",
            started_at=began,
            ended_at=datetime.now(UTC),
            versions=tables.versions,
            report=done.as_dict() | {"restored": list(wanted)},
        )
        return done


def _choose(runs: list[dict[str, Any]], run_id: str, serving: IndexTables) -> dict[str, Any]:
    served = [run for run in runs if run["report"].get("served")]
    if run_id:
        for run in runs:
            if run["run_id"] == run_id and run in served:
                return run
        known = any(run["run_id"] == run_id for run in runs)
        why = "left no complete index behind" if known else "is not known"
        msg = f"run {run_id!r} {why}; `relance runs` lists the latest ones"
        raise InputError(msg)
    now = (serving.name, serving.chunks.version, serving.manifest.version)
    # After a rollback the restored versions have new numbers: go on from the run that was restored.
    if runs and runs[0]["status"] == "rolled back":
        last = runs[0]["report"]
        now = (last["table"], *last["restored"][:2])
        at = next((i for i, run in enumerate(served) if run["run_id"] == last["run_id"]), len(served))
        served = served[at:]
    for run in served:
        if (run["table"], run["chunks_version"], run["documents_version"]) != now:
            return run
    msg = "there is no earlier run to go back to"
    raise InputError(msg)
