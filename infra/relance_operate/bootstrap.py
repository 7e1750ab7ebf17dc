"""What a Prefect server needs before anything can be deployed: done once, and again without harm."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.variables import Variable
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type

from relance.errors import ConfigurationError
from relance_operate.answers import answered
from relance_operate.automations import automations, keep_automations
from relance_operate.blocks import BLOCKS
from relance_operate.new_spec import INDEXES
from relance_operate.or_none import or_none

__all__ = ["POOL", "QUEUES", "WORKER", "Bootstrapped", "bootstrap", "missing"]

POOL = "relance"
WORKER = "relance"  # the type of worker: `worker` in this package
REMOVED = "python -m relance_operate.warm run"  # what pools of type process were given until this type was there
# Changes wait for nobody, people not for the clock. A lower number goes first.
QUEUES = {"changes": 1, "manual": 2, "scheduled": 3}
# Batches that are embedded at once with one model, over all machines: each uses its share of the model's rates.
# A limit that is there keeps what a person has set it to.
LIMITS = {
    "relance-dashscope-text-embedding-v4-singapore": 4,
    "relance-dashscope-text-embedding-v4-beijing": 4,
    "relance-dashscope-tongyi-embedding-vision-plus-singapore": 4,
}
VARIABLES = {"relance_approval_days": 7}


@dataclass(slots=True)
class Bootstrapped:
    """What had to be made, and the type of the work pool that is there."""

    made: list[str] = field(default_factory=list)
    pool_type: str = ""


@answered
async def bootstrap(*, notify: str = "", pool_type: str = WORKER, indexes: Path | None = None) -> Bootstrapped:
    """Make the work pool with its queues, limits, block types, variables and automations, where they are missing.

    Args:
        notify: `block-type/name` of a notification block that is told of failed and late runs.
        pool_type: of a pool that has to be made: relance (ours), process, docker or kubernetes.
        indexes: folder for the specs that the flow `new-index` writes, absolute; None leaves it as it is.
    """
    done = Bootstrapped()
    async with get_client() as client:
        await _pool(client, pool_type, done)
        for name, limit in LIMITS.items():
            if not await or_none(client.read_global_concurrency_limit_by_name(name)):
                await client.upsert_global_concurrency_limit_by_name(name, limit)
                done.made.append(f"limit {name}")
        for block in BLOCKS:
            if not await or_none(client.read_block_type_by_slug(block.get_block_type_slug())):
                done.made.append(f"block type {block.get_block_type_name()}")
            await block.aregister_type_and_schema(client=client)
        for name, value in VARIABLES.items():
            if await Variable.aget(name) is None:
                await Variable.aset(name, value, tags=["relance"])
                done.made.append(f"variable {name}")
        if indexes is not None and await Variable.aget(INDEXES) != str(indexes):
            await Variable.aset(INDEXES, str(indexes), tags=["relance"], overwrite=True)
            done.made.append(f"variable {INDEXES}")
        notified = await _block_id(client, notify) if notify else None
        done.made += [f"automation {name!r}" for name in await keep_automations(client, notified)]
    return done


@answered
async def missing() -> list[str]:
    """Say what `bootstrap` would have to make."""
    lacking = []
    async with get_client() as client:
        if not await or_none(client.read_work_pool(POOL)):
            lacking.append(f"work pool {POOL}")
        lacking += [
            f"limit {name}" for name in LIMITS if not await or_none(client.read_global_concurrency_limit_by_name(name))
        ]
        for block in BLOCKS:
            if not await or_none(client.read_block_type_by_slug(block.get_block_type_slug())):
                lacking.append(f"block type {block.get_block_type_name()}")
        for each in automations():
            if not await client.read_automations_by_name(each.name):
                lacking.append(f"automation {each.name!r}")
    return lacking


async def _pool(client: PrefectClient, pool_type: str, done: Bootstrapped) -> None:
    pool = await or_none(client.read_work_pool(POOL))
    if pool is None:
        # A server fills it in only when the first worker comes.
        template = await get_default_base_job_template_for_infrastructure_type(pool_type)
        pool = await client.create_work_pool(
            WorkPoolCreate(name=POOL, type=pool_type, base_job_template=template or {})
        )
        done.made.append(f"work pool {POOL}")
    done.pool_type = pool.type
    template = pool.base_job_template
    command = template.get("variables", {}).get("properties", {}).get("command", {})
    if command.get("default") == REMOVED:
        command["default"] = None
        await client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))
        done.made.append(f"command of the work pool {POOL}")
    if not pool.description:
        await client.update_work_pool(POOL, WorkPoolUpdate(description="Runs the flows of relance."))
    queues = {queue.name: queue for queue in await client.read_work_queues(work_pool_name=POOL)}
    for name, priority in QUEUES.items():
        if name not in queues:
            await client.create_work_queue(name=name, work_pool_name=POOL, priority=priority)
            done.made.append(f"work queue {POOL}/{name}")
        elif queues[name].priority != priority:
            await client.update_work_queue(queues[name].id, priority=priority)


async def _block_id(client: PrefectClient, notify: str) -> UUID:
    slug, _, name = notify.partition("/")
    block = await or_none(client.read_block_document_by_name(name, slug))
    if block is None:
        msg = f"--notify: there is no block {notify!r}; make one in the Prefect UI, and name it like slack-webhook/team"
        raise ConfigurationError(msg)
    return block.id
