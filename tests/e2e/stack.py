"""What `relance up` has brought up, as a test sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

__all__ = ["CHECKOUT", "Stack", "wait_until"]

CHECKOUT = Path(__file__).parents[2]
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


class Stack:
    """What `relance up` has brought up, as a test sees it: the command line and the server's API."""

    def __init__(self, home: Path, port: int, auth: tuple[str, str] | None = None, *,
                 relance: Sequence[str] = (sys.executable, "-m", "relance.cli.main"),
                 folder: Path = CHECKOUT) -> None:  # fmt: skip
        """Prepare to run the command `relance` in a folder; `auth` is the server's user and password."""
        self.home, self.port, self.relance, self.folder = home, port, relance, folder
        self.page = f"http://127.0.0.1:{port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "COV_"))}
        self.environment = kept | {"PREFECT_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "200"}
        if auth:
            self.environment["PREFECT_API_AUTH_STRING"] = ":".join(auth)
        self._client = httpx.Client(base_url=f"{self.page}/api", trust_env=False, timeout=60, auth=auth)
        self.log = home / "up.log"
        self.process: subprocess.Popen[bytes] | None = None

    def up(self, *more: str) -> None:
        """Run `relance up` until it says that it stays."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [*self.relance, "up", "--port", str(self.port), *more], cwd=self.folder,
                env=self.environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 300
        while "Ctrl-C" not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.2)

    def down(self) -> int:
        """Stop it as Ctrl-C does; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(90)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def run(self, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run a relance command against this server."""
        environment = self.environment | {"PREFECT_API_URL": f"{self.page}/api"}
        return subprocess.run([*self.relance, *arguments], env=environment, timeout=timeout,
                              capture_output=True, text=True, check=False, cwd=self.folder)  # fmt: skip

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a relance command that stays, with more in its environment."""
        environment = self.environment | {"PREFECT_API_URL": f"{self.page}/api", "PYTHONUNBUFFERED": "1"} | environment
        return subprocess.Popen([*self.relance, *arguments], env=environment, cwd=self.folder,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip

    def ask(self, method: str, path: str, **options: Any) -> Any:
        response = self._answer(method, path, **options)
        assert response.status_code < 300, response.text
        return response.json() if response.content else None

    def deployment(self, name: str) -> dict[str, Any] | None:
        response = self._answer("GET", f"/deployments/name/{name}")
        return response.json() if response.status_code == 200 else None

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask until there is an answer: SQLite under load answers 503 or late, and every client of Prefect tries again."""
        for attempt in range(20):
            try:
                response = self._client.request(method, path, **options)
                if response.status_code != 503:
                    break
            except httpx.TransportError:
                if attempt == 19:
                    raise
            time.sleep(0.5 * (attempt + 1))
        return response

    def create_run(self, deployment: str, **parameters: Any) -> str:
        """Start a run as the form of the UI does; returns its id."""
        found = self.deployment(deployment)
        assert found is not None, deployment
        run = self.ask("POST", f"/deployments/{found['id']}/create_flow_run",
                       json={"parameters": parameters, "state": {"type": "SCHEDULED"}})  # fmt: skip
        return run["id"]

    def runs_of(self, deployment: str) -> list[dict[str, Any]]:
        found = self.deployment(deployment)
        assert found is not None, deployment
        wanted = {"deployments": {"id": {"any_": [found["id"]]}}, "limit": 200, "sort": "EXPECTED_START_TIME_ASC"}
        return self.ask("POST", "/flow_runs/filter", json=wanted)

    def read_run(self, run_id: str) -> dict[str, Any]:
        return self.ask("GET", f"/flow_runs/{run_id}")

    def wait_for(self, run_id: str, *types: str, timeout: float = 240) -> dict[str, Any]:
        """Wait until a run is in one of these types of state (default: has ended)."""
        wanted = set(types) or FINAL
        return wait_until(lambda: run if (run := self.read_run(run_id))["state"]["type"] in wanted else None,
                          timeout=timeout, what=lambda: self.read_run(run_id)["state"])  # fmt: skip

    def states(self, run_id: str) -> dict[str, str]:
        """Return when a run came into each of its states."""
        states = self.ask("GET", "/flow_run_states/", params={"flow_run_id": run_id})
        return {state["name"]: state["timestamp"] for state in states}

    def close(self) -> None:
        self._client.close()


def wait_until(found: Callable[[], Any], *, timeout: float = 180, what: Callable[[], Any] = lambda: "") -> Any:
    """Ask again and again until there is something to return."""
    deadline = time.monotonic() + timeout
    while not (value := found()):
        assert time.monotonic() < deadline, what()
        time.sleep(0.25)
    return value
