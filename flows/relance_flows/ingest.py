"""The main path: discover → load → chunk → embed → upsert → report, for the texts of an index, then for its media.

Deployed as the module entrypoint `relance_flows.ingest.ingest`; `relance ingest SPEC` runs it in its own process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed
from prefect.task_runners import ThreadPoolTaskRunner

from relance.config import IndexSpec
from relance.errors import RetryableError, StoppedError
from relance.index import Index
from relance.pipeline.batch import Batch
from relance.pipeline.loss import note_decision
from relance.pipeline.modalities import combine, modality_runs
from relance.pipeline.report import Report
from relance.pipeline.run import Ingestion
from relance.telemetry.start import start_telemetry
from relance_flows.form import INDEX, Amount, Approval, Mode, field
from relance_flows.hooks import HOOKS
from relance_flows.names import after_index
from relance_flows.registry import find_spec
from relance_tasks.approve import RejectedError, approve
from relance_tasks.chunk import chunk
from relance_tasks.discover import discover
from relance_tasks.embed_media import embed_media
from relance_tasks.embed_text import embed_text
from relance_tasks.fill import fill
from relance_tasks.load import load
from relance_tasks.progress import Progress
from relance_tasks.report import finish, show_plan, show_report
from relance_tasks.upsert import upsert

__all__ = ["ingest", "sync"]

Chain = list[PrefectFuture[int]]

# A task that waits for the one before it holds its thread: room for every stage of every batch in flight.
RUNNER: Any = ThreadPoolTaskRunner(max_workers=4 * 64)

MODE = "incremental: what changed; full: read all documents again; plan only: what it would do and cost."
BUDGET = "The run ends before it spends more; 0: as the index says."
APPROVAL = "Where the index's limits want a person's: ask: pause for it; given: you give it now; refuse: end instead."


def run_name() -> str:
    """Name a run for people: `handbook`, or `handbook (full)`."""
    parameters = flow_run.parameters
    mode = parameters.get("mode", "incremental")
    return after_index() + ("" if mode == "incremental" else f" ({mode})")


@flow(name="ingest", flow_run_name=run_name, task_runner=RUNNER, persist_result=False, **HOOKS)
async def ingest(
    index: str = field("Index", "", INDEX),
    mode: Mode = field("Mode", "incremental", MODE),
    only: list[str] = field("Only these documents", [], "Uris such as docs/handbook.md; none means all."),
    max_cost_usd: Amount = field("Budget in US dollars", 0.0, BUDGET),
    approval: Approval = field("Approval", "ask", APPROVAL),
    wait_s: Amount = field("Wait (seconds)", 0.0, "How long to wait for another run on the same index."),
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
        report = await sync(spec, full=mode == "full", only=only, approval=approval, wait_s=wait_s)
    except RejectedError as rejected:
        return Cancelled(message=str(rejected))
    return outcome(report)


async def sync(spec: IndexSpec, *, full: bool = False, only: Sequence[str] = (),
                        approval: Approval = "ask", wait_s: float = 0.0) -> Report:  # fmt: skip
    """Go through the stages for every part of the index.

    Raises RejectedError if a person says no, and ApprovalNeededError where none may be asked.
    """
    start_telemetry()
    reasons: list[str] = []
    if approval == "given":
        await asyncio.to_thread(Index(spec).check_budget, full=full, only=only)
    else:
        reasons = await approve(spec, full=full, only=only, ask=approval == "ask")
    reports = []
    approved = approval == "given" or bool(reasons)
    for part in modality_runs(spec, full=full, only=only, wait_s=wait_s, approved=approved):
        with part as run:
            note_decision(run.report, reasons if not reports else ())
            await result(discover.submit(run))
            if run.embedding.batched:
                await result(fill.submit(run))
            await all_batches(run)
            reports.append(await result(finish.submit(run)))
    report = combine(reports)
    show_report(report, spec)
    return report


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


async def all_batches(run: Ingestion) -> None:
    """Send the batches through the stages, a bounded number at a time."""
    in_flight: deque[tuple[Batch, Chain]] = deque()
    progress = Progress(run)
    try:
        for batch in run.batches():
            in_flight.append((batch, start(run, batch)))
            if len(in_flight) >= run.spec.limits.batches_in_flight:
                await settle(run, *in_flight[0])
                in_flight.popleft()
                await progress.show()
        while in_flight:
            await settle(run, *in_flight[0])
            in_flight.popleft()
            await progress.show()
    except BaseException:
        run.handle.stop.set()  # batches already under way end at their next request
        for _, chain in in_flight:
            await asyncio.to_thread(chain[-1].wait)
        raise


def start(run: Ingestion, batch: Batch) -> Chain:
    """Submit the stages of one batch, each waiting for the one before it."""
    chain: Chain = []
    for stage in (load, chunk, embed_media if run.media else embed_text, upsert):
        chain.append(stage.submit(run, batch, return_state=False, wait_for=chain[-1:]))  # ty: ignore[no-matching-overload]
    return chain


async def settle(run: Ingestion, batch: Batch, chain: Chain) -> None:
    """Wait for a batch; one the provider would not serve is left for the next run, worse ends this one."""
    try:
        for future in chain:
            await result(future)
    except (RetryableError, StoppedError) as error:
        run.abandon(batch, error)


async def result(future: PrefectFuture[Any]) -> Any:
    """Wait for a task without holding up the event loop."""
    return await asyncio.to_thread(future.result)
