"""Automations every server gets: dead runs are marked, and what goes wrong is told to somebody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.automations import AutomationCore
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, DoNothing, SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture

__all__ = ["HEARTBEAT_S", "automations", "keep_automations"]

# A run sends a heartbeat this often (workers are started with it); after three missed ones it counts as crashed.
# The pace and the trigger are the ones Prefect documents for zombie flow runs, six times as quick.
HEARTBEAT_S = 30
_PATIENCE = timedelta(seconds=3 * HEARTBEAT_S)
_RUN = {"prefect.resource.id": "prefect.flow-run.*"}
_OURS: Any = {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.relance"}


def automations(notify: UUID | None = None) -> list[AutomationCore]:
    """Declare them; `notify` is the id of a notification block that is told of what needs a person."""
    subject = "relance: {{ flow_run.name }} {{ flow_run.state.name }}"
    body = "{{ flow.name }}/{{ flow_run.name }}: {{ flow_run.state.message }}\n\n{{ flow_run | ui_url }}"
    tell: list[Any] = (
        [SendNotification(block_document_id=notify, subject=subject, body=body)] if notify else [DoNothing()]
    )
    return [
        AutomationCore(
            name="relance: crash runs that stopped breathing",
            description="A run whose process was killed sends no more heartbeats; without this it would run for ever.",
            tags=["relance"],
            trigger=EventTrigger(
                after={"prefect.flow-run.heartbeat"},
                expect={
                    "prefect.flow-run.heartbeat", "prefect.flow-run.Completed", "prefect.flow-run.Failed",
                    "prefect.flow-run.Cancelled", "prefect.flow-run.Crashed",
                },
                match=_RUN,
                for_each={"prefect.resource.id"},
                posture=Posture.Proactive,
                threshold=1,
                within=_PATIENCE,
            ),
            actions=[ChangeFlowRunState(state=StateType.CRASHED, message="No heartbeat: its process has died.")],
        ),
        AutomationCore(
            name="relance: a run failed",
            description="Failed, crashed or timed out; the next run goes on from where it was.",
            tags=["relance"],
            trigger=_at("prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"),
            actions=tell,
        ),
        AutomationCore(
            name="relance: a run is late",
            description="Nobody has picked it up: is a worker running?",
            tags=["relance"],
            trigger=_at("prefect.flow-run.Late"),
            actions=tell,
        ),
        AutomationCore(
            name="relance: a run takes six hours",
            description="Started, and neither ended nor paused since.",
            tags=["relance"],
            trigger=EventTrigger(
                after={"prefect.flow-run.Running"},
                expect={
                    "prefect.flow-run.Completed", "prefect.flow-run.Failed", "prefect.flow-run.Cancelled",
                    "prefect.flow-run.Crashed", "prefect.flow-run.Paused",
                },
                match=_RUN, match_related=_OURS, for_each={"prefect.resource.id"}, posture=Posture.Proactive,
                threshold=1, within=timedelta(hours=6),
            ),
            actions=tell,
        ),
        AutomationCore(
            name="relance: an event set off no run",
            description="The action of a trigger failed, such as a deployment that is gone.",
            tags=["relance"],
            trigger=EventTrigger(
                expect={"prefect.automation.action.failed"},
                match={"prefect.resource.id": "prefect.automation.*"},
                posture=Posture.Reactive, threshold=1, within=timedelta(0),
            ),
            actions=[
                SendNotification(
                    block_document_id=notify, subject="relance: an event set off no run", body="{{ event.payload }}"
                )
            ] if notify else [DoNothing()],
        ),
    ]  # fmt: skip


def _at(*events: str) -> EventTrigger:
    """Fire whenever one of these happens to a run of ours."""
    return EventTrigger(
        expect=set(events), match=_RUN, match_related=_OURS, posture=Posture.Reactive, threshold=1, within=timedelta(0)
    )


async def keep_automations(client: PrefectClient, notify: UUID | None = None) -> list[str]:
    """Make the automations what they are declared to be; returns the names of those that had to be changed.

    Without `notify`, what an automation does is left as somebody may have edited it.
    """
    changed = []
    for wanted in automations(notify):
        there = await client.read_automations_by_name(wanted.name)
        if there:  # whether it is on, and what it does beside ours, is for people to say
            wanted.enabled = there[0].enabled
            wanted.actions = wanted.actions if notify else there[0].actions
        if there and _same(there[0], wanted):
            continue
        changed.append(wanted.name)
        if there:
            await client.update_automation(there[0].id, wanted)
        else:
            await client.create_automation(wanted)
    return changed


def _same(there: AutomationCore, wanted: AutomationCore) -> bool:
    def plain(automation: AutomationCore) -> dict[str, Any]:
        return automation.model_dump(mode="json", include={"name", "description", "trigger", "actions"},
                                     exclude={"trigger": {"id"}})  # fmt: skip

    def sort(value: Any) -> Any:  # sets come back as lists in any order
        if isinstance(value, dict):
            return {key: sort(child) for key, child in value.items()}
        return sorted((sort(child) for child in value), key=str) if isinstance(value, list) else value

    return sort(plain(there)) == sort(plain(wanted))
