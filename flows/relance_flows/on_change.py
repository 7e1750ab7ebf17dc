"""Reindexing when a source changes: take in what the events say, and only that.

Many events become few runs: Prefect keeps every event, so a run takes in all that were sent until it looks, and while
one is at work a single other one waits for its turn.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed

from relance.config import IndexSpec
from relance.errors import RejectedError
from relance.events.change import Change
from relance.events.handled import Handled
from relance.pipeline.report import Report
from relance.store import open_store
from relance_flows.form import Amount, field
from relance_flows.hooks import HOOKS
from relance_flows.ingest import outcome, sync
from relance_flows.main_path import RUNNER
from relance_flows.names import after_change, name_change
from relance_flows.registry import find_spec, name_of
from relance_flows.sentence import readable
from relance_tasks.changes import new_changes, others_at_work

__all__ = ["ingest_on_change"]

FLOW = "ingest-on-change"
LOCK_WAIT_S = 3600.0
POLL_S = 1.0

INDEX = "Name of the index that changed, or path of its spec."
PAYLOAD = 'JSON such as {"changed": ["docs/a.md"], "removed": []}; empty: look at all documents.'


def run_name() -> str:
    """Name a run by numbers, until it knows whether the documents may be named."""
    parameters = flow_run.parameters
    return after_change(said(name_of(parameters["index"]) or "no index", parameters["payload"]))


@flow(name=FLOW, flow_run_name=run_name, task_runner=RUNNER, persist_result=False, **HOOKS)
@readable
async def ingest_on_change(
    index: str = field("Index", "", INDEX),
    payload: str = field("What changed", "", PAYLOAD),
    event: str = field("Event", "", "Id of the event that set this run off, if one did."),
    occurred: str = field("Occurred", "", "When that was."),
    # An event is stored some seconds after it has set off a run: Prefect's flush interval is five.
    settle_s: Amount = field("Settle", 7.0, "Seconds from the first look for more changes to the last one."),
) -> dict[str, Any] | State[Any]:
    """Bring in sync the documents that change events name.

    Set off by `relance.source.changed` events, which `relance watch`, `relance emit` and `relance webhook` send.
    """
    spec = await find_spec(index)
    if not await my_turn(index):
        return Completed(name="Coalesced", message="a run that waits already will take this change in, too")
    handled = Handled(open_store(spec), spec.name)
    moments = {event: moment(occurred)} if event else {}
    change: Change | None = said(index, payload)
    await name_change(change, spec)
    if event and not await asyncio.to_thread(handled.new, moments):
        change = None  # the run that this one waited for has taken it in
    reports: list[Report] = []
    settled = time.monotonic() + settle_s
    try:
        while True:
            if change is not None:
                reports.append(await take_in(spec, change))
                await asyncio.to_thread(handled.add, moments)
            elif time.monotonic() > settled:
                break
            else:
                await asyncio.sleep(POLL_S)
            change, moments = await new_changes(index, handled)
    except RejectedError as rejected:
        return Cancelled(message=str(rejected))
    if not reports:
        return Completed(name="Nothing left", message="another run has taken this change in already")
    return outcome(max(reports, key=lambda report: report.failed))


async def take_in(spec: IndexSpec, change: Change) -> Report:
    """Look at the documents a change names, or at all of them."""
    get_run_logger().info("%s", change)
    uris = () if change.everything else (*change.changed, *change.removed)
    return await sync(spec, only=uris, wait_s=LOCK_WAIT_S)


async def my_turn(index: str) -> bool:
    """Wait until no earlier run of this flow is at work on the index; False where another waits already.

    What that one has not looked for yet, it will: it begins to look when the run before it has ended.
    """
    async with get_client() as client:
        me = await client.read_flow_run(flow_run.id)
    while earlier := await others_at_work(FLOW, index, me):
        if len(earlier) > 1:
            return False
        await asyncio.sleep(POLL_S)
    return True


def said(index: str, payload: str) -> Change:
    """Read the payload of an event; what cannot be read means: look at everything."""
    try:
        values = json.loads(payload)
    except ValueError:
        values = {}
    return Change.of_event({"resource": {"relance.index": index}, "payload": values})


def moment(occurred: str) -> datetime:
    """Read when an event occurred; now, if it does not say."""
    try:
        at = datetime.fromisoformat(occurred)
    except ValueError:
        return datetime.now(UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
