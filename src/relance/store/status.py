"""What an index is now: sizes, versions, what it has cost, how the last run ended."""

from __future__ import annotations

from typing import Any

from relance.config import IndexSpec
from relance.errors import ConfigurationError
from relance.store import Store
from relance.store.catalog import Catalog
from relance.store.index_tables import IndexTables, part_name
from relance.store.quota import FreeQuota
from relance.store.runs import Runs

__all__ = ["describe_index", "summary"]

_LOGGED = 100_000  # runs that are summed up at most


def describe_index(spec: IndexSpec, store: Store, *, media: bool = False) -> dict[str, Any]:
    """Describe the texts of an index, or its media, as plain values."""
    tables = IndexTables.serving(store, spec.name, media=media)
    runs = Runs(store, part_name(spec.name, media=media)).latest(_LOGGED)
    bill: dict[str, Any] = {
        "billed_tokens": sum(run["report"].get("tokens", 0) for run in runs),
        "billed_usd": round(sum(run["report"].get("cost_usd", 0.0) for run in runs), 6),
    }
    if (left := _free_tokens_left(spec, store, media=media)) is not None:
        bill["free_tokens_left"] = left
    if tables is None:
        return {"index": spec.name, "documents": 0, "chunks": 0, "failures": 0, "tokens": 0, **bill,
                "fingerprint": None, "table": None, "table_version": 0, "last_run": None}  # fmt: skip
    documents, tokens = tables.manifest.totals()
    table = tables.chunks.table
    return {
        "index": spec.name,
        "documents": documents,
        "chunks": tables.chunks.count(),
        "failures": tables.failures.count(),
        "tokens": tokens,
        **bill,
        "fingerprint": tables.space,
        "table": tables.name,
        "table_version": tables.chunks.version,
        "indexes": [index.name for index in table.list_indices()] if table is not None else [],
        "interrupted": tables.writer,
        "last_run": summary(runs[0]) if runs else None,
    }


def summary(row: dict[str, Any]) -> dict[str, Any]:
    """Describe a run of the log as plain values."""
    times = {name: row[name].isoformat(timespec="seconds") for name in ("started_at", "ended_at")}
    return {**row["report"], **times, "run_id": row["run_id"], "status": row["status"], "table": row["table"],
            "table_version": row["chunks_version"]}  # fmt: skip


def _free_tokens_left(spec: IndexSpec, store: Store, *, media: bool) -> int | None:
    """Count what is left of the quota the spec declares; None if it declares none."""
    from relance.embedding.providers import open_provider

    section = spec.media.embedding if media and spec.media else spec.embedding
    if not section.free_tokens:
        return None
    try:
        info = open_provider(section, spec.plugins).info
    except ConfigurationError:  # without a key it cannot be told, which is no reason not to tell the rest
        return None
    return FreeQuota(Catalog(store), info, section.free_tokens).left()
