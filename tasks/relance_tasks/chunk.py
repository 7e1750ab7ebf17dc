"""Split documents into chunks."""

from __future__ import annotations

from typing import Any

from prefect import task

from relance.pipeline import stages
from relance.pipeline.batch import Batch
from relance.pipeline.context import Context
from relance.pipeline.engines import Engine
from relance_tasks.retries import BATCH

__all__ = ["chunk"]


@task(task_run_name="chunk {context.title} {batch.name}", **BATCH)
def chunk(engine: Engine, context: Context, batch: Batch, *, after: Any = None) -> Batch:  # noqa: ARG001  # draws the graph
    """Split the documents of the batch."""
    return engine.submit(stages.chunk, context, batch).result()
