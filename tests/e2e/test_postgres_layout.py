"""The server as infra/compose.yaml runs it: API and services apart, on PostgreSQL and Redis, behind a password."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from tests.e2e.services import free_port, postgres_server, redis_server, stopped
from tests.e2e.stack import Stack, wait_until

from relance.index import Index

ROOT = Path(__file__).parents[2]
AUTH = ("admin", "a password of this test")
START_S = 120.0


@dataclass(slots=True)
class Layout:
    """The API at a port, a client of it, and a way to stop and start it again."""

    port: int
    client: httpx.Client
    restart: Callable[[], None]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Generator[Layout]:
    """Migrate, then start API and services with the very variables of compose.yaml."""
    pytest.importorskip("prefect_redis", reason="prefect-redis is not installed (extra cluster)")
    folder = tmp_path_factory.mktemp("server")
    with ExitStack() as stack:
        postgres = urlsplit(stack.enter_context(postgres_server()))
        redis = stack.enter_context(redis_server())
        port = free_port()
        replaced = {
            "${POSTGRES_PASSWORD:?is missing in infra/.env}": str(postgres.password),
            "${PREFECT_AUTH:?is missing in infra/.env}": ":".join(AUTH),
            "${PREFECT_UI_API_URL:-http://127.0.0.1:4200/api}": f"http://127.0.0.1:{port}/api",
            "redis://redis:6379": redis,
        }

        def start(service: str) -> subprocess.Popen[bytes]:
            declared = yaml.safe_load((ROOT / "infra" / "compose.yaml").read_text(encoding="utf-8"))["services"][
                service
            ]
            variables: dict[str, str] = declared["environment"]
            for name, value in variables.items():
                for old, new in replaced.items():
                    variables[name] = variables[name].replace(old, new)
                assert "${" not in variables[name], f"{name}={value} is not replaced"
            variables |= {
                "PREFECT_SERVER_DATABASE_HOST": "127.0.0.1",
                "PREFECT_SERVER_DATABASE_PORT": str(postgres.port),
                "PREFECT_HOME": str(folder / "prefect"),
            }
            command = declared["command"].replace("0.0.0.0", "127.0.0.1").replace("4200", str(port)).split()
            others = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
            log = stack.enter_context((folder / service).open("wb"))
            return subprocess.Popen(
                [sys.executable, "-m", *command], env=others | variables, cwd=folder, stdout=log, stderr=log
            )

        migration = start("migrate")
        assert migration.wait(START_S) == 0, (folder / "migrate").read_text(encoding="utf-8")
        processes = {name: stack.enter_context(stopped(start(name))) for name in ("server", "services")}
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}/api", trust_env=False, timeout=30))

        def ready() -> bool:
            for name, process in processes.items():
                assert process.poll() is None, (folder / name).read_text(encoding="utf-8")
            try:
                return client.get("/ready").status_code == 200
            except httpx.TransportError:
                return False

        def restart() -> None:
            processes["server"].terminate()
            processes["server"].wait(START_S)
            processes["server"] = stack.enter_context(stopped(start("server")))
            until(ready)

        until(ready)
        yield Layout(port, client, restart)


@pytest.fixture
def server(layout: Layout) -> httpx.Client:
    """A client of the API."""
    return layout.client


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_an_event_that_the_api_takes_sets_off_a_run_in_the_services(server: httpx.Client) -> None:
    def post(path: str, content: object) -> httpx.Response:
        return server.post(path, json=content, auth=AUTH).raise_for_status()

    flow = post("/flows/", {"name": "ingest-on-change"}).json()["id"]
    deployment = post("/deployments/", {"name": "handbook", "flow_id": flow}).json()["id"]
    trigger = {
        "type": "event",
        "posture": "Reactive",
        "expect": ["relance.source.changed"],
        "match": {"prefect.resource.id": "relance.index.handbook"},
        "threshold": 1,
        "within": 0,
    }
    action = {"type": "run-deployment", "source": "selected", "deployment_id": deployment, "parameters": {}}
    post("/automations/", {"name": "handbook changed", "trigger": trigger, "actions": [action]})

    def runs() -> list[dict[str, object]]:
        return post("/flow_runs/filter", {}).json()

    def changed() -> bool:
        # Services learn of a new automation by Redis, too: what came before they did sets off nothing.
        event = {
            "id": str(uuid.uuid4()),
            "event": "relance.source.changed",
            "occurred": datetime.now(UTC).isoformat(),
            "resource": {"prefect.resource.id": "relance.index.handbook"},
            "payload": {"index": "handbook", "everything": True},
        }
        post("/events", [event])
        deadline = time.monotonic() + 5
        while not runs() and time.monotonic() < deadline:
            time.sleep(0.1)
        return bool(runs())

    assert not runs()
    until(changed)
    assert {run["deployment_id"] for run in runs()} == {deployment}


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_nothing_but_health_is_told_without_the_password(server: httpx.Client) -> None:
    assert server.get("/health").status_code == 200
    assert server.post("/flow_runs/filter", json={}).status_code == 401
    assert server.post("/flow_runs/filter", json={}, auth=("admin", "another")).status_code == 401
    assert server.post("/block_documents/filter", json={"include_secrets": True}).status_code == 401


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_run_goes_on_while_the_api_is_restarted_and_events_set_off_others(
    layout: Layout, declare: Callable[..., Path], tmp_path: Path
) -> None:
    spec = declare("clustered", documents=30)
    stack = Stack(tmp_path / "home", layout.port, auth=AUTH)
    stack.environment["RELANCE_FAKE_DELAY_S"] = "12"  # long enough for the API to go and come back
    stack.up(str(spec))
    try:
        assert "(running already)" in stack.said()
        run_id = stack.create_run("ingest/clustered", index="clustered")
        stack.wait_for(run_id, "RUNNING")
        wait_until(lambda: stack.ask("POST", "/task_runs/count", json={"flow_runs": {"id": {"any_": [run_id]}}}) >= 3)
        layout.restart()
        ended = stack.wait_for(run_id, timeout=180)
        assert ended["state"]["type"] == "COMPLETED", ended["state"]
        assert Index(spec).status().documents == 30

        (tmp_path / "docs" / "new.md").write_text("The weir of Chalon is open.", encoding="utf-8")
        assert stack.run("emit", "clustered", "--changed", "docs/new.md").returncode == 0
        wait_until(lambda: Index(spec).status().documents == 31, timeout=180)
    finally:
        assert stack.down() == 0, stack.said()
        stack.close()
