"""Prefect's lineage: which table was made from which sources. Events everywhere, pages in Prefect Cloud only."""

from __future__ import annotations

import re
from typing import Any

from prefect.assets import Asset, AssetProperties, materialize

from relance.config import IndexSpec
from relance.pipeline.report import Report
from relance.sources import open_sources
from relance_tasks.retries import STAGE

__all__ = ["asset_of", "publish_lineage"]


def publish_lineage(spec: IndexSpec, report: Report) -> None:
    """Tell that a run has written a table; a run that changed nothing says nothing."""
    if not (report.added or report.changed or report.removed):
        return
    table = Asset(
        key=_key("lancedb", report.title),
        properties=AssetProperties(name=report.title, description=spec.description or f"The index {spec.name}."),
    )
    places = [place.text for source in open_sources(spec) if (place := source.location())]
    sources: list[Any] = [*map(asset_of, places)]
    facts = {
        "run": report.run_id, "table": report.table, "version": report.table_version, "added": report.added,
        "changed": report.changed, "removed": report.removed, "chunks": report.chunks,
    }  # fmt: skip

    @materialize(table, by="relance", asset_deps=sources, task_run_name=f"lineage {report.title}", **STAGE)
    def lineage() -> None:
        table.add_metadata(facts)

    lineage()


def asset_of(place: str) -> Asset:
    """Name the place of a source as an asset."""
    return Asset(key=_key(*_split(place)))


def _split(place: str) -> tuple[str, str]:
    scheme, mark, name = place.partition("://")
    return (scheme, name) if mark else ("file", place)


def _key(scheme: str, name: str) -> str:
    """Name an asset: Prefect takes few characters beside letters and digits, and of `git+https` the first part."""
    kind = re.sub("[^a-z0-9]", "", scheme.lower().partition("+")[0])
    return f"{kind}://{re.sub('[^A-Za-z0-9._/-]+', '-', name).strip('-/')}"[:512]
