"""Everything on one machine: server, what it needs, deployments, worker."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import WorkerFilter, WorkerFilterStatus
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

from relance.errors import ConfigurationError, StoppedError
from relance_operate.answers import answered
from relance_operate.api import LOCAL_API, configured_api, is_healthy
from relance_operate.automations import HEARTBEAT_S
from relance_operate.bootstrap import POOL, WORKER, bootstrap, missing
from relance_operate.deployments import deploy
from relance_operate.or_none import or_none
from relance_operate.processes import Process
from relance_operate.shared_deployments import deploy_shared, shared_deployments

__all__ = ["Up", "check"]

START_S = 180.0
WORKER_QUERY_S = "1"  # ten by default: the longest part of the wait between an event and its run
_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S),
    "PREFECT_WORKER_QUERY_SECONDS": WORKER_QUERY_S,
    # Ours says nothing in the terminal; theirs go into a file.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    # "Finished in state Completed()", four times a batch: what there is to say of tasks stands in the flow's log.
    "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "WARNING",
}


@dataclass(slots=True)
class Up:
    """Brings up what is not running yet, and takes it down again: only what it has started itself."""

    say: Callable[[str], None]
    stopped: threading.Event = field(default_factory=threading.Event)
    address: str = ""
    _exits: ExitStack = field(default_factory=ExitStack)
    _processes: list[Process] = field(default_factory=list)

    def server(self, port: int = 0) -> None:
        """Use the server that is configured or listens already; start one on this machine otherwise.

        Raises ConfigurationError where a configured server elsewhere does not answer, or the port is taken.
        """
        self.address = f"http://127.0.0.1:{port}/api" if port else configured_api() or LOCAL_API
        os.environ["PREFECT_API_URL"] = self.address  # for the processes we start
        self._exits.enter_context(temporary_settings({PREFECT_API_URL: self.address}))
        if is_healthy(self.address):
            self.say(f"server    {self.address} (running already)")
            return
        place = urlsplit(self.address)
        if place.hostname not in {"127.0.0.1", "localhost"}:
            msg = f"the Prefect server {self.address} does not answer; start it, or unset PREFECT_API_URL"
            raise ConfigurationError(msg)
        port = place.port or 80
        if _taken(port):
            msg = f"port {port} is taken by something that is no Prefect server; choose another with --port"
            raise ConfigurationError(msg)
        began = time.monotonic()
        self._go_on()
        self.say(f"starting  the server {self.address}, which takes half a minute the first time")
        command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        process = self._start("server", command, PREFECT_SERVER_UI_API_URL=self.address)
        while not is_healthy(self.address):
            self._wait(process, began)
        self.say(f"server    {self.address} (started in {time.monotonic() - began:.0f} s)")

    def bootstrap(self, *, notify: str = "", pool_type: str = WORKER, indexes: Path | None = None) -> None:
        """Make what the server needs."""
        self._go_on()
        folder = indexes.absolute() if indexes else None
        done = asyncio.run(bootstrap(notify=notify, pool_type=pool_type, indexes=folder))
        made = done.made
        named = ", ".join(made[:3]) + (f" and {len(made) - 3} more" if len(made) > 3 else "")
        self.say(f"bootstrap {f'made {named}' if made else 'nothing was missing'}")
        if done.pool_type != pool_type:
            self.say(
                f"pool      {POOL!r} stays of type {done.pool_type!r}; only runs of type {WORKER!r} find their imports "
                f"done (`prefect work-pool delete {POOL}`, then this again and `relance deploy` of each index)"
            )

    def deployments(self, specs: Sequence[Path] = ()) -> None:
        """Register the deployments that serve any index, and those of the given indexes."""
        self._go_on()
        self.say(f"deployed  {', '.join(name.partition('/')[2] for name in asyncio.run(deploy_shared()))}")
        for spec in specs:
            self._go_on()
            self.say(f"deployed  {', '.join(asyncio.run(deploy(spec))['deployments'])}")

    def worker(self) -> None:
        """Start a worker, unless one is at work."""
        self._go_on()
        if online := asyncio.run(_workers()):
            self.say(f"worker    {online[0]} (running already)")
            return
        began = time.monotonic()
        process = self._start(
            "worker", ["prefect", "worker", "start", "--pool", POOL, "--name", f"relance {socket.gethostname()}"]
        )
        while not asyncio.run(_workers()):
            self._wait(process, began)
        self.say(f"worker    polls the pool {POOL!r} (started in {time.monotonic() - began:.0f} s)")

    def stay(self) -> None:
        """Wait until stopped; raises ConfigurationError if one of the processes ends by itself."""
        while self._processes and not self.stopped.wait(1.0):
            for process in self._processes:
                process.check()

    def down(self) -> None:
        """Stop what was started, the last first."""
        for process in reversed(self._processes):
            process.stop()
            self.say(f"stopped   {process.name}")
        self._processes.clear()
        self._exits.close()

    def _start(self, name: str, command: list[str], **environment: str) -> Process:
        log = PREFECT_HOME.value() / "relance" / f"{name}.log"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # runs start `python`
        process = Process(name, command, log, _ENVIRONMENT | {"PATH": path} | environment)
        self._processes.append(process)
        return process

    def _go_on(self, wait_s: float = 0.0) -> None:
        """Raise StoppedError where a signal has asked to end, so that nothing more is started."""
        if self.stopped.wait(wait_s):
            msg = "stopped before everything was up"
            raise StoppedError(msg)

    def _wait(self, process: Process, began: float) -> None:
        process.check()
        self._go_on(0.3)
        if time.monotonic() - began > START_S:
            msg = f"the {process.name} is not ready after {START_S:.0f} s; see {process.log}"
            raise ConfigurationError(msg)


def check() -> list[str]:
    """Say what is missing, in plain words; an empty list if everything is up."""
    address = configured_api() or LOCAL_API
    if not is_healthy(address):
        return [f"no Prefect server answers at {address}"]
    with temporary_settings({PREFECT_API_URL: address}):
        return asyncio.run(_lacking())


async def _lacking() -> list[str]:
    lacking = await missing()
    async with get_client() as client:
        for each in shared_deployments():
            name = f"{each.flow_name}/{each.name}"
            if not await or_none(client.read_deployment_by_name(name)):
                lacking.append(f"deployment {name}")
    if not await _workers():
        lacking.append(f"a worker for the pool {POOL}")
    return lacking


@answered
async def _workers() -> list[str]:
    async with get_client() as client:
        online = WorkerFilter(status=WorkerFilterStatus(any_=["ONLINE"]))
        workers: Any = await or_none(client.read_workers_for_work_pool(POOL, worker_filter=online))
    return [worker.name for worker in workers or []]


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
