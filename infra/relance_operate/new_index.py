"""A new index from the Prefect UI: its spec is written, planned, approved, deployed, and run for the first time."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_HOME
from prefect.states import Cancelled
from prefect.utilities.urls import url_for
from prefect.variables import Variable

from relance.config.load import load_spec
from relance.errors import ConfigurationError, RejectedError
from relance.pipeline.plan import Preview
from relance.pipeline.report import combine
from relance.pipeline.run import Run
from relance.safe_text import protect_logs
from relance.telemetry.start import start_telemetry
from relance_flows.form import field, filled_in
from relance_flows.ingest import outcome
from relance_flows.main_path import RUNNER, all_parts, at_work
from relance_flows.names import after_new
from relance_flows.registry import registered
from relance_flows.sentence import readable
from relance_flows.work_pool import engine_of
from relance_operate.deployments import check_name, deploy
from relance_operate.new_spec import INDEXES, NewSpec
from relance_tasks.approve import answer
from relance_tasks.engine import PrefectEngine
from relance_tasks.log import run_log
from relance_tasks.report import show_plan, show_report

__all__ = ["new_index"]

ADDRESS = (
    "Where the documents are: a folder of the worker's machine (/data/docs), s3://bucket/prefix, "
    "https://host/sitemap.xml, git+https://host/repository, postgresql://reader:${NAME}@host/database. ${NAME} is a "
    "variable of the worker's environment."
)
NAME = "Small letters, digits, hyphens; empty: after the address."
MODEL = "provider/model, such as local/wordllama (no key), dashscope/text-embedding-v4, openai/text-embedding-3-small."
CREDENTIALS = "Name of a block with the key of the model; empty: the environment has it, or none is needed."
STORE = "Name of a block of type LanceDB Store; empty: a folder beside the spec, on the worker's machine."
SCHEDULE = "Five fields of cron in UTC, such as 0 3 * * *; empty: manual runs and changes only."
APPROVAL = "ask: pause with the plan, before anything is spent; given: go on by itself."


@flow(name="new-index", flow_run_name=after_new, task_runner=RUNNER, persist_result=False)
@readable
async def new_index(  # noqa: PLR0917  # the fields of a form
    address: str = field("Address of the documents", "", ADDRESS),
    name: str = field("Name", "", NAME),
    model: str = field("Model", "local/wordllama", MODEL),
    credentials: str = field("Credentials block", "", CREDENTIALS),
    store: str = field("Store block", "", STORE),
    schedule: str = field("Schedule", "", SCHEDULE),
    approval: Literal["ask", "given"] = field("Approval", "ask", APPROVAL),
) -> dict[str, Any] | State[Any]:
    """Make a new index: look at an address, write the spec, plan, **ask you**, deploy it, run it for the first time.

    The run pauses with the plan and its cost: open it, choose *Resume* in the menu ⋮, turn on *Go on*. Nothing is kept
    of an index that you turn down.
    """
    start_telemetry()
    protect_logs()
    wanted = NewSpec(filled_in(address.strip(), "Address of the documents", ADDRESS), name, model.strip(),
                     credentials.strip(), store.strip(), schedule.strip())  # fmt: skip
    check_name(wanted.name)
    if there := (await registered()).get(wanted.name):
        msg = f"an index named {wanted.name!r} is deployed from {there}; fill in another name"
        raise ConfigurationError(msg)
    path = await asyncio.to_thread(wanted.write, await folder_of_indexes())
    for line in [f"wrote {path}", *wanted.found]:
        run_log().info("%s", line)
    try:
        return await begin(path, wanted, ask=approval == "ask")
    except RejectedError as rejected:
        return Cancelled(message=f"{str(rejected)[:1].upper()}{str(rejected)[1:]}.")
    finally:
        if wanted.name not in await registered():
            await asyncio.to_thread(shutil.rmtree, path.parent)


async def begin(path: Path, wanted: NewSpec, *, ask: bool) -> dict[str, Any] | State[Any]:
    """Plan the index of a spec that was just written, ask, deploy it and bring it in sync.

    Raises RejectedError if the person says no.
    """
    spec = await asyncio.to_thread(load_spec, path)
    engine = await asyncio.to_thread(engine_of, spec)
    run = Run(spec, engine=engine, approved=not ask)
    run.use(PrefectEngine(engine))
    async with at_work(run):
        plan = await asyncio.to_thread(run.plan)
        reasons = [
            f"makes the index **{spec.name}**: `{path}`", f"embeds by `{spec.embedding.model}` into `{spec.store.uri}`",
            *wanted.found,
        ]  # fmt: skip
        if ask:
            with run.aside():
                said = await answer(spec.name, Preview(plan, reasons))
            if not said.go_on:
                msg = "rejected; nothing of the new index is left"
                raise RejectedError(msg)
            run.approved = True
        else:
            show_plan(plan)
        deployed = await deploy(path)
        run_log().info("deployed %s%s", ", ".join(deployed["deployments"]), await _page(f"ingest/{spec.name}"))
        await asyncio.to_thread(all_parts, run)
    report = combine([part.report for part in run.parts])
    show_report(report, spec)
    return outcome(report)


async def folder_of_indexes() -> Path:
    """Return the folder that the server's variable names, else one in the home of Prefect."""
    said: Any = await Variable.aget(INDEXES, default="")
    return Path(str(said)) if said else PREFECT_HOME.value() / "relance" / "indexes"


async def _page(deployment: str) -> str:
    async with get_client() as client:
        found = await client.read_deployment_by_name(deployment)
    url = url_for("deployment", obj_id=found.id)
    return f": {url}" if url else ""
