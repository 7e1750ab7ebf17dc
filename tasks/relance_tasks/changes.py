"""What sources have said since an index last listened: Prefect's events are the ledger."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventOrder, EventResourceFilter
from prefect.events.schemas.events import ReceivedEvent

from relance.events.change import EVENT, Change, merge
from relance.events.handled import OVERLAP, Handled

__all__ = ["new_changes", "others_at_work"]

_PAGE = 50  # the most the server gives at once
Moments = dict[str, datetime]


async def new_changes(index: str, handled: Handled) -> tuple[Change | None, Moments]:
    """Gather the events an index has not taken in; returns them merged, and each one's id and moment."""
    since = await asyncio.to_thread(handled.since)
    found = {str(event.id): event for event in await _events(index, since)}
    fresh = await asyncio.to_thread(handled.new, {key: event.occurred for key, event in found.items()})
    events = sorted((found[key] for key in fresh), key=lambda event: event.occurred)
    if not events:
        return None, {}
    change = merge(Change.of_event(_plain(event)) for event in events)
    return change, {str(event.id): datetime.fromisoformat(event.occurred.isoformat()) for event in events}


async def others_at_work(flow: str, index: str, me: FlowRun) -> list[FlowRun]:
    """List the runs of a flow over an index that were created before this one and have not ended."""
    active = [StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING]
    async with get_client() as client:
        runs = await client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=active))),
        )
    same = [run for run in runs if run.parameters.get("index") == index]
    return [run for run in same if _age(run) < _age(me)]


def _age(run: FlowRun) -> tuple[datetime, str]:
    assert run.created is not None  # noqa: S101  # what the server returns has been created
    return run.created, str(run.id)


async def _events(index: str, since: datetime) -> list[ReceivedEvent]:
    wanted = EventFilter(
        occurred=EventOccurredFilter(since=since, until=datetime.now(UTC) + OVERLAP),
        event=EventNameFilter(name=[EVENT]),
        resource=EventResourceFilter(id=[f"relance.index.{index}"]),
        order=EventOrder.ASC,
    )
    async with get_client() as client:
        page = await client.read_events(wanted, limit=_PAGE)
        events = list(page.events)
        while page.next_page:
            page = await client.read_events_page(str(page.next_page))
            events += page.events
    return events


def _plain(event: ReceivedEvent) -> dict[str, object]:
    return {"resource": dict(event.resource.root), "payload": event.payload}
