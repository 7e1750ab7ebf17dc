"""Split documents into chunks."""

from __future__ import annotations

from prefect import task

from relance.pipeline.batch import Batch
from relance.pipeline.run import Ingestion
from relance_tasks.retries import BATCH

__all__ = ["chunk"]


@task(task_run_name="chunk {run.title} {batch.name}", **BATCH)
def chunk(run: Ingestion, batch: Batch) -> int:
    """Split the batch's documents; returns the number of chunks."""
    return sum(map(len, run.chunk(batch).chunks))
