"""An index as deployments: one for manual and scheduled runs, one that changes of its sources set off."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.deployments.runner import EntrypointType, RunnerDeployment
from prefect.events import DeploymentEventTrigger

from relance import __version__
from relance.config import IndexSpec
from relance.config.finding import close
from relance.config.load import find_file, load_spec
from relance.errors import ConfigurationError
from relance.events.change import EVENT
from relance.sources import open_sources
from relance_flows.ingest import ingest
from relance_flows.on_change import FLOW, ingest_on_change
from relance_flows.registry import forget, register, registered
from relance_operate.answers import answered
from relance_operate.bootstrap import POOL
from relance_operate.or_none import or_none

__all__ = ["CHANGE_PARAMETERS", "check_name", "deploy", "remove"]

# What intervals are counted from; without it each deployment would begin anew.
_ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)

# How an event's payload becomes parameters. All are texts, which no event can break: what cannot be read is looked at
# in the run, where a person sees it.
CHANGE_PARAMETERS: dict[str, Any] = {
    "payload": {"__prefect_kind": "jinja", "template": "{{ event.payload | tojson }}"},
    "event": {"__prefect_kind": "jinja", "template": "{{ event.id }}"},
    "occurred": {"__prefect_kind": "jinja", "template": "{{ event.occurred }}"},
}


@answered
async def deploy(path: Path) -> dict[str, Any]:
    """Register what an index needs, and take away what its spec no longer asks for.

    Returns name, spec, the deployments by what was done (made, kept or removed), and a `note` where the name belonged
    to a spec that is not on this machine. Raises ConfigurationError where the server lacks the work pool or does not
    answer, or another spec goes by the name.
    """
    file = (await asyncio.to_thread(find_file, path)).absolute()
    spec = await asyncio.to_thread(load_spec, file)
    async with get_client() as client:
        if not await or_none(client.read_work_pool(POOL)):
            msg = f"the Prefect server has no work pool {POOL!r}; `relance up --bootstrap-only` makes it"
            raise ConfigurationError(msg)
        check_name(spec.name)
        before = await register(spec, file)
        done: dict[str, Any] = {"index": spec.name, "spec": str(file), "deployments": {}}
        if before:
            done["note"] = f"{spec.name} was deployed from {before}, which is not on this machine; it is {file} now"
        for deployment, wanted in ((_by_hand(spec), True), (_on_change(spec), spec.on_change)):
            name = f"{deployment.flow_name}/{spec.name}"
            there = await _id(client, name)
            if wanted:
                await deployment.aapply()
                done["deployments"][name] = "kept" if there else "made"
            elif there:
                await _delete(client, there)
                done["deployments"][name] = "removed"
        done["schedule"] = _told(spec)
    return done


def check_name(index: str) -> None:
    """Raise ConfigurationError for an index whose deployments would replace those that serve any index."""
    if index in {ingest.name, FLOW}:
        msg = f"no index can be deployed as {index!r}: the deployment {index}/{index} serves any index; rename it"
        raise ConfigurationError(msg)


@answered
async def remove(index: str) -> dict[str, Any]:
    """Take an index's deployments away; its tables stay. ConfigurationError if it is not deployed."""
    done: dict[str, Any] = {"index": index, "deployments": {}}
    async with get_client() as client:
        for flow in (ingest.name, FLOW):
            if there := await _id(client, f"{flow}/{index}"):
                await _delete(client, there)
                done["deployments"][f"{flow}/{index}"] = "removed"
    if not await forget(index) and not done["deployments"]:
        meant = close(index, await registered())
        msg = f"no index {index!r} is deployed{f'; did you mean {meant!r}?' if meant else ''}"
        raise ConfigurationError(msg)
    return done


def _by_hand(spec: IndexSpec) -> RunnerDeployment:
    """Run from the form, and by the schedule; one run at a time, the others wait in line."""
    flow: Any = ingest
    deployment = flow.to_deployment(
        name=spec.name,
        parameters={"index": spec.name, "wait_s": 3600.0},
        schedules=[schedule] if (schedule := _schedule(spec)) else [],
        work_queue_name="manual",
        **_shared(spec, limit=1, strategy=ConcurrencyLimitStrategy.ENQUEUE),
        _sync=True,
    )
    return _for_one_index(deployment, spec)


def _on_change(spec: IndexSpec) -> RunnerDeployment:
    """Run when a source says that it changed: one run at work, one in waiting, who comes then is covered by that."""
    trigger = DeploymentEventTrigger(
        name=f"relance: {spec.name} changed",
        expect={EVENT},
        match={"prefect.resource.id": f"relance.index.{spec.name}"},
        parameters={"index": spec.name, **CHANGE_PARAMETERS},
    )
    flow: Any = ingest_on_change
    deployment = flow.to_deployment(
        name=spec.name,
        parameters={"index": spec.name},
        triggers=[trigger],
        work_queue_name="changes",
        **_shared(spec, limit=2, strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
        _sync=True,
    )
    return _for_one_index(deployment, spec)


def _shared(spec: IndexSpec, *, limit: int, strategy: ConcurrencyLimitStrategy) -> dict[str, Any]:
    places = [place.text for source in open_sources(spec) if (place := source.location())]
    sources = "\n".join(f"- `{place}`" for place in places)
    return {
        "description": f"{spec.description or f'The index **{spec.name}**.'}\n\nSources:\n{sources}\n\n"
        f"Model: `{spec.embedding.model}`. Store: `{spec.store.uri}`.",
        "tags": ["relance", f"index:{spec.name}"],
        "version": __version__,
        "work_pool_name": POOL,
        "entrypoint_type": EntrypointType.MODULE_PATH,
        "concurrency_limit": ConcurrencyLimitConfig(limit=limit, collision_strategy=strategy),
    }


def _for_one_index(deployment: RunnerDeployment, spec: IndexSpec) -> RunnerDeployment:
    """Let the form offer this index only."""
    schema = deployment._parameter_openapi_schema  # noqa: SLF001  # what the form is made from, and set nowhere else
    schema.properties["index"]["enum"] = [spec.name]
    schema.properties["index"]["default"] = spec.name
    return deployment


def _schedule(spec: IndexSpec) -> Any:
    if spec.schedule is None:
        return None
    if spec.schedule.cron:
        when: Any = CronSchedule(cron=spec.schedule.cron, timezone=spec.schedule.timezone)
    else:
        every = timedelta(minutes=spec.schedule.every_minutes)
        when = IntervalSchedule(interval=every, anchor_date=_ANCHOR, timezone=spec.schedule.timezone)
    return when


def _told(spec: IndexSpec) -> str:
    if spec.schedule is None:
        return ""
    if spec.schedule.cron:
        return f"{spec.schedule.cron} ({spec.schedule.timezone})"
    return f"every {spec.schedule.every_minutes:g} minutes"


async def _id(client: PrefectClient, name: str) -> UUID | None:
    deployment = await or_none(client.read_deployment_by_name(name))
    return deployment.id if deployment else None


async def _delete(client: PrefectClient, deployment: UUID) -> None:
    await client.delete_resource_owned_automations(f"prefect.deployment.{deployment}")
    await client.delete_deployment(deployment)
