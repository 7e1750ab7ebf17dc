"""List the sources and compare them with the manifest."""

from __future__ import annotations

from prefect import task

from relance.pipeline.discovery import Discovery
from relance.pipeline.run import Ingestion
from relance_tasks.log import run_log
from relance_tasks.retries import BATCH

__all__ = ["discover"]


@task(task_run_name="discover {run.title}", **BATCH)
def discover(run: Ingestion) -> Discovery:
    """Find what is new, changed and gone."""
    found = run.discover()
    run_log().info(
        "%s: %s documents may have changed (%s), %s are gone, %s unchanged",
        run.title, f"{found.candidates:,}", "1 batch" if found.batches == 1 else f"{found.batches:,} batches",
        f"{len(found.removed):,}", f"{found.unchanged:,}",
    )  # fmt: skip
    return found
