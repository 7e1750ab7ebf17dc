"""The housekeeping of an index: what runs put off, and what nobody can go back to any more."""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from relance.config import IndexSpec
from relance.embedding.providers import open_provider
from relance.errors import ConfigurationError
from relance.store import Store
from relance.store.beside import Beside
from relance.store.cache_spaces import prune
from relance.store.catalog import Catalog
from relance.store.embeddings import PREFIX as VECTORS
from relance.store.faults import store_errors
from relance.store.index_tables import IndexTables, part_name
from relance.store.lock import hold
from relance.store.maintenance import (
    MEASURED,
    MaintenanceLimits,
    ages,
    compact,
    index_lookups,
    reach,
    refresh_indexes,
)
from relance.store.mending import drop_aside, mend
from relance.store.open_rows import settle_open_rows
from relance.store.runs import NAME as RUNS
from relance.store.runs import Runs
from relance.store.thumbnails import ThumbnailTable

__all__ = ["Maintained", "drop_leftovers", "leftovers", "maintain"]

# Shared by all indexes of a store, and nobody rolls them back: their old versions only have to outlive a reader.
_SHARED = timedelta(hours=1)
_LOGGED = 10_000  # runs that are looked at to see which tables they used


@dataclass(slots=True)
class Maintained:
    """What housekeeping did.

    Attributes:
        compacted: tables that were rewritten because they lay in several files, with the files before and after.
        versions: old versions of tables that were dropped, being past `store.retention_days`.
        interrupted: the run that was cut short while it wrote; the next one repairs what it left, and until then the
            tables are left as they are.
        indexes: search indexes the index has now.
        dropped: tables of earlier models that nothing can go back to, and what was set aside before the retention.
        thumbnails: drawn pictures dropped because no picture of the index is that any more.
        pruned: vectors dropped because the embedding cache was over `store.cache_max_bytes`.
        failures: documents that are not in the index; every run tries them again, and for `retryable` ones that may
            help without anybody doing anything.
        bytes_before: of the whole store, all its indexes together; None where it is not on this machine.
    """

    index: str
    compacted: dict[str, tuple[int, int]] = field(default_factory=dict)
    versions: int = 0
    interrupted: str | None = None
    indexes: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    thumbnails: int = 0
    pruned: int = 0
    failures: int = 0
    retryable: int = 0
    bytes_before: int | None = None
    bytes_after: int | None = None
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def maintain(spec: IndexSpec, store: Store, *, wait_s: float = 0.0, limits: MaintenanceLimits = MEASURED) -> Maintained:
    """Tidy an index and what it shares with others; raises IndexBusyError while a run writes it.

    Readers notice nothing, and an index that is tidy gets no new versions.
    """
    began, done = time.perf_counter(), Maintained(spec.name, bytes_before=_bytes(store))
    if store.exists:
        retention = timedelta(days=spec.store.retention_days)
        with contextlib.ExitStack() as locks:
            names = [part_name(spec.name, media=media) for media in _kinds(spec)]
            checks = [locks.enter_context(hold(store, name, wait_s=wait_s)) for name in names]

            def check_lock() -> None:
                for check in checks:
                    check()

            parts = [tables for name in names if (tables := IndexTables.serving(store, name)) is not None]
            done.interrupted = next((writer for tables in parts if (writer := tables.writer)), None)
            if done.interrupted is None:
                whole = [tables for tables in parts if tables.is_sealed]
                with store_errors(f"maintaining index {spec.name!r}"):
                    _tidy(spec, store, parts, retention, done, check_lock, limits=limits)
                # Else the next run would look through tables that somebody seems to have changed.
                IndexTables.seal([tables for tables in whole if not tables.is_sealed])
                with store_errors(f"maintaining the thumbnails of index {spec.name!r}"):
                    _tidy_thumbnails(spec, store, parts, done, limits)
            done.dropped += drop_leftovers(spec, store, datetime.now(UTC) - retention, check_lock)
            for tables in parts:
                rows = [row for row in tables.failures.all() if not row.indexed]
                done.failures += len(rows)
                done.retryable += sum(row.retryable for row in rows)
        with store_errors("maintaining the embedding cache, the catalog and the log of runs"):
            _tidy_shared(spec, store, done, limits)
        done.dropped += drop_aside(store, datetime.now(UTC) - retention)
    done.bytes_after = _bytes(store)
    done.seconds = round(time.perf_counter() - began, 3)
    return done


def _tidy(spec: IndexSpec, store: Store, parts: list[IndexTables], retention: timedelta, done: Maintained,
          check_lock: Callable[[], None], *, limits: MaintenanceLimits) -> None:  # fmt: skip
    """Sweep, index and compact the tables that serve an index, and record their versions."""
    began, before = datetime.now(UTC), [tables.versions for tables in parts]
    for tables in parts:
        check_lock()
        tables.chunks.sweep()
        chunks = tables.chunks.table
        if chunks is not None:
            settle_open_rows(chunks, spec)
            refresh_indexes(chunks, retention=reach(chunks, retention, limits), language=spec.search.language,
                            limits=limits)  # fmt: skip
            done.indexes += [index.name for index in chunks.list_indices()]
        left = Runs(store, tables.index).versions(tables.name)
        for table, versions in zip((chunks, tables.manifest.table, tables.failures.table), left, strict=True):
            check_lock()
            _compact(table, retention, done, limits, versions)
    if [tables.versions for tables in parts] != before:
        # A rollback looks for versions in the log of runs: those that were left before are dropped one day.
        run_id = f"maintain-{uuid.uuid4().hex[:12]}"
        for tables, found in zip(parts, before, strict=True):
            Runs(store, tables.index).append(
                run_id=run_id, table=tables.name, status="maintained", started_at=began, ended_at=datetime.now(UTC),
                versions=tables.versions, report={"index": done.index, "served": True, "found": list(found)},
            )  # fmt: skip


