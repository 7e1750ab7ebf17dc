"""Turn images and videos into vectors."""

from __future__ import annotations

from prefect import task

from relance.pipeline.batch import Batch
from relance.pipeline.run import Ingestion
from relance_tasks.retries import BATCH
from relance_tasks.shared_limits import share_of_rates

__all__ = ["embed_media"]


@task(task_run_name="embed {run.title} {batch.name}", **BATCH)
def embed_media(run: Ingestion, batch: Batch) -> int:
    """Find or buy the vectors of the batch's images and videos.

    Returns how many have their vector.
    """
    with share_of_rates(run):
        return len(run.embed(batch).documents)
