"""Write documents into the index."""

from __future__ import annotations

from prefect import task

from relance.pipeline.batch import Batch
from relance.pipeline.run import Ingestion
from relance_tasks.retries import BATCH

__all__ = ["upsert"]


@task(task_run_name="upsert {run.title} {batch.name}", **BATCH)
def upsert(run: Ingestion, batch: Batch) -> int:
    """Replace the batch's documents in one commit; returns the chunks written."""
    return run.upsert(batch)
