"""Turn chunks, images and videos into vectors."""

from __future__ import annotations

from typing import Any

from prefect import task

from relance.pipeline import stages
from relance.pipeline.batch import Batch
from relance.pipeline.context import Context
from relance.pipeline.engines import Engine
from relance.pipeline.grant import Grant
from relance.pipeline.runtime import runtime_of
from relance.pipeline.sent_error import charged
from relance_tasks.retries import BATCH
from relance_tasks.shared_limits import share_of_rates

__all__ = ["embed"]


@task(task_run_name="embed {context.title} {batch.name}", **BATCH)
def embed(engine: Engine, context: Context, batch: Batch, grant: Grant, *, after: Any = None) -> Batch:  # noqa: ARG001  # draws the graph
    """Find or buy the vectors of the batch; what a failed try has bought is not bought again."""
    runtime = runtime_of(context)
    with share_of_rates(runtime), charged(runtime.ledger):
        return engine.submit(stages.embed, context, batch, grant).result()
