"""Read and parse documents."""

from __future__ import annotations

from typing import Any

from prefect import task

from relance.pipeline import stages
from relance.pipeline.batch import Batch
from relance.pipeline.context import Context
from relance.pipeline.engines import Engine
from relance_tasks.retries import BATCH

__all__ = ["load"]


@task(task_run_name="load {context.title} {batch.name}", **BATCH)
def load(engine: Engine, context: Context, batch: Batch, *, after: Any = None) -> Batch:  # noqa: ARG001  # draws the graph
    """Read the batch; what did not really change drops out."""
    return engine.submit(stages.load, context, batch).result()
