"""Read and parse documents."""

from __future__ import annotations

from prefect import task

from relance.pipeline.batch import Batch
from relance.pipeline.run import Ingestion
from relance_tasks.retries import BATCH

__all__ = ["load"]


@task(task_run_name="load {run.title} {batch.name}", **BATCH)
def load(run: Ingestion, batch: Batch) -> int:
    """Read the batch; what did not really change drops out. Returns the documents left."""
    return len(run.load(batch).documents)
