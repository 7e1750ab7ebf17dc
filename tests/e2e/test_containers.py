"""The image is built and every role runs in it: command line, Compose file with its demonstration, Kubernetes manifests.

No registry is reached here. What stands in for PostgreSQL, Redis and MinIO is in tests/e2e/standins; for Prometheus and
Grafana (profile `observe`) nothing does.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from docker_compose import docker_compose
from pydantic import SecretStr
from tests.e2e import images, manifests
from tests.e2e.engine import Engine, cleared, find_engine
from tests.e2e.images import COMPOSE, OURS, ROOT
from tests.e2e.services import free_port
from tests.e2e.stack import FINAL, Stack, wait_until

from relance.index import Index
from relance.serve.tokens import digest_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
ACCOUNT = 1000
# As in compose.yaml.
HARDENED = ("--init", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
READY, HEALTHY, SERVES = (
    COMPOSE["services"][name]["healthcheck"]["test"][1:] for name in ("server", "webhook", "serve")
)


@dataclass(slots=True)
class Made:
    """An engine with our image; the others may still be in the making."""

    engine: Engine
    standins: Future[None]


@pytest.fixture(scope="module")
def made() -> Generator[Made]:
    """Make the images that are not there or are made from something else: 3 to 5 minutes on two cores."""
    with cleared(find_engine()) as engine, ThreadPoolExecutor() as pool:
        images.make_python(engine)
        standins = pool.submit(images.make_standins, engine)
        images.make_relance(engine)
        yield Made(engine, standins)


@pytest.fixture(scope="module")
def engine(made: Made) -> Engine:
    return made.engine


@pytest.fixture
def indexes(tmp_path: Path) -> Path:
    """The examples in a folder that belongs to the account of the image."""
    return copied_examples(tmp_path)


def copied_examples(folder: Path) -> Path:
    copy = folder / "indexes"
    shutil.copytree(ROOT / "examples", copy, ignore=shutil.ignore_patterns("lancedb"))
    for path in [copy, *copy.rglob("*")]:
        os.chown(path, ACCOUNT, ACCOUNT)
    return copy


# The image


def test_the_image_is_the_wheel_its_libraries_and_nothing_of_this_machine(engine: Engine) -> None:
    [image] = json.loads(engine.podman("image", "inspect", OURS))
    [base] = json.loads(engine.podman("image", "inspect", images.PYTHON))
    assert image["Config"]["User"] == f"{ACCOUNT}:{ACCOUNT}"
    assert image["Size"] - base["Size"] < 1_250_000_000
    assert "/run/host" not in json.dumps(image)
    assert not any(name in json.dumps(image["Config"]) for name in ("PIP_", "UV_", "SSL_"))
    code = "import relance_flows, relance_operate, relance_tasks, relance; print(relance_flows.__path__[0])"
    assert engine.podman("run", "--rm", OURS, "python", "-c", code).startswith("/opt/relance/lib/")
    left = r"find / -xdev \( -path /build -o -path /app -o -name uv -o -path '*/relance/*/tests' -o -name '*.pyx' \) -print"
    assert engine.podman("run", "--rm", "--user", "0", OURS, "sh", "-c", left) == ""
    assert "\nlancedb==" in engine.podman("run", "--rm", OURS, "cat", "/opt/relance/requirements.txt")


# The command line


@pytest.mark.parametrize("account", [f"{ACCOUNT}:{ACCOUNT}", "54321:0"])
def test_the_command_line_indexes_a_mounted_folder(engine: Engine, indexes: Path, account: str) -> None:
    if account.endswith(":0"):  # a random account of the group root, as OpenShift has it
        engine.run("chgrp", "--recursive", "0", indexes)
        engine.run("chmod", "--recursive", "g=u", indexes)

    def relance(*arguments: str) -> str:
        options = [*HARDENED, "--network", "none", "--user", account, "--volume", f"{indexes}:/indexes"]
        return engine.podman("run", "--rm", *options, OURS, "relance", *arguments)

    assert "45 added" in relance("ingest", "handbook", "--direct")
    assert "45 unchanged" in relance("ingest", "handbook")
    assert "remote-work" in relance("search", "handbook", "Who may work from home?")
    assert "cluster" in relance("cluster", "handbook")


def test_the_emulator_embeds_texts_pictures_and_a_film(engine: Engine, indexes: Path) -> None:
    # Containers of a pod share 127.0.0.1, where the gallery expects the emulator.
    engine.podman("pod", "create", "--name", "gallery")
    options = ["--pod", "gallery", *HARDENED[1:], "--volume", f"{indexes}:/indexes"]
    serve = ["relance", "emulator", "--files", "gallery"]
    engine.podman("run", "--detach", "--name", "emulator", *options, OURS, *serve)
    wait_until(lambda: "serving" in engine.podman("logs", "emulator"), what=lambda: engine.podman("logs", "emulator"))
    options += ["--env", "DASHSCOPE_BASE_URL=http://127.0.0.1:8765/api/v1", "--env", "DASHSCOPE_API_KEY=sk-any"]
    said = engine.podman("run", "--rm", *options, OURS, "relance", "ingest", "gallery", "--direct")
    assert "gallery: completed" in said
    assert "failed" not in said
    engine.podman("pod", "rm", "--force", "--time", "0", "gallery")


# Kubernetes


def test_podman_plays_the_manifests(engine: Engine, tmp_path: Path) -> None:
    password, port = secrets.token_hex(16), free_port()
    auth = f"admin:{password}"
    engine.podman("tag", OURS, manifests.IMAGE)
    engine.podman("network", "create", "kubernetes")
    server = ["--name", "server", "--network-alias", "prefect-server.prefect.svc.cluster.local"]
    server += ["--publish", f"127.0.0.1:{port}:4200", "--env", f"PREFECT_SERVER_API_AUTH_STRING={auth}", *HARDENED]
    start = ["prefect", "server", "start", "--host", "0.0.0.0"]
    engine.podman("run", "--detach", "--network", "kubernetes", *server, OURS, *start)
    filled = dict.fromkeys(("DASHSCOPE_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "any")
    filled |= {"PREFECT_API_AUTH_STRING": auth, "RELANCE_WEBHOOK_SECRET": secrets.token_hex(16)}
    filled |= {"RELANCE_SERVE_TOKENS": tokens(secrets.token_hex(16)), "RELANCE_METRICS_TOKEN": ""}
    for name, content in manifests.secrets(**filled):
        (tmp_path / name).write_text(content, encoding="utf-8")
        engine.podman("secret", "create", name, tmp_path / name)

    def play(*files: str) -> None:
        listed = [*manifests.config_maps(), *(each for file in files for each in manifests.objects(file))]
        path = tmp_path / "manifests.yaml"
        path.write_text(yaml.safe_dump_all(listed), encoding="utf-8")
        engine.podman("kube", "play", "--network", "kubernetes", path)

    def exit_code(container: str) -> str:
        return engine.podman("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", container).strip()

    stack = Stack(tmp_path / "home", port, auth=("admin", password))
    wait_until(lambda: engine.run("podman", "exec", "server", *READY).returncode == 0, what=lambda: logs(engine))
    play("bootstrap.yaml")
    wait_until(lambda: exit_code("relance-bootstrap-deploy") == "exited 0", what=lambda: logs(engine))
    pool = stack.ask("GET", "/work_pools/relance")
    assert pool["type"] == "kubernetes"
    assert pool["base_job_template"]["variables"]["properties"]["image"]["default"] == manifests.IMAGE
    assert stack.deployment("ingest/documents") is not None

    play("storage.yaml", "webhook.yaml", "serve.yaml", "worker.yaml", "network.yaml")
    webhook, serve, worker = (f"relance-{name}-pod-0-{name}" for name in ("webhook", "serve", "worker"))
    wait_until(lambda: engine.run("podman", "exec", webhook, *HEALTHY).returncode == 0, what=lambda: logs(engine))
    wait_until(lambda: engine.run("podman", "exec", serve, *SERVES).returncode == 0, what=lambda: logs(engine))
    wait_until(lambda: "Worker" in engine.podman("logs", worker), what=lambda: logs(engine))
    stack.close()
    engine.clear()  # the tests below have two cores to themselves


# Compose


@dataclass(slots=True)
class Running:
    """What `docker compose up` has started."""

    engine: Engine
    stack: Stack
    indexes: Path
    webhook: httpx.Client
    api: httpx.Client

    def state(self, service: str, *, ended: bool) -> dict[str, Any] | None:
        """State of a service's container, None if it has not come so far."""
        state = json.loads(self.engine.podman("inspect", f"relance-{service}-1"))[0]["State"]
        return state if state["Status"] == "exited" or not ended else None

    def inside(self, service: str, *command: str) -> str:
        return self.engine.podman("exec", f"relance-{service}-1", *command)


