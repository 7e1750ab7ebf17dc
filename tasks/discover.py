"""List the sources and compare them with the manifest."""

from __future__ import annotations

from prefect import get_run_logger, task

from relance.discovery import Discovery
from relance.ingestion import Ingestion
from tasks.retries import BATCH

__all__ = ["discover"]


@task(task_run_name="discover {run.spec.name}", **BATCH)
def discover(run: Ingestion) -> Discovery:
    """Find what is new, changed and gone."""
    found = run.discover()
    get_run_logger().info(
        "%s: %d added, %d changed, %d removed, %d unchanged, in %d batches",
        run.spec.name, found.added, found.changed, len(found.removed), found.unchanged, found.batches,
    )  # fmt: skip
    return found
