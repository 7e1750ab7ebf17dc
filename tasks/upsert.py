"""Write documents into the index."""

from __future__ import annotations

from prefect import task

from relance.batch import Batch
from relance.ingestion import Ingestion
from tasks.retries import BATCH

__all__ = ["upsert"]


@task(task_run_name="upsert {run.title} {batch.name}", **BATCH)
def upsert(run: Ingestion, batch: Batch) -> int:
    """Replace the batch's documents in one commit; returns the chunks written."""
    return run.upsert(batch)
