"""List the sources and compare them with the manifest."""

from __future__ import annotations

from prefect import get_run_logger, task

from relance.discovery import Discovery
from relance.ingestion import Ingestion
from tasks.retries import BATCH

__all__ = ["discover"]


@task(task_run_name="discover {run.title}", **BATCH)
def discover(run: Ingestion) -> Discovery:
    """Find what is new, changed and gone."""
    found = run.discover()
    get_run_logger().info(
        "%s: %d to look at in %d batches, %d gone, %d unchanged",
        run.title, found.candidates, found.batches, len(found.removed), found.unchanged,
    )  # fmt: skip
    return found