@pytest.fixture(scope="module")
def running(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """Start the whole Compose file with its demonstration, by Docker Compose itself, on podman's API."""
    folder = tmp_path_factory.mktemp("compose")
    folder.chmod(0o755)
    indexes, password = copied_examples(folder), secrets.token_hex(16)
    api, webhook, serve, token = free_port(), free_port(), free_port(), secrets.token_urlsafe(32)
    (folder / "ports.yaml").write_text(
        f"""services:
  server: {{ports: !override ["127.0.0.1:{api}:4200"]}}
  webhook: {{ports: !override ["127.0.0.1:{webhook}:8080"]}}
  serve: {{ports: !override ["127.0.0.1:{serve}:8790"]}}
  emulator: {{ports: !reset []}}
  minio: {{ports: !reset []}}
""",
        encoding="utf-8",
    )
    settings = {
        name: secrets.token_hex(16)
        for name in ("POSTGRES_PASSWORD", "RELANCE_WEBHOOK_SECRET", "NOTIFY_SECRET", "STORE_SECRET", "GRAFANA_PASSWORD")
    }
    settings |= {"PREFECT_AUTH": f"admin:{password}", "RELANCE_SPECS": "/indexes/handbook /demo"}
    settings |= {"RELANCE_INDEXES": str(indexes), "RELANCE_SERVE_TOKENS": tokens(token)}
    made.standins.result()
    files = ("--file", ROOT / "infra" / "compose.yaml", "--file", folder / "ports.yaml", "--env-file", os.devnull)
    command = (docker_compose(), *files, "--profile", "demo", "--profile", "serve")
    with made.engine.api(folder / "podman.sock") as host:
        settings["DOCKER_HOST"] = host
        try:
            done = made.engine.run(*command, "up", "--detach", environment=settings)
            assert done.returncode == 0, done.stderr + logs(made.engine)
            stack = Stack(folder / "home", api, auth=("admin", password))
            with (
                httpx.Client(base_url=f"http://127.0.0.1:{webhook}", trust_env=False) as hooks,
                httpx.Client(base_url=f"http://127.0.0.1:{serve}", trust_env=False) as client,
            ):
                client.headers["authorization"] = f"Bearer {token}"
                yield Running(made.engine, stack, indexes, hooks, client)
            stack.close()
        finally:
            made.engine.run(*command, "down", "--volumes", "--timeout", "5", environment=settings)


def tokens(token: str) -> str:
    """The text of a file of tokens that has one."""
    return json.dumps({"tokens": [{"name": "test", "sha256": digest_of(SecretStr(token))}]})


def logs(engine: Engine) -> str:
    names = engine.podman("ps", "--all", "--format", "{{.Names}}").split()
    said = ((name, engine.run("podman", "logs", "--tail", "20", name)) for name in names)
    return "".join(f"\n== {name}\n{done.stdout}{done.stderr}" for name, done in said)


def test_compose_starts_all_and_what_runs_once_succeeds(running: Running) -> None:
    wanted = {name: each for name, each in COMPOSE["services"].items() if each.get("profiles") != ["observe"]}
    for name, service in wanted.items():
        once = service["restart"] == "no"
        state = wait_until(
            lambda name=name, once=once: running.state(name, ended=once), what=lambda: logs(running.engine)
        )
        assert (state["Status"], state["ExitCode"]) == ("exited" if once else "running", 0), name + logs(running.engine)
        assert not service.get("healthcheck") or state["Health"]["Status"] == "healthy", name


def test_compose_answers_nobody_without_the_password(running: Running) -> None:
    assert httpx.post(f"{running.stack.page}/api/flow_runs/filter", json={}, trust_env=False).status_code == 401
    assert running.webhook.post("/s3/documents", json={"Records": []}).status_code == 401
    assert running.webhook.get("/health").status_code == 200


def test_a_run_from_the_form_indexes_the_mounted_folder_on_the_worker(running: Running) -> None:
    run = running.stack.wait_for(running.stack.create_run("ingest/handbook", index="handbook"))
    assert run["state"]["type"] == "COMPLETED", run["state"]["message"] + logs(running.engine)
    # The machine itself sees the same index, and so does the API.
    assert Index(running.indexes / "handbook").status().documents == 45
    found = running.api.post("/v1/indexes/handbook/search", json={"query": "parental leave"}).raise_for_status().json()
    assert found["hits"], found
    assert running.api.get("/v1/indexes", headers={"authorization": "Bearer nobody"}).status_code == 401
    assert running.webhook.get("/metrics").status_code == 404
    read = "import urllib.request as web; print(web.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
    assert "relance_index_up" in running.inside("webhook", "python", "-c", read)


def test_an_object_put_into_the_bucket_is_found(running: Running) -> None:
    host = "http://$MINIO_ROOT_USER:$MINIO_ROOT_PASSWORD@127.0.0.1:9000"
    put = ["sh", "-c", f"echo 'The canteen closes at two.' | MC_HOST_demo={host} mc pipe demo/documents/canteen.md"]

    def found() -> bool:
        # An event sets off nothing until the services have learnt of the deployment, some seconds after it was made.
        running.inside("minio", *put)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if any(run["state"]["type"] in FINAL for run in running.stack.runs_of("ingest-on-change/documents")):
                return True
            time.sleep(0.5)
        return False

    wait_until(found, what=lambda: logs(running.engine))
    run = running.stack.runs_of("ingest-on-change/documents")[0]
    assert run["state"]["type"] == "COMPLETED", run["state"]["message"] + logs(running.engine)
    assert "canteen.md" in running.inside("worker", "relance", "search", "/demo", "When does the canteen close?")
