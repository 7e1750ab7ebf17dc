"""Which tables readers use: one compare-and-set each way; the others stay until the retention is over."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Collection, Generator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from relance.errors import InputError
from relance.reembed.outcome import Outcome
from relance.store import open_store
from relance.store.beside import Beside
from relance.store.failures import Failure
from relance.store.index_tables import IndexTables, part_name
from relance.store.lock import hold
from relance.store.runs import Runs

if TYPE_CHECKING:
    from relance.config import IndexSpec
    from relance.store import Store

__all__ = ["at_rest", "new_run_id", "switch_back", "switch_to"]

_BACK = "switched back by a person"


@contextlib.contextmanager
def at_rest(spec: IndexSpec, store: Store, *, wait_s: float) -> Generator[None]:
    """Keep ingests away from the serving tables; IndexBusyError where one is at work for longer than `wait_s`."""
    with contextlib.ExitStack() as locks:
        for media in (False, True) if spec.media is not None else (False,):
            locks.enter_context(hold(store, part_name(spec.name, media=media), wait_s=wait_s))
        yield


def switch_to(store: Store, built: Sequence[IndexTables], *, rules: str, copied: Collection[str]) -> str:
    """Let readers use tables that were built beside, and record it; returns the name of those they used before.

    `copied`: indexes for whose tables no source was read.
    """
    run_id = new_run_id("switched")
    before = {tables.name: (tables.alias or {}).get("table", "") for tables in built}
    for tables in built:
        if tables.index in copied and before[tables.name]:
            _take_over_failures(tables, IndexTables(store, tables.index, before[tables.name]))
        tables.chunks.create()  # an empty index can be searched, too
    IndexTables.serve_all(built)
    for tables in built:
        Beside(tables.name, "switched", rules=rules, previous=before[tables.name]).put(store, tables.index)
        _record(store, tables, "switched", before[tables.name], run_id)
    return before[built[0].name]


def new_run_id(status: str) -> str:
    """Name a switch in the log of runs: the same for texts and media."""
    return f"{status.replace(' ', '-')}-{uuid.uuid4().hex[:12]}"


def switch_back(spec: IndexSpec, *, wait_s: float = 0.0) -> Outcome:
    """Let readers use the tables again that served before the last switch; ingests keep those in sync from then on.

    Raises InputError where there was no switch, or its old tables are gone, and IndexBusyError while a run writes.
    """
    began, store = time.perf_counter(), open_store(spec)
    outcome, run_id = Outcome(spec.name, "switched back", ""), new_run_id("switched back")
    with at_rest(spec, store, wait_s=wait_s):
        held = time.perf_counter()
        pairs = []
        for media in (False, True) if spec.media is not None else (False,):
            index = part_name(spec.name, media=media)
            note, serving = Beside.of(store, index), IndexTables.serving(store, spec.name, media=media)
            if note is None or serving is None or note.table != serving.name or not note.previous:
                continue
            old = IndexTables(store, index, note.previous)
            if old.chunks.table is None:
                msg = f"{note.previous}, which served index {index!r} before, is gone: store.retention_days are over"
                raise InputError(msg)
            pairs.append((old, serving, note))
        IndexTables.serve_all([old for old, _, _ in pairs])
        for old, serving, note in pairs:
            Beside(serving.name, "held", _BACK, note.rules, note.previous).put(store, old.index)
            _record(store, old, "switched back", serving.name, run_id)
            outcome.table, outcome.beside = outcome.table or old.name, outcome.beside or serving.name
    if not outcome.table:
        msg = f"index {spec.name!r} was not switched to other tables; `relance rollback` undoes runs"
        raise InputError(msg)
    outcome.told = f"readers use {outcome.table} again; the next ingest brings in what has changed since"
    ended = time.perf_counter()
    outcome.seconds, outcome.switch_s = ended - began, ended - held
    return outcome


def _take_over_failures(tables: IndexTables, before: IndexTables) -> None:
    """Keep what is known of documents that are not in the index, or not whole: nobody has read a source."""
    own = tables.failures.all()
    mine = {row.uri for row in own}
    rows = [*own, *(row for row in before.failures.all() if row.uri not in mine)]
    failures = [Failure(row.uri, row.reason, row.stage, row.retryable, row.indexed) for row in rows]
    tables.failures.replace(failures, run_id="", now=datetime.now(UTC))


def _record(store: Store, tables: IndexTables, status: str, other: str, run_id: str) -> None:
    now = datetime.now(UTC)
    report: dict[str, Any] = {"index": tables.index, "served": True, "before": other}
    Runs(store, tables.index).append(
        run_id=run_id, table=tables.name, status=status, started_at=now, ended_at=now, versions=tables.versions,
        report=report,
    )  # fmt: skip
