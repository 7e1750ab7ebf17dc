"""Ask a person before a run that costs much or removes much."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from prefect.flow_runs import apause_flow_run
from prefect.input import RunInput
from prefect.variables import Variable
from pydantic import Field

from relance.config import IndexSpec
from relance.errors import ApprovalNeededError
from relance.index import Index
from relance_tasks.artifacts import plan_markdown
from relance_tasks.log import run_log
from relance_tasks.report import show_plan

__all__ = ["Approval", "RejectedError", "approve"]

# A variable of the server says for how many days a question waits; then the run fails, and the next one asks again.
DAYS = "relance_approval_days"
POLL_S = 2


class RejectedError(Exception):
    """A person has looked at the plan and said no."""


class Approval(RunInput):
    """What the person says."""

    go_on: bool = Field(
        default=False, title="Go on", description="Run as planned. Leave it off to end the run instead."
    )


async def approve(spec: IndexSpec, *, full: bool = False, only: Sequence[str] = (), ask: bool = True) -> list[str]:
    """Pause until a person has approved, if the spec's limits want that; returns what was approved.

    Raises RejectedError if the person says no, and ApprovalNeededError in place of the question without `ask`.
    """
    preview = await asyncio.to_thread(Index(spec).preview, full=full, only=only)
    if not preview.reasons:
        return []
    if not ask:
        raise ApprovalNeededError(spec.name, preview.reasons)
    show_plan(preview.plan)
    reasons = "\n".join(f"- {reason}" for reason in preview.reasons)
    run_log().warning("%s waits for approval: %s", spec.name, "; ".join(preview.reasons))
    asked = Approval.with_initial_data(
        description=f"## {spec.name} needs your approval\n\n{reasons}\n\n{plan_markdown(preview.plan, spec.name)}"
    )
    days: Any = await Variable.aget(DAYS, default=7)
    answer = await apause_flow_run(asked, timeout=int(float(days) * 24 * 3600), poll_interval=POLL_S)
    if not answer.go_on:
        msg = "rejected; nothing was changed"
        raise RejectedError(msg)
    return preview.reasons
