"""Deployments that serve any index, by its name or by the path of its spec; `prefect.yaml` declares the same ones."""

from __future__ import annotations

from typing import Any

from prefect.deployments.runner import EntrypointType, RunnerDeployment
from prefect.events import DeploymentEventTrigger
from prefect.schedules import Cron

from relance import __version__
from relance.events.change import EVENT
from relance_flows.analyze import anomalies, classify, cluster, duplicates, recommend
from relance_flows.doctor import doctor
from relance_flows.evaluate import evaluate
from relance_flows.ingest import ingest
from relance_flows.maintain import maintain
from relance_flows.on_change import ingest_on_change
from relance_flows.reembed import reembed
from relance_operate.answers import answered
from relance_operate.bootstrap import POOL
from relance_operate.deployments import CHANGE_PARAMETERS
from relance_operate.new_index import new_index

__all__ = ["deploy_shared", "shared_deployments"]

# The index of an event that does not name it in its payload is the resource the event is about.
_INDEX = "{{ event.payload.index | default(event.resource.id | replace('relance.index.', '')) }}"


def shared_deployments() -> list[RunnerDeployment]:
    """Declare them: none belongs to an index, so only what looks after all deployed ones has a schedule."""
    changed = DeploymentEventTrigger(
        name="relance: an index without a deployment of its own changed",
        expect={EVENT},
        match={"prefect.resource.id": "relance.index.*", "relance.deployment": "shared"},
        parameters={"index": {"__prefect_kind": "jinja", "template": _INDEX}, **CHANGE_PARAMETERS},
    )
    return [
        _declare(ingest, "manual", parameters={"wait_s": 3600.0}),
        _declare(new_index, "manual"),
        _declare(ingest_on_change, "changes", triggers=[changed]),
        _declare(maintain, "scheduled", schedules=[Cron("30 4 * * *", timezone="UTC", slug="nightly")]),
        _declare(doctor, "scheduled", schedules=[Cron("15 5 * * 0", timezone="UTC", slug="weekly")]),
        _declare(reembed, "manual", parameters={"wait_s": 3600.0}),
        *(_declare(flow, "manual") for flow in (evaluate, cluster, classify, anomalies, duplicates, recommend)),
    ]


@answered
async def deploy_shared() -> list[str]:
    """Register them; returns their names, such as `ingest/ingest`."""
    names = []
    for deployment in shared_deployments():
        await deployment.aapply()
        names.append(f"{deployment.flow_name}/{deployment.name}")
    return names


def _declare(flow: Any, queue: str, **more: Any) -> RunnerDeployment:
    return flow.to_deployment(
        name=flow.name, tags=["relance"], version=__version__, work_pool_name=POOL, work_queue_name=queue,
        entrypoint_type=EntrypointType.MODULE_PATH, **more, _sync=True,
    )  # fmt: skip
