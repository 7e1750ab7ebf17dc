"""Buy vectors by batch files, before the documents go on."""

from __future__ import annotations

from prefect import task

from relance.pipeline import batch_mode
from relance.pipeline.coordinator import Coordinator
from relance.pipeline.journey import Journeys
from relance_tasks.log import run_log
from relance_tasks.retries import STAGE

__all__ = ["fill"]


# No retries: it waits and tries again by itself, and what it has ordered is found by the next run.
@task(task_run_name="batch files of {run.spec.name}", **STAGE)
def fill(run: Coordinator, journeys: Journeys) -> int:
    """Order what is missing at half the price and wait for it; returns the vectors that came."""
    filled = batch_mode.fill(run, journeys)
    run_log().info(
        "%s: %d texts ordered in %d batches, %d vectors came, %d are left to be embedded online",
        run.spec.name, filled.ordered, filled.batches, filled.embedded, filled.failed,
    )  # fmt: skip
    return filled.embedded
