"""The main path: discover → load → chunk → embed → upsert → report, for the texts of an index, then for its media.

Deployed as the module entrypoint `flows.ingest.ingest`; `relance ingest SPEC` runs it in its own process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed
from prefect.task_runners import ThreadPoolTaskRunner

from relance.batch import Batch
from relance.errors import RetryableError, StoppedError
from relance.index import Index
from relance.ingestion import Ingestion
from relance.parts import combine, parts
from relance.spec_file import load_spec
from tasks.chunk import chunk
from tasks.discover import discover
from tasks.embed_media import embed_media
from tasks.embed_text import embed_text
from tasks.fill import fill
from tasks.load import load
from tasks.report import finish, show_plan, show_report
from tasks.upsert import upsert

__all__ = ["ingest"]

Mode = Literal["incremental", "full", "plan"]
Chain = list[PrefectFuture[int]]

# A task that waits for the one before it holds its thread: room for every stage of every batch in flight.
RUNNER: Any = ThreadPoolTaskRunner(max_workers=4 * 64)


@flow(
    name="ingest",
    flow_run_name="ingest {spec}",
    task_runner=RUNNER,
    persist_result=False,
)
async def ingest(
    spec: str = "index.yaml",
    mode: Mode = "incremental",
    only: list[str] = [],  # noqa: B006  # a literal default is what a UI form can show; it is never changed
    wait_s: float = 0.0,
) -> dict[str, Any] | State[Any]:
    """Bring an index in step with its sources.

    Args:
        spec: Path of the index file (or of the folder with an index.yaml), on the machine that runs the flow.
        mode: incremental touches what changed, full reads every document again, plan only tells.
        only: Uris of documents to look at; empty means all.
        wait_s: Seconds to wait for another run on the same index before giving up.
    """
    declared = load_spec(spec)
    full = mode == "full"
    if mode == "plan":
        plan = await asyncio.to_thread(Index(declared).plan, only=only)
        show_plan(plan)
        return plan.as_dict()
    await asyncio.to_thread(Index(declared).check_budget, full=full, only=only)

    reports = []
    for part in parts(declared, full=full, only=only, wait_s=wait_s):
        with part as run:
            await result(discover.submit(run))
            if run.embedding.mode == "batch":
                await result(fill.submit(run))
            await all_batches(run)
            reports.append(await result(finish.submit(run)))
    report = combine(reports)

    show_report(report)
    if report.status == "completed":
        return report.as_dict()
    failed = report.failed + (report.media.failed if report.media else 0)
    return Completed(name=report.status.title(), message=f"{failed} failures", data=report.as_dict())


async def all_batches(run: Ingestion) -> None:
    """Send the batches through the stages, a bounded number at a time."""
    in_flight: deque[tuple[Batch, Chain]] = deque()
    try:
        for batch in run.batches():
            in_flight.append((batch, start(run, batch)))
            if len(in_flight) >= run.spec.limits.batches_in_flight:
                await settle(run, *in_flight[0])
                in_flight.popleft()
        while in_flight:
            await settle(run, *in_flight[0])
            in_flight.popleft()
    except BaseException:
        run.control.stop.set()  # batches already under way end at their next request
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
