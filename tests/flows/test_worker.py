"""The worker type `relance`: a run in a process that has waited for it is what it is in one of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.settings import get_current_settings
from prefect.states import Cancelling
from prefect.workers.base import BaseWorker

from relance_operate.worker import MODULES, RelanceWorker

FLOWS = """
import json, multiprocessing, os, signal, sys, time
from pathlib import Path
from prefect import flow

@flow
def look(path: str):
    about = {"pid": os.getpid(), "waited": multiprocessing.parent_process() is not None, "folder": os.getcwd(),
             "argv": sys.argv[1:], "first": sys.path[0], "run": os.environ["PREFECT__FLOW_RUN_ID"], "mine": os.getenv("MINE"),
             "main": sys.modules["__main__"].__spec__.name, "modules": sorted(sys.modules),
             "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler}
    Path(path).write_text(json.dumps(about))

@flow
def fail(path: str):
    raise ValueError("as it should")

@flow
def die(path: str):
    os.kill(os.getpid(), signal.SIGKILL)

@flow
def stay(path: str):
    Path(path).write_text(json.dumps({"pid": os.getpid()}))
    time.sleep(120)
"""


pytestmark = pytest.mark.slow  # each starts processes that import Prefect


class Desk:
    """A pool of this type, the flows above as its deployments, and what their runs write."""

    def __init__(self, folder: Path, pool: str) -> None:
        self.pool, self.code, self.path = pool, folder / "code", folder / "about.json"
        self.code.mkdir()
        (self.code / "flows.py").write_text(FLOWS)
        (folder / "relance_ready.py").write_text(f"open({str(folder / 'ready')!r}, 'w').close()")

    async def create(self, flow: str, **job_variables: Any) -> UUID:
        async with get_client() as client:
            if self.pool not in {each.name for each in await client.read_work_pools()}:
                template = RelanceWorker.get_default_base_job_template()
                await client.create_work_pool(
                    WorkPoolCreate(name=self.pool, type="relance", base_job_template=template)
                )
            flow_id = await client.create_flow_from_name(flow)
            deployment = await client.create_deployment(
                flow_id, self.pool, work_pool_name=self.pool, path=str(self.code), entrypoint=f"flows.py:{flow}",
                parameters={"path": str(self.path)}, job_variables=job_variables,
            )  # fmt: skip
            return (await client.create_flow_run_from_deployment(deployment)).id

    async def run(
        self,
        flow: str,
        modules: tuple[str, ...] = (),
        before: Callable[[RelanceWorker], Any] = lambda _: None,
        **job: Any,
    ) -> FlowRun:
        """Let a worker whose process has imported the modules take one run of a flow to its end."""
        run_id = await self.create(flow, **job)
        worker = RelanceWorker(work_pool_name=self.pool)
        worker.modules = (*modules, "relance_ready")
        async with get_client() as client, worker:
            await asyncio.to_thread(
                until, lambda: (self.code.parent / "ready").exists() or not worker._waiting.process.is_alive()
            )
            before(worker)
            await worker.sync_with_backend()
            await worker.get_and_submit_flow_runs()
            while not (run := await client.read_flow_run(run_id)).state.is_final():
                if flow == "stay" and not run.state.is_cancelling() and self.path.exists():
                    await client.set_flow_run_state(run_id, Cancelling())
                await asyncio.sleep(0.2)
        return run

    def about(self) -> dict[str, Any]:
        return json.loads(self.path.read_text())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    environment = dict(os.environ)  # which the worker completes by its settings
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)  # nohup has it ignored, which children inherit
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.chdir(tmp_path)  # where the worker puts the code of a flow for the hooks of a crashed run
    yield Desk(tmp_path, uuid4().hex)
    signal.signal(signal.SIGINT, interrupt)
    os.environ.clear()
    os.environ.update(environment)


def until(true: Callable[[], Any], within_s: float = 120.0) -> Any:
    """Wait for something to be true."""
    deadline = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def children(pid: int | None = None) -> set[int]:
    """Processes below one that are alive, without multiprocessing's own tracker."""
    found = [each for each in psutil.Process(pid).children(recursive=True) if each.status() != psutil.STATUS_ZOMBIE]
    return {each.pid for each in found if "resource_tracker" not in " ".join(each.cmdline())}


def test_prefect_finds_the_type_by_its_name() -> None:
    assert BaseWorker.get_worker_class_from_type("relance") is RelanceWorker


def test_a_run_finds_its_imports_done_and_everything_else_as_in_a_process_of_its_own(desk: Desk) -> None:
    before = children()
    run = asyncio.run(desk.run("look", MODULES))
    assert run.state.type == "COMPLETED", run.state
    about = desk.about()
    assert about["waited"]
    assert str(about["pid"]) == run.infrastructure_pid
    assert set(MODULES) <= set(about["modules"]), "every module is there"
    assert (about["run"], about["argv"], about["main"]) == (str(run.id), [], "prefect.engine")
    assert about["folder"] == about["first"] != str(Path.cwd())
    assert not Path(about["folder"]).exists()
    assert about["interrupt"] == (signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    assert children() <= before, "nothing is left behind"


@pytest.mark.parametrize(("flow", "state", "message"), [("fail", "FAILED", "as it should"), ("die", "CRASHED", "-9")])
def test_a_run_that_ends_badly_ends_as_in_a_process_of_its_own(desk: Desk, flow: str, state: str, message: str) -> None:
    run = asyncio.run(desk.run(flow))
    assert run.state.type == state
    assert message in str(run.state.message)


@pytest.mark.parametrize(
    "job",
    [
        {"env": {"MINE": "yes"}},
        pytest.param({"working_dir": "/tmp"}, marks=pytest.mark.long),
        pytest.param({"command": f"{sys.executable} -m prefect.engine"}, marks=pytest.mark.long),
    ],
)
def test_a_run_that_is_configured_has_a_process_of_its_own(desk: Desk, job: dict[str, Any]) -> None:
    run = asyncio.run(desk.run("look", **job))
    assert (run.state.type, desk.about()["waited"]) == ("COMPLETED", False), run.state
    assert desk.about()["mine"] == job.get("env", {}).get("MINE")


def test_code_that_changed_since_is_imported_anew(desk: Desk, tmp_path: Path) -> None:
    probe = tmp_path / "relance_probe.py"
    probe.write_text("1")
    run = asyncio.run(desk.run("look", ("relance_probe",), before=lambda _: probe.write_text("1 + 1")))
    assert (run.state.type, desk.about()["waited"]) == ("COMPLETED", False)
    assert str(desk.about()["pid"]) == run.infrastructure_pid
    assert "relance_probe" not in desk.about()["modules"]


def test_what_cannot_be_imported_costs_a_warning(
    desk: Desk, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # `relance ingest`, which another test has run in this process, keeps Prefect quiet in what is started from it, too.
    monkeypatch.setenv("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "WARNING")
    run = asyncio.run(desk.run("look", ("there_is_none",)))
    assert (run.state.type, desk.about()["waited"]) == ("COMPLETED", True)
    assert "importing there_is_none failed: ModuleNotFoundError" in capfd.readouterr().err


def test_a_process_that_dies_while_it_waits_costs_a_warning(
    desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "relance_abort.py").write_text("import os; os.abort()")
    with caplog.at_level(logging.WARNING):
        run = asyncio.run(desk.run("look", ("relance_abort",)))
    assert run.state.type == "COMPLETED"
    assert "The waiting process ended with status -6; another starts" in caplog.text


def test_a_run_is_cancelled(desk: Desk) -> None:
    run = asyncio.run(desk.run("stay"))
    assert run.state.type == "CANCELLED", run.state
    assert not psutil.pid_exists(desk.about()["pid"])


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.long),
        pytest.param(signal.SIGKILL, marks=pytest.mark.long),
    ],
)
def test_a_worker_that_ends_leaves_no_process_waiting_and_none_at_work(desk: Desk, number: signal.Signals) -> None:
    flow = "look" if number == signal.SIGKILL else "stay"  # what is at work then goes on, as with Prefect's own worker
    asyncio.run(desk.create(flow))
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    worker = subprocess.Popen(
        [sys.executable, "-m", "prefect", "worker", "start", "--pool", desk.pool],
        env=os.environ | settings | {"PREFECT_WORKER_QUERY_SECONDS": "1"}, start_new_session=True,
    )  # fmt: skip
    try:
        until(desk.path.exists)
        count = 2 if flow == "stay" else 1
        below = until(lambda: len(found := children(worker.pid)) == count and found)
        worker.send_signal(number)
        worker.wait(60)
        until(lambda: not any(psutil.pid_exists(pid) for pid in below), within_s=30)
    finally:
        worker.kill()
        worker.wait()
