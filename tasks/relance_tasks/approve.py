"""Ask a person before a run that costs much or removes much."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect.flow_runs import apause_flow_run
from prefect.input import RunInput
from prefect.variables import Variable
from pydantic import Field

from relance.errors import RejectedError
from relance.pipeline.approval import within
from relance.pipeline.plan import Preview
from relance.pipeline.run import Run
from relance_tasks.artifacts import plan_markdown
from relance_tasks.log import run_log
from relance_tasks.report import show_plan

__all__ = ["Approval", "answer", "approve"]

# A variable of the server says for how many days a question waits; then the run fails, and the next one asks again.
DAYS = "relance_approval_days"
POLL_S = 2
# Prefect's page has the button in a menu, and its state Paused has no message.
_HOW = "To read the plan with its cost and answer: the menu ⋮ at the top of this page, Resume"


class Approval(RunInput):
    """What the person says."""

    go_on: bool = Field(
        default=False, title="Go on", description="Run as planned. Leave it off to end the run instead."
    )


async def approve(run: Run, *, ask: bool = True) -> None:
    """Pause until a person has approved, if the spec's limits want that.

    Raises RejectedError if the person says no; without `ask`, ApprovalNeededError unless `run.handle.approve` agrees.
    """
    asked: Preview | None = None
    if not ask or run.approved or run.handle.approve is not None:
        return await asyncio.to_thread(run.approve)
    while (preview := await asyncio.to_thread(run.preview)).reasons and not within(preview, asked):
        with run.aside():
            said = await answer(run.spec.name, preview)
        if not said.go_on:
            msg = "rejected; nothing was changed"
            raise RejectedError(msg)
        asked = preview
    run.approved = True
    return None


async def answer(index: str, preview: Preview) -> Approval:
    """Show what the run would do, and pause for the answer."""
    show_plan(preview.plan)
    reasons = "\n".join(f"- {reason}" for reason in preview.reasons)
    why = "; ".join(preview.reasons).replace("**", "").replace("`", "")
    run_log().warning("%s waits for approval: %s. %s", index, why, _HOW)
    asked = Approval.with_initial_data(
        description=f"## {index} needs your approval\n\n{reasons}\n\n{plan_markdown(preview.plan, index)}"
    )
    days: Any = await Variable.aget(DAYS, default=7)
    return await apause_flow_run(asked, timeout=int(float(days) * 24 * 3600), poll_interval=POLL_S)
