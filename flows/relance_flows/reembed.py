"""Another model, or another way to split, without a gap: built beside, compared on golden queries, switched to.

Deployed as the module entrypoint `relance_flows.reembed.reembed`; `relance reembed SPEC` does the same in its process.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed

from relance.config import IndexSpec
from relance.errors import RejectedError
from relance.pipeline.report import Report
from relance.reembed import Outcome, Reembedding, check_gate, is_due, plan, switch_back
from relance_flows.form import INDEX, Amount, Approval, field
from relance_flows.hooks import HOOKS
from relance_flows.limits import BUDGET, with_budget
from relance_flows.main_path import RUNNER, all_parts, at_work
from relance_flows.names import after_index
from relance_flows.registry import find_spec
from relance_flows.sentence import readable
from relance_flows.waiting import result
from relance_flows.work_pool import engine_of
from relance_tasks.approve import approve
from relance_tasks.engine import PrefectEngine
from relance_tasks.judge import judge, show_outcome
from relance_tasks.report import show_plan

__all__ = ["ending", "past_the_gate", "reembed"]

Mode = Literal["build and compare", "plan only", "switch", "switch back"]

MODE = "build and compare: switch if the gate holds; switch: also to what is held back; switch back: to the old tables."
APPROVAL = "ask: pause where limits want a person's; given: now, also to switch without a gate; refuse: end instead."


@flow(name="reembed", flow_run_name=after_index, task_runner=RUNNER, persist_result=False, **HOOKS)
@readable
async def reembed(
    index: str = field("Index", "", INDEX),
    mode: Mode = field("Mode", "build and compare", MODE),
    max_cost_usd: Amount = field("Budget in US dollars", 0.0, BUDGET),
    approval: Approval = field("Approval", "ask", APPROVAL),
    wait_s: Amount = field("Wait (seconds)", 0.0, "How long to wait for another run on the same index."),
) -> dict[str, Any] | State[Any]:
    """Build an index anew by the model and splitting of its spec, beside the tables in use, and switch to it.

    Readers and ingests go on meanwhile. Where the spec has a `gate`, old and new answer its golden queries first: if
    the new tables are worse, the run ends as **Held Back** and they wait. Read the comparison, then run this again with
    *switch*, or change the spec.
    """
    spec = with_budget(await find_spec(index), max_cost_usd)
    if mode == "switch back":
        return ending(await published(await asyncio.to_thread(switch_back, spec, wait_s=wait_s)))
    if mode == "plan only":
        made = await asyncio.to_thread(plan, spec)
        if made is not None:
            show_plan(made)
        return {} if made is None else made.as_dict()
    try:
        return ending(await anew(spec, approval=approval, regardless=mode == "switch", wait_s=wait_s))
    except RejectedError as rejected:
        return Cancelled(message=str(rejected))


async def anew(spec: IndexSpec, *, approval: Approval, regardless: bool = False, wait_s: float = 0.0) -> Outcome:
    """Build beside, round after round until nothing is missing; compare; switch if the gate lets it.

    Raises RejectedError if a person says no, and ApprovalNeededError where none may be asked.
    """
    check_gate(spec, given=regardless or approval == "given")
    work = Reembedding(spec, approved=approval == "given", wait_s=wait_s)
    async with at_work(work):
        while work.has_news:
            chosen = await asyncio.to_thread(engine_of, spec, "", 0)
            run = await asyncio.to_thread(work.round, chosen)
            run.use(PrefectEngine(chosen))
            async with at_work(run):
                await approve(run, ask=approval == "ask")
                await asyncio.to_thread(all_parts, run)
            work.count(run)
        verdict = None if regardless else await result(judge.submit(work, spec))
        outcome = await asyncio.to_thread(work.settle, verdict, regardless=regardless)
    return await published(outcome)


async def past_the_gate(spec: IndexSpec, report: Report, *, approval: Approval) -> Outcome | None:
    """Build an index anew after an ingest, where its gate has to be passed first; None where nothing is due."""
    if report.status == "stopped" or not await asyncio.to_thread(is_due, spec):
        return None
    return await anew(spec, approval=approval)


async def published(outcome: Outcome) -> Outcome:
    """Show the comparison and what came of it in the Prefect UI."""
    await result(show_outcome.submit(outcome))
    return outcome


def ending(outcome: Outcome, data: dict[str, Any] | None = None) -> dict[str, Any] | State[Any]:
    """Turn an outcome into the run's result; what waits for a person is never silently green."""
    data = data or outcome.as_dict()
    if outcome.status in {"switched", "switched back", "up to date"}:
        return data
    return Completed(name=outcome.status.title(), message=outcome.told, data=data)
