"""The main path: discover → load → chunk → embed → commit → report, for the texts of an index, then for its media.

Deployed as the module entrypoint `relance_flows.ingest.ingest`; `relance ingest SPEC` runs it in its own process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed
from prefect.task_runners import ThreadPoolTaskRunner

from relance.config import IndexSpec
from relance.config.engine import EngineName
from relance.errors import RejectedError
from relance.index import Index
from relance.pipeline.coordinator import Coordinator
from relance.pipeline.engines import value_of
from relance.pipeline.report import Report, combine
from relance.pipeline.run import Run, current_run
from relance.telemetry.start import start_telemetry
from relance_flows.form import AS_DECLARED, INDEX, Amount, Approval, Count, Engine, Mode, field
from relance_flows.hooks import HOOKS
from relance_flows.names import after_index
from relance_flows.registry import find_spec
from relance_flows.work_pool import engine_of
from relance_tasks.approve import approve
from relance_tasks.commit import commit
from relance_tasks.discover import discover
from relance_tasks.engine import PrefectEngine
from relance_tasks.fill import fill
from relance_tasks.progress import Progress
from relance_tasks.report import finish, show_plan, show_report

__all__ = ["ingest", "sync"]

# A task that waits for the one before it holds its thread: room for every stage of every batch in flight.
RUNNER: Any = ThreadPoolTaskRunner(max_workers=4 * 64)

MODE = "incremental: what changed; full: read all documents again; plan only: what it would do and cost."
BUDGET = "The run ends before it spends more; 0: as the index says."
ENGINE = "What reads, splits and embeds: this process, all cores of the machine, or a cluster."
APPROVAL = "Where the index's limits want a person's: ask: pause for it; given: you give it now; refuse: end instead."


def run_name() -> str:
    """Name a run for people: `handbook`, or `handbook (full)`."""
    parameters = flow_run.parameters
    mode = parameters.get("mode", "incremental")
    return after_index() + ("" if mode == "incremental" else f" ({mode})")


@flow(name="ingest", flow_run_name=run_name, task_runner=RUNNER, persist_result=False, **HOOKS)
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
    except RejectedError as rejected:
        return Cancelled(message=str(rejected))
    return outcome(report)


async def sync(spec: IndexSpec, *, full: bool = False, only: Sequence[str] = (), approval: Approval = "ask",
               engine: EngineName = "", workers: int = 0, wait_s: float = 0.0) -> Report:  # fmt: skip
    """Go through the stages for every part of the index.

    Raises RejectedError if a person says no, and ApprovalNeededError where none may be asked.
    """
    start_telemetry()
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


def all_parts(run: Run) -> None:
    """Bring the texts in sync, then the media."""
    for part, journeys in run.work():
        found = discover.submit(part, approved=run.approved)
        found.result()
        if part.runtime.embedding.batched:
            fill(part, journeys)
        progress = Progress(part)

        def write(embedded: Any, part: Coordinator = part, progress: Progress = progress) -> int:
            written = commit(part, value_of(embedded), after=embedded)
            progress.show()
            return written

        journeys.go(found, commit=write)
        finish(part)


@contextlib.asynccontextmanager
async def at_work(run: Run) -> AsyncGenerator[None]:
    """Hold the index for the length of the block; waiting for it does not hold up the event loop."""
    await asyncio.to_thread(run.__enter__)
    try:
        yield
    except BaseException as error:
        await asyncio.to_thread(run.__exit__, type(error), error, error.__traceback__)
        raise
    await asyncio.to_thread(run.__exit__, None, None, None)


def outcome(report: Report) -> dict[str, Any] | State[Any]:
    """Turn a report into the run's result; one with failures is never silently green."""
    if report.status == "completed":
        return report.as_dict()
    failed = report.failed + (report.media.failed if report.media else 0)
    return Completed(name=report.status.title(), message=f"{failed} failures", data=report.as_dict())


def with_budget(spec: IndexSpec, max_cost_usd: float) -> IndexSpec:
    """Take the budget of this run instead of the spec's; 0 leaves the spec's."""
    if not max_cost_usd:
        return spec
    return spec.model_copy(update={"limits": spec.limits.model_copy(update={"max_cost_usd": max_cost_usd})})
