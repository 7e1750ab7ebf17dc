"""Write documents into the index."""

from __future__ import annotations

from typing import Any

from prefect import task

from relance.pipeline.batch import Batch
from relance.pipeline.coordinator import Coordinator
from relance_tasks.retries import BATCH

__all__ = ["commit"]


# Called, not submitted: the process that runs the flow is the only one that writes the index.
@task(task_run_name="commit {run.title} {batch.name}", **BATCH)
def commit(run: Coordinator, batch: Batch, *, after: Any = None) -> int:  # noqa: ARG001  # draws the graph
    """Replace the batch's documents in one commit; returns the chunks written."""
    return run.commit(batch)
