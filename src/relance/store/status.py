"""What an index is now: sizes, versions, what it has cost, how the last run ended."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from relance.config import IndexSpec
from relance.errors import ConfigurationError
from relance.store import Store
from relance.store.catalog import Catalog
from relance.store.index_tables import IndexTables, part_name
from relance.store.quota import FreeQuota
from relance.store.run_summary import RunSummary
from relance.store.runs import Runs

__all__ = ["Status", "describe_index"]

_LOGGED = 100_000  # runs that are summed up at most


@dataclass(slots=True, frozen=True, kw_only=True)
class Status:
    """An index as it is now: its texts, or (in `media`) its images and videos.

    Attributes:
        failures: documents that could not be indexed.
        warnings: documents that are in the index, but not whole or by a guess.
        ignored: what the sources had when the last run listed them and the index has not, on purpose, by reason.
        tokens: of the chunks there are; `billed_tokens` and `billed_usd` are of all runs.
        free_tokens_left: of the quota that the spec declares; None where it declares none.
        fingerprint: of the vector space.
        table: LanceDB table that serves; None before the first run is through, and then nothing below is known.
        indexes: search indexes of the table.
        interrupted: run that was cut short while it wrote; the next one repairs what it left.
        media: where the spec has a `media` section.
    """

    index: str
    documents: int = 0
    chunks: int = 0
    failures: int = 0
    warnings: int = 0
    ignored: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: int = 0
    billed_tokens: int = 0
    billed_usd: float = 0.0
    free_tokens_left: int | None = None
    fingerprint: str | None = None
    table: str | None = None
    table_version: int = 0
    indexes: list[str] = field(default_factory=list)
    interrupted: str | None = None
    last_run: RunSummary | None = None
    media: Status | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values; what does not apply is left out."""
        absent = {name for name in ("free_tokens_left", "media") if getattr(self, name) is None}
        absent |= set() if self.table else {"indexes", "interrupted"}
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in absent}
        nested = {name: values[name].as_dict() for name in ("last_run", "media") if values.get(name) is not None}
        return values | nested


def describe_index(spec: IndexSpec, store: Store, *, media: bool = False) -> Status:
    """Describe the texts of an index, or its media."""
    tables = IndexTables.serving(store, spec.name, media=media)
    runs = Runs(store, part_name(spec.name, media=media)).latest(_LOGGED)
    bill: dict[str, Any] = {
        "billed_tokens": sum(run["report"].get("tokens", 0) for run in runs),
        "billed_usd": round(sum(run["report"].get("cost_usd", 0.0) for run in runs), 6),
        "free_tokens_left": _free_tokens_left(spec, store, media=media),
    }
    if tables is None:
        return Status(index=spec.name, **bill)
    documents, tokens = tables.manifest.totals()
    table = tables.chunks.table
    return Status(
        index=spec.name,
        documents=documents,
        chunks=tables.chunks.count(),
        failures=tables.failures.count(),
        warnings=tables.failures.count_warnings(),
        ignored=next((run["report"]["ignored"] for run in runs if "ignored" in run["report"]), {}),
        tokens=tokens,
        **bill,
        fingerprint=tables.space,
        table=tables.name,
        table_version=tables.chunks.version,
        indexes=[index.name for index in table.list_indices()] if table is not None else [],
        interrupted=tables.writer,
        last_run=RunSummary.of(runs[0], media=media) if runs else None,
    )


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
