"""Putting an index back to how an earlier run left it."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from relance.errors import ConfigurationError, InputError
from relance.store import Store
from relance.store.beside import Beside
from relance.store.index_tables import IndexTables, part_name
from relance.store.lock import hold
from relance.store.runs import Runs

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
        values = asdict(replace(self, media=None))
        del values["media"]
        return values if self.media is None else values | {"media": self.media.as_dict()}


def roll_back(store: Store, index: str, run_id: str = "") -> Rollback:
    """Restore chunks, manifest and failures to the versions a run ended with, those of the media with it.

    Without `run_id`, that is the latest run that readers were left with something else by. LanceDB keeps a version
    until the retention of the store is over; a run older than that is refused.
    """
    names = [part_name(index, media=media) for media in (False, True)]
    serving = {name: tables for name in names if (tables := IndexTables.serving(store, name)) is not None}
    if index not in serving:
        msg = f"index {index!r} is not in {store.uri} yet; there is nothing to roll back"
        raise ConfigurationError(msg)
    with contextlib.ExitStack() as locks:
        checks = [locks.enter_context(hold(store, name)) for name in serving]
        histories = {name: Runs(store, name).latest(limit=10_000) for name in serving}
        run_id = run_id or _previous(histories, serving)
        targets = _targets(histories, run_id)
        if index not in targets:  # what the run was about was set aside
            raise InputError(f"run {run_id!r} left no complete index behind; `relance runs` lists the latest ones")
        restored = [_Part(store, name, target) for name, target in targets.items()]
        for check_lock in checks:
            check_lock()
        for part in restored:
            part.restore()
        # Readers move on to texts and media at once, also where the texts are in another table.
        tables = [part.tables for part in restored]
        IndexTables.seal(tables, serve=tables)
        done = {part.tables.index: part.record() for part in restored}
        return replace(done[index], media=next((each for name, each in done.items() if name != index), None))


class _Part:
    """The texts or the media of an index, about to be put back; InputError if that cannot be done any more."""

    def __init__(self, store: Store, name: str, target: dict[str, Any]) -> None:
        self._store, self._runs, self._name, self._target = store, Runs(store, name), name, target
        self._began = datetime.now(UTC)
        tables = self.tables = IndexTables(store, name, target["table"])
        self._left = tables.alias
        self._wanted = [target[column] for column in ("chunks_version", "documents_version", "failures_version")]
        handles = (tables.chunks.table, tables.manifest.table, tables.failures.table)
        self._versions = list(zip(handles, self._wanted, strict=True))
        for table, version in self._versions:
            written = {} if table is None else {each["version"]: each["timestamp"] for each in table.list_versions()}
            if version and version not in written:
                msg = f"run {target['run_id']} is past the retention: version {version} was cleaned up"
                raise InputError(msg)
            if version and written[version].astimezone(UTC) > _utc(target["ended_at"]):
                # A torn table is set aside, or its torn versions are, and the numbers are given again.
                msg = (f"run {target['run_id']} cannot be gone back to: what it left in {name!r} was damaged and"
                       f" written anew, version {version} is of a later run")  # fmt: skip
                raise InputError(msg)

    def restore(self) -> None:
        """Put the tables back; readers stay where they are."""
        # A crash in between is found by the next run, which repairs what does not fit together.
        self.tables.mark("rollback")
        for table, version in self._versions:
            if table is not None and not version:
                table.delete("true")  # the table did not exist yet
            elif table is not None and table.version != version:
                table.restore(version)

    def record(self) -> Rollback:
        """Record it, when readers use the tables."""
        tables, run_id, left = self.tables, self._target["run_id"], self._left
        if left is not None and left["table"] != tables.name:  # else the next ingest would undo it
            Beside(left["table"], "held", f"run {run_id} was rolled back to").put(self._store, self._name)
        done = Rollback(self._name, run_id, tables.name, tables.chunks.version, tables.chunks.count())
        self._runs.append(
            run_id=f"rollback-{run_id}",
            table=tables.name,
            status="rolled back",
            started_at=self._began,
            ended_at=datetime.now(UTC),
            versions=tables.versions,
            report=done.as_dict() | {"restored": self._wanted},
        )
        return done


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _targets(histories: dict[str, list[dict[str, Any]]], run_id: str) -> dict[str, dict[str, Any]]:
    """Find the run that had left each part as it was when a run had ended; left out: parts that did not exist yet.

    A reembedding and an analysis write the texts only: the media are what the run before left.
    """
    known = [run for history in histories.values() for run in history if run["run_id"] == run_id]
    if not known or not all(run["report"].get("served") for run in known):
        why = "left no complete index behind" if known else "is not known"
        msg = f"run {run_id!r} {why}; `relance runs` lists the latest ones"
        raise InputError(msg)
    moment = max(run["ended_at"] for run in known)
    found = {name: next((run for run in known if run in history), None) or _at(history, moment)
             for name, history in histories.items()}  # fmt: skip
    return {name: run for name, run in found.items() if run is not None}


def _at(history: list[dict[str, Any]], moment: datetime) -> dict[str, Any] | None:
    """Find the run that had left a part as it was at a moment; of a rollback the one that it went back to."""
    run = next((run for run in history if run["ended_at"] <= moment
                and (run["report"].get("served") or run["status"] == "rolled back")), None)  # fmt: skip
    if run is not None and run["status"] == "rolled back":
        return next((each for each in history if each["run_id"] == run["report"]["run_id"]), None)
    return run


def _previous(histories: dict[str, list[dict[str, Any]]], serving: dict[str, IndexTables]) -> str:
    """Name the latest run that left any part otherwise than it is now, and none of them incomplete."""
    broken = {run["run_id"] for runs in histories.values() for run in runs if not run["report"].get("served")}
    found = []
    for name, history in histories.items():
        runs = [run for run in history if run["run_id"] not in broken]
        tables = serving[name]
        now = (tables.name, tables.chunks.version, tables.manifest.version)
        # After a rollback the restored versions have new numbers: go on from the run that was restored.
        if history and history[0]["status"] == "rolled back":
            last = history[0]["report"]
            now = (last["table"], *last["restored"][:2])
            at = next((i for i, run in enumerate(runs) if run["run_id"] == last["run_id"]), len(runs))
            runs = runs[at:]
        left = 0
        for at, run in enumerate(runs, start=1):  # housekeeping gave the same rows other versions
            if run["status"] == "maintained" and (run["table"], run["chunks_version"], run["documents_version"]) == now:
                now, left = (run["table"], *run["report"]["found"][:2]), at
        others = (run for run in runs[left:] if (run["table"], run["chunks_version"], run["documents_version"]) != now)
        found += [run for run in [next(others, None)] if run is not None]
    if not found:
        msg = "there is no earlier run to go back to"
        raise InputError(msg)
    return max(found, key=lambda run: run["ended_at"])["run_id"]
