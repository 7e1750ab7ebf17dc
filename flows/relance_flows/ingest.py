"""The main path: discover → load → chunk → embed → commit → report, for the texts of an index, then for its media.

Deployed as the module entrypoint `relance_flows.ingest.ingest`; `relance ingest SPEC` runs it in its own process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed

from relance.config import IndexSpec
from relance.config.engine import EngineName
from relance.errors import RejectedError
from relance.index import Index
from relance.pipeline.report import Report, combine
from relance.pipeline.run import Run, current_run
from relance.safe_text import protect_logs
from relance.telemetry.start import start_telemetry
from relance_flows.form import AS_DECLARED, INDEX, Amount, Approval, Count, Engine, Mode, field
from relance_flows.hooks import HOOKS
from relance_flows.limits import BUDGET, with_budget
from relance_flows.main_path import RUNNER, all_parts, at_work
from relance_flows.names import after_index
from relance_flows.reembed import ending, past_the_gate
from relance_flows.registry import find_spec
from relance_flows.sentence import readable
from relance_flows.work_pool import engine_of
from relance_tasks.approve import approve
from relance_tasks.artifacts import in_one_look
from relance_tasks.engine import PrefectEngine
from relance_tasks.report import show_plan, show_report

__all__ = ["ingest", "sync"]

MODE = "incremental: what changed; full: read all documents again; plan only: what it would do and cost."
ENGINE = "What reads, splits and embeds: this process, all cores of the machine, or a cluster."
APPROVAL = "Where the index's limits want a person's: ask: pause for it; given: you give it now; refuse: end instead."


@flow(name="ingest", flow_run_name=after_index, task_runner=RUNNER, persist_result=False, **HOOKS)
@readable
async def ingest(  # noqa: PLR0917  # the fields of a form
    index: str = field("Index", "", INDEX),
    mode: Mode = field("Mode", "incremental", MODE),
    only: list[str] = field("Only these documents", [], "Uris such as docs/handbook.md; none means all."),
    max_cost_usd: Amount = field("Budget in US dollars", 0.0, BUDGET),
    approval: Approval = field("Approval", "ask", APPROVAL),
    wait_s: Amount = field("Wait (seconds)", 0.0, "How long to wait for another run on the same index."),
    engine: Engine = field("Engine", AS_DECLARED, ENGINE),
    workers: Count = field("Workers", 0, "Of that engine; 0: as the index says."),
) -> dict[str, Any] | State[Any]:
    """Bring an index in sync with its sources.

    Only what changed is read, embedded and written; run it as often as you like. *plan only* says what it would do and
    cost. A run that would cost or remove more than the index allows **pauses and asks**: open it, press *Resume*.
    """
    spec = with_budget(await find_spec(index), max_cost_usd)
    if mode == "plan only":
        plan = await asyncio.to_thread(Index(spec).plan, only=only)
        show_plan(plan)
        return plan.as_dict()
    try:
        report = await sync(spec, full=mode == "full", only=only, approval=approval,
                            engine="" if engine == AS_DECLARED else engine, workers=workers, wait_s=wait_s)  # fmt: skip
        anew = None if only else await past_the_gate(spec, report, approval=approval)
    except RejectedError as rejected:
        return Cancelled(message=str(rejected))
    return outcome(report) if anew is None else ending(anew, report.as_dict() | {"reembed": anew.as_dict()})


async def sync(spec: IndexSpec, *, full: bool = False, only: Sequence[str] = (), approval: Approval = "ask",
               engine: EngineName = "", workers: int = 0, wait_s: float = 0.0) -> Report:  # fmt: skip
    """Go through the stages for every part of the index.

    Raises RejectedError if a person says no, and ApprovalNeededError where none may be asked.
    """
    start_telemetry()
    protect_logs()
    begun = current_run.get()
    chosen = await asyncio.to_thread(engine_of, spec, engine, workers) if begun is None else begun.engine
    run = begun or Run(spec, full=full, only=only, wait_s=wait_s, approved=approval == "given", engine=chosen)
    run.use(PrefectEngine(chosen))
    async with contextlib.nullcontext() if begun else at_work(run):
        await approve(run, ask=approval == "ask")
        await asyncio.to_thread(all_parts, run)
    report = combine([part.report for part in run.parts])
    show_report(report, spec)
    return report


def outcome(report: Report) -> dict[str, Any] | State[Any]:
    """Turn a report into the run's result; one with failures is never silently green."""
    name = None if report.status == "completed" else report.status.title()
    return Completed(name=name, message=in_one_look(report), data=report.as_dict())
