"""List the sources and compare them with the manifest."""

from __future__ import annotations

from prefect import task

from relance.pipeline.coordinator import Coordinator
from relance_tasks.log import run_log
from relance_tasks.retries import BATCH

__all__ = ["discover"]


@task(task_run_name="discover {run.title}", **BATCH)
def discover(run: Coordinator, *, approved: bool) -> str:
    """Find what is new, changed and gone, until there is something to do; returns it in words.

    Where readers find documents already, all is found: raises ApprovalNeededError if too many of them would go.
    """
    run.check_loss(approved=approved)
    found = run.found()
    run_log().info("%s: %s", run.title, found)
    return found
