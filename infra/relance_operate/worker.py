"""The Prefect worker type `relance`: a process worker whose next flow run finds its imports done.

A process imports Prefect, LanceDB and the flows (2 CPU-seconds) while it waits; a run takes it, and another starts.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import runpy
import signal
import sys
import sysconfig
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from tempfile import TemporaryDirectory
from typing import Any

import anyio.to_thread
from anyio.abc import TaskStatus
from prefect.client.schemas.objects import FlowRun
from prefect.flows import load_flow_from_flow_run
from prefect.logging import get_logger
from prefect.runner._flow_run_executor import FlowRunExecutorContext
from prefect.runner._process_manager import ProcessHandle
from prefect.settings import get_current_settings
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult

__all__ = ["MODULES", "RelanceWorker", "WaitingProcess"]

# What a run imports sooner or later; what is missing here is imported by the run.
MODULES = (
    "prefect.flow_engine", "prefect.task_engine", "prefect.utilities.visualization", "anyio._backends._asyncio",
    "opentelemetry.metrics", "relance_flows.ingest", "relance_flows.on_change", "relance.embedding.runtime",
    "relance.sources.files", "relance.parsers.html", "relance.chunkers.markdown", "lancedb", "pyarrow.dataset",
    "relance.embedding.providers.wordllama", "safetensors", "tokenizers",
)  # fmt: skip
IMPORT_AFTER_S = 5.0  # the run that has just begun needs the processors more than the next one


class RelanceWorker(ProcessWorker):
    """Runs each flow run in a process of its own, which has imported what it needs before the run comes."""

    type = "relance"
    modules: Sequence[str] = MODULES
    _waiting: WaitingProcess

    async def setup(self) -> None:
        """Start the first waiting process, with the settings this worker has from its profile."""
        await super().setup()
        os.environ.update(get_current_settings().to_environment_variables(exclude_unset=True))
        self._waiting = WaitingProcess(self.modules, import_after_s=0.0)

    async def teardown(self, *exc_info: Any) -> None:
        """End the waiting process; that of a killed worker ends by itself."""
        try:
            await super().teardown(*exc_info)
        finally:
            self._waiting.close()

    async def run(
        self, flow_run: FlowRun, configuration: ProcessJobConfiguration, task_status: TaskStatus[int] | None = None
    ) -> ProcessWorkerResult:
        """Run a flow run until its process ends; as Prefect's own worker does if it is configured in any way."""
        own = configuration._command_configured or configuration.working_dir or not configuration.stream_output  # noqa: SLF001
        if own or any(os.environ.get(k) != v for k, v in configuration.env.items() if not k.startswith("PREFECT__")):
            return await super().run(flow_run, configuration, task_status)
        waiting, self._waiting = self._waiting, WaitingProcess(self.modules)
        if not waiting.process.is_alive():
            self._logger.warning("The waiting process ended with status %s; another starts", waiting.process.exitcode)
            waiting.close()
            waiting = WaitingProcess(self.modules)
        try:
            async with FlowRunExecutorContext() as context:
                port, token = context.control_channel.register(flow_run.id)
                control = {"PREFECT__CONTROL_PORT": str(port), "PREFECT__CONTROL_TOKEN": token}
                hooks = {"PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS": "false"}  # they run here
                waiting.environment = configuration.env | control | hooks
                if task_status and waiting.process.pid:
                    task_status.started(waiting.process.pid)
                execution = await context.create_executor(
                    flow_run, waiting, resolve_flow=load_flow_from_flow_run, propose_submitting=False
                ).submit()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(waiting.close)
        if execution is None or execution.status_code is None:
            raise RuntimeError("the process of the flow run did not start")
        return ProcessWorkerResult(status_code=execution.status_code, identifier=str(waiting.process.pid))


class WaitingProcess:
    """A process in an empty folder that waits for one flow run, runs it, and ends."""

    def __init__(self, modules: Sequence[str], import_after_s: float = IMPORT_AFTER_S) -> None:
        self.environment: dict[str, str | None] = {}
        self._folder = TemporaryDirectory(suffix="prefect")
        spawn = multiprocessing.get_context("spawn")  # a pool would hide pid and exit code, which Prefect judges by
        self._connection, theirs = spawn.Pipe()
        self.process = spawn.Process(target=wait_for_run, args=(theirs, self._folder.name, modules, import_after_s))
        self.process.start()
        theirs.close()

    async def start(self, flow_run: FlowRun, task_status: TaskStatus[Any] = anyio.TASK_STATUS_IGNORED) -> None:  # noqa: ARG002
        """Give it a flow run by its environment, and wait for its end (Prefect's protocol of a starter)."""
        await anyio.to_thread.run_sync(self._connection.send, self.environment)
        task_status.started(ProcessHandle(self.process))
        while self.process.is_alive():  # noqa: ASYNC110  # an event could come from a thread for each run only
            await anyio.sleep(0.1)

    def close(self) -> None:
        """End the process if it has not ended, and remove its folder."""
        self.process.terminate()
        self.process.join(5.0)  # for a run to say that it ends, when the worker stops
        self.process.kill()
        self.process.join()
        self._connection.close()
        self._folder.cleanup()


def wait_for_run(connection: Connection, folder: str, modules: Sequence[str], import_after_s: float) -> None:
    """Import what runs need, wait for one, and run it as `python -m prefect.engine` does."""
    began, interrupt = time.time(), signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's business
    os.chdir(folder)
    sys.path[0] = folder
    for name in () if connection.poll(import_after_s) else modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # the run that needs it says so where people look
            get_logger("worker").warning("importing %s failed: %s: %s", name, type(error).__name__, error)
    try:
        os.environ.update(connection.recv())
    except EOFError:  # the worker has ended
        return
    signal.signal(signal.SIGINT, interrupt)
    if _code_changed(since=began):
        os.execv(sys.executable, [sys.executable, "-m", "prefect.engine"])  # noqa: S606  # our own interpreter, anew
    del sys.argv[1:]
    sys.modules.pop("prefect.engine", None)  # imported as a library; it is the program now
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


def _code_changed(since: float) -> bool:
    """Whether an imported file of a checkout changed, or any package was installed, which changes the folder of all."""
    packages = sysconfig.get_path("purelib")
    files = {getattr(module, "__file__", None) or packages for module in list(sys.modules.values())}
    own = (file for file in files if file == packages or not file.startswith(packages))
    return any(not os.path.exists(file) or os.stat(file).st_ctime > since for file in own)  # noqa: PTH110, PTH116
