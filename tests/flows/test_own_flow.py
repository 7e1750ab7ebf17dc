"""Tasks and flows of relance in a flow of somebody else."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from files import write
from prefect import flow, get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterFlowRunId
from prefect.client.schemas.objects import TaskRun
from prefect.runtime import flow_run
from pytest_httpserver import HTTPServer

import relance_flows
from relance.errors import ApprovalNeededError
from relance.index import Index
from relance_flows import ingest_flow
from relance_tasks import ingest_task, plan_task

PROGRAM = Path(__file__).parents[2] / "examples" / "programs" / "download_ingest_notify.py"


@pytest.fixture(scope="module")
def program() -> Any:
    """The example, imported from its file."""
    spec = importlib.util.spec_from_file_location("download_ingest_notify", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_downloads_ingests_and_notifies(
    program: Any, declare: Callable[..., Path], httpserver: HTTPServer
) -> None:
    index = declare(name="own")
    httpserver.expect_request("/ferry.md").respond_with_data("The ferry leaves at nine.")
    httpserver.expect_request("/bridge.md").respond_with_data("The bridge is open.")
    httpserver.expect_request("/chat", json={"text": "own: 2 added, 0 changed, 0 failed"}).respond_with_data("")
    addresses = [httpserver.url_for("/ferry.md"), httpserver.url_for("/bridge.md")]
    assert program.refresh(addresses, index, httpserver.url_for("/chat")) == 2
    httpserver.check_assertions()
    assert Index(index).search("When does the ferry leave?", k=1)[0].uri == "docs/ferry.md"


def test_without_a_download_nothing_is_ingested(
    program: Any, declare: Callable[..., Path], httpserver: HTTPServer
) -> None:
    index = declare(name="without")
    httpserver.expect_request("/gone.md").respond_with_data("", status=404)
    refresh = program.refresh.with_options(name="without")
    program.download.retry_delay_seconds = 0
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        refresh([httpserver.url_for("/gone.md")], index)
    assert Index(index).status().documents == 0


def test_a_task_is_named_and_shows_what_relance_shows(declare: Callable[..., Path], docs: Path) -> None:
    write(docs, "a.md", "The ferry.")
    (docs / "bad.md").write_bytes(bytes(range(256)))
    spec = declare(name="named")

    @flow
    def mine() -> tuple[int, int, int, str]:
        plan = plan_task(spec)
        report = ingest_task(Index(spec), full=True)
        return plan.added, report.added, report.failed, str(flow_run.id)

    planned, added, failed, run = mine()
    assert (planned, added, failed) == (1, 1, 1)
    runs = asyncio.run(_tasks_of(run))
    states = {each.name: each.state.name for each in runs if each.state is not None}
    assert states[f"plan {spec.parent.name}"] == "Completed"
    assert "report named" in states
    assert states["ingest named"] == "Completed"


def test_what_wants_approval_is_not_tried_again(declare: Callable[..., Path], docs: Path) -> None:
    for i in range(12):
        write(docs, f"{i}.md", f"It is about {i}.")
    spec = declare(name="loss")
    Index(spec).ingest()
    for file in docs.glob("*.md"):
        file.unlink()
    write(docs, "0.md", "It is about 0.")

    @flow
    def mine() -> None:
        ingest_task(spec)

    with pytest.raises(ApprovalNeededError, match="would remove 11 of 12 documents"):
        mine()

    @flow
    def mine_approved() -> int:
        return ingest_task(spec, approved=True).removed

    assert mine_approved() == 11


def test_a_flow_of_relance_is_a_part_of_another(declare: Callable[..., Path], docs: Path) -> None:
    write(docs, "a.md", "The ferry.")
    spec = declare(name="part")

    @flow
    async def mine() -> int:
        call: Any = ingest_flow
        return (await call(index=str(spec)))["added"]

    assert asyncio.run(mine()) == 1


def test_each_flow_has_its_name() -> None:
    for name in relance_flows.__all__:
        assert getattr(relance_flows, name).name == name.removesuffix("_flow")
    with pytest.raises(AttributeError, match="no attribute 'ingest_flwo'"):
        relance_flows.ingest_flwo  # noqa: B018  # ty: ignore[missing-attribute]


async def _tasks_of(run: str) -> list[TaskRun]:
    """Return the task runs of a flow run, once the server has recorded how they ended."""
    async with get_client() as client:
        for _ in range(60):
            runs = await client.read_task_runs(
                task_run_filter=TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run]))
            )
            if runs and all(each.state is not None and each.state.is_final() for each in runs):
                return runs
            await asyncio.sleep(0.5)
    raise AssertionError([each.name for each in runs])