def _tidy_thumbnails(spec: IndexSpec, store: Store, parts: list[IndexTables], done: Maintained,
                     limits: MaintenanceLimits) -> None:  # fmt: skip
    """Drop the thumbnails that no row shows; the whole table where the spec wants none."""
    thumbnails = ThumbnailTable(store, spec.name)
    mend(store, thumbnails.name, ["key"])
    if thumbnails.table is None:
        return
    if spec.media is None or not spec.media.thumbnails:
        store.db.drop_table(thumbnails.name)
        done.dropped.append(thumbnails.name)
        return
    media = part_name(spec.name, media=True)
    rows = (tables.chunks.stream(["content_hash"], "active") for tables in parts if tables.index == media)
    done.thumbnails = thumbnails.keep(chain.from_iterable(rows))
    _compact(thumbnails.table, _SHARED, done, limits)


def _compact(table: Any | None, retention: timedelta, done: Maintained, limits: MaintenanceLimits,
             left: AbstractSet[int] | None = None) -> None:  # fmt: skip
    """Rewrite a table that lies in many files or has versions nobody can go back to; LanceDB does only both at once."""
    if table is None:
        return
    files, oldest, before = _files(table), reach(table, retention, limits, left=left), ages(table)
    if files > limits.files or max(before.values()) > oldest:
        compact(table, retention=oldest)
        if (fewer := _files(table)) < files:
            done.compacted[table.name] = (files, fewer)
        done.versions += len(before.keys() - ages(table).keys())


def _files(table: Any) -> int:
    return table.stats()["fragment_stats"]["num_fragments"]


def drop_leftovers(spec: IndexSpec, store: Store, since: datetime,
                   check_lock: Callable[[], None] = lambda: None) -> list[str]:  # fmt: skip
    """Drop what `leftovers` finds; returns the names."""
    found = leftovers(spec, store, since)
    for name in found:
        check_lock()
        with store_errors(f"dropping {name}"):
            store.db.drop_table(name)
    return found


def leftovers(spec: IndexSpec, store: Store, since: datetime) -> list[str]:
    """Name the tables of models that neither serve nor are being built, and to which no rollback since then goes."""
    media = "(?:media__)?" if spec.media else ""
    pattern = re.compile(rf"({re.escape(spec.name)}__{media}(?:2__)?[0-9a-f]{{8}})(__documents|__failures)?")
    found = [match for name in store.tables() if (match := pattern.fullmatch(name))]
    wanted = _wanted(spec, store, since) if found else set()
    return [match[0] for match in found if wanted is not None and match[1] not in wanted]


def _wanted(spec: IndexSpec, store: Store, since: datetime) -> set[str] | None:
    """Name the tables that serve, that the spec's models write, and that runs left serving since; None: not known."""
    wanted = set()
    for media in _kinds(spec):
        try:
            info = open_provider(spec.media.embedding if media and spec.media else spec.embedding, spec.plugins).info
        except ConfigurationError:  # without a key it cannot be told which table is being built
            return None
        wanted.add(IndexTables.for_model(store, spec, info, media=media).name)
        serving = IndexTables.serving(store, spec.name, media=media)
        if serving is not None:
            wanted.add(serving.name)
        beside = Beside.of(store, part_name(spec.name, media=media))
        if beside is not None and beside.waits:
            wanted.add(beside.table)
        runs = Runs(store, part_name(spec.name, media=media)).latest(_LOGGED)
        recent = [run for run in runs if run["ended_at"] >= since]
        # The latest run before then left what readers had when the retention began.
        left = (run for run in runs if run["ended_at"] < since)
        recent += next(([run] for run in left if run["report"].get("served") or run["status"] == "rolled back"), [])
        wanted.update(run["table"] for run in recent)
    return wanted


def _kinds(spec: IndexSpec) -> tuple[bool, ...]:
    """Whether media: of each part the spec declares."""
    return (False, True) if spec.media is not None else (False,)


def _tidy_shared(spec: IndexSpec, store: Store, done: Maintained, limits: MaintenanceLimits) -> None:
    """Compact what all indexes of the store write, beside their runs: a conflict makes these try again."""
    for name in store.tables():
        if name == RUNS or name.startswith(VECTORS):
            table = store.open(name)
            if table is not None and name != RUNS:
                index_lookups(table, "key", limits=limits)
            _compact(table, _SHARED, done, limits)
    _compact(Catalog(store).table, _SHARED, done, limits)
    done.pruned = sum(prune(store, max_bytes=int(spec.store.cache_max_bytes)).values())


def _bytes(store: Store) -> int | None:
    """Add up the files of a store on this machine."""
    if store.local is None:
        return None
    total = 0
    for path in Path(store.local).rglob("*"):
        with contextlib.suppress(OSError):  # a run of another index may take it away meanwhile
            total += path.stat().st_size if path.is_file() else 0
    return total
