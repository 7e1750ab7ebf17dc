"""What is registered on a server, without a worker."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import get_client
from prefect.automations import AutomationCore
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings
from prefect.variables import Variable

from relance.cli.declare import init
from relance.cli.operate import _specs_below
from relance.errors import ConfigurationError, InputError
from relance.events.registered import variable_of
from relance_flows.registry import find_spec, name_of, registered
from relance_operate.automations import automations
from relance_operate.bootstrap import LIMITS, POOL, QUEUES, bootstrap, missing
from relance_operate.deployments import deploy, remove
from relance_operate.new_index import folder_of_indexes
from relance_operate.shared_deployments import deploy_shared

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def prepared() -> Iterator[None]:
    """A server with everything it needs; before that a deployment says what is missing."""

    async def main() -> None:
        async with get_client() as client:
            with pytest.raises(ObjectNotFound):
                await client.read_work_pool(POOL)
        assert f"work pool {POOL}" in await missing()
        first = await bootstrap()
        assert len(first.made) >= 1 + len(QUEUES) - 1 + len(LIMITS) + len(automations())
        assert (await bootstrap()).made == []
        assert await missing() == []

    async def clean() -> None:
        async with get_client() as client:
            for name in LIMITS:  # other tests count on their absence
                await client.delete_global_concurrency_limit_by_name(name)

    asyncio.run(main())
    yield
    asyncio.run(clean())


@pytest.mark.usefixtures("prepared")
def test_a_person_s_limit_is_kept_and_an_edited_automation_is_put_right() -> None:
    async def main() -> None:
        name = next(iter(LIMITS))
        async with get_client() as client:
            await client.upsert_global_concurrency_limit_by_name(name, 9)
            edited = (await client.read_automations_by_name("relance: a run failed"))[0]
            cancel = {"type": "cancel-flow-run"}
            changes = {"description": "edited", "enabled": False, "actions": [cancel]}
            plain = edited.model_dump(mode="json", exclude={"id", "owner_resource"}) | changes
            await client.update_automation(edited.id, AutomationCore.model_validate(plain))
            assert (await bootstrap()).made == ["automation 'relance: a run failed'"]
            now = (await client.read_automations_by_name("relance: a run failed"))[0]
            assert (now.description, now.enabled, [action.type for action in now.actions]) == (
                edited.description, False, ["cancel-flow-run"],
            )  # fmt: skip
            assert (await client.read_global_concurrency_limit_by_name(name)).limit == 9
            assert (await client.read_work_pool(POOL)).type == "relance"

    asyncio.run(main())


@pytest.mark.usefixtures("prepared")
def test_a_pool_of_an_earlier_version_loses_a_command_that_is_there_no_more() -> None:
    async def main() -> None:
        async with get_client() as client:
            template = (await client.read_work_pool(POOL)).base_job_template
            template["variables"]["properties"]["command"]["default"] = "python -m relance_operate.warm run"
            await client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))
            assert (await bootstrap()).made == ["command of the work pool relance"]
            template = (await client.read_work_pool(POOL)).base_job_template
            assert template["variables"]["properties"]["command"]["default"] is None
            assert (await bootstrap()).made == []

    asyncio.run(main())


@pytest.mark.usefixtures("prepared")
def test_an_index_is_registered_again_without_a_change_and_loses_what_it_no_longer_asks_for(
    declare: Callable[..., Path], tmp_path: Path
) -> None:
    schedule = {"cron": "0 3 * * *", "timezone": "Europe/Paris"}
    path = declare("two-parts", schedule=schedule)
    names = ["ingest/two-parts", "ingest-on-change/two-parts"]

    async def read() -> list[Any]:
        async with get_client() as client:
            found = [await client.read_deployment_by_name(name) for name in names]
            owned = await client.read_automations_by_name("relance: two-parts changed")
        plain = [each.model_dump(mode="json", include={"id", "parameters", "tags", "work_queue_name", "version", "paused",
                 "description", "concurrency_options", "parameter_openapi_schema", "entrypoint"}) for each in found]  # fmt: skip
        return [plain, [(each.schedule, each.active) for each in found[0].schedules], len(owned)]

    assert asyncio.run(deploy(path))["deployments"] == dict.fromkeys(names, "made")
    before = asyncio.run(read())
    assert before[0][0]["parameter_openapi_schema"]["properties"]["index"]["enum"] == ["two-parts"]
    assert (len(before[1]), before[2]) == (1, 1)
    assert asyncio.run(deploy(path))["deployments"] == dict.fromkeys(names, "kept")
    assert asyncio.run(read()) == before
    assert asyncio.run(registered())["two-parts"] == str(path)
    assert asyncio.run(find_spec("two-parts")).name == "two-parts"

    declare("two-parts", on_change=False)
    done = asyncio.run(deploy(path))
    assert (done["deployments"], done["schedule"]) == ({names[0]: "kept", names[1]: "removed"}, "")
    with pytest.raises(ConfigurationError, match="an index named 'two-parts' is deployed from"):
        asyncio.run(deploy(declare("two-parts", folder=tmp_path / "another")))
    moved = declare("two-parts", on_change=False, folder=tmp_path / "elsewhere")
    path.unlink()
    assert f"was deployed from {path}, which is not on this machine" in asyncio.run(deploy(moved))["note"]
    assert asyncio.run(remove("two-parts"))["deployments"] == {names[0]: "removed"}
    with pytest.raises(ConfigurationError, match="no index 'two-parts' is deployed"):
        asyncio.run(remove("two-parts"))


@pytest.mark.usefixtures("prepared")
def test_the_folder_of_new_indexes_is_a_variable(tmp_path: Path) -> None:
    assert asyncio.run(bootstrap(indexes=tmp_path)).made == ["variable relance_indexes"]
    assert asyncio.run(bootstrap()).made == []
    assert asyncio.run(folder_of_indexes()) == tmp_path
    asyncio.run(Variable.aunset("relance_indexes"))


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("name", ["ingest", "ingest-on-change"])
def test_no_index_replaces_what_serves_any_index(declare: Callable[..., Path], name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the deployment {name}/{name} serves any index; rename it"):
        asyncio.run(deploy(declare(name)))
    assert name not in asyncio.run(registered())


@pytest.mark.long
def test_a_server_that_does_not_answer_is_one_sentence(
    declare: Callable[..., Path], run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = "http://127.0.0.1:9/api"
    monkeypatch.setenv("PREFECT_API_URL", nowhere)
    path = declare("nobody-hears")
    with temporary_settings({PREFECT_API_URL: nowhere}):
        for words in (["deploy", path], ["emit", "nobody-hears"], ["watch", path], ["deploy", "--remove", "a"]):
            done = run(*words)
            assert done.code != 0
            assert f"the Prefect server at {nowhere} does not answer" in done.err
            assert len(done.err.strip().splitlines()) == 1
            assert "Traceback" not in done.err


@pytest.mark.usefixtures("prepared")
def test_a_wrong_index_keeps_no_other_from_being_deployed(
    declare: Callable[..., Path], run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong, right = (declare(name, folder=tmp_path / "indexes" / name) for name in ("a-wrong-one", "b-right-one"))
    wrong.write_text(wrong.read_text(encoding="utf-8").replace("sources", "sauces"), encoding="utf-8")
    monkeypatch.setenv("PREFECT_API_URL", str(get_current_settings().api.url))
    done = run("deploy", "--all", tmp_path / "indexes")
    assert done.code == 2
    assert "made    ingest/b-right-one" in done.out
    assert f"{wrong}:" in done.err
    assert "did you mean 'sources'?" in done.err
    assert asyncio.run(registered())["b-right-one"] == str(right)
    asyncio.run(remove("b-right-one"))


@pytest.mark.parametrize(
    ("index", "name"),
    [("handbook", "handbook"), ("examples/handbook", "handbook"), ("/a/b/index.yaml", "b"), ("c/notes.yml", "notes")],
)
def test_people_call_an_index_by_its_name_or_folder(index: str, name: str) -> None:
    assert name_of(index) == name


@pytest.mark.usefixtures("prepared")
def test_an_index_that_is_not_named_is_told_with_those_there_are(declare: Callable[..., Path]) -> None:
    asyncio.run(deploy(declare("here")))
    with pytest.raises(ConfigurationError, match=r"^no index is named: deployed are here, and a path"):
        asyncio.run(find_spec(""))
    with pytest.raises(ConfigurationError, match=r"^there is no index 'nowhere': deployed are here, and no file"):
        asyncio.run(find_spec("nowhere"))
    asyncio.run(remove("here"))


@pytest.mark.usefixtures("prepared")
def test_what_serves_any_index_belongs_to_none_and_prefect_yaml_declares_the_same() -> None:
    names = asyncio.run(deploy_shared())

    async def read() -> list[Any]:
        async with get_client() as client:
            return [await client.read_deployment_by_name(name) for name in names]

    registered = asyncio.run(read())
    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    assert declared["pull"] == []
    assert [each["name"] for each in declared["deployments"]] == [name.partition("/")[2] for name in names]
    for each, wanted in zip(registered, declared["deployments"], strict=True):
        assert (each.entrypoint, each.parameters) == (wanted["entrypoint"], wanted.get("parameters", {}))
        assert (each.work_pool_name, each.work_queue_name) == tuple(wanted["work_pool"].values())
        crons = [(schedule["cron"], schedule["timezone"]) for schedule in wanted.get("schedules", [])]
        assert [(schedule.schedule.cron, schedule.schedule.timezone) for schedule in each.schedules] == crons
        assert not each.pull_steps
        fields = each.parameter_openapi_schema["properties"]
        assert {fields[name]["default"] for name in ("index", "dataset", "labels", "history") if name in fields} <= {""}
    assert [each.name for each in registered if each.schedules] == ["maintain", "doctor"]


@pytest.mark.usefixtures("prepared")
def test_the_file_init_writes_deploys_what_relance_deploy_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["ingest/own", "ingest-on-change/own"]
    kept = {"name", "entrypoint", "parameters", "tags", "work_pool_name", "work_queue_name", "version", "pull_steps",
            "concurrency_options", "global_concurrency_limit"}  # fmt: skip

    async def read() -> list[Any]:
        async with get_client() as client:
            found = [await client.read_deployment_by_name(name) for name in names]
            owned = await client.read_automations_by_name("relance: own changed")
        plain = [each.model_dump(mode="json", include=kept) for each in found]
        for each in plain:
            each["global_concurrency_limit"] = each["global_concurrency_limit"]["limit"]
            each["pull_steps"] = each["pull_steps"] or []
        trigger = {"expect", "match", "for_each", "threshold", "within", "posture"}
        about = [(each.trigger.model_dump(mode="json", include=trigger), each.actions[0].parameters) for each in owned]
        return [*plain, *about]

    monkeypatch.chdir(tmp_path)
    assert init(tmp_path, name="own", prefect=True) == 0
    with pytest.raises(InputError, match="is there already"):
        init(tmp_path, prefect=True)
    environment = os.environ | {"PREFECT_API_URL": str(get_current_settings().api.url)}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all"], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert asyncio.run(registered())["own"] == str(tmp_path / "index.yaml")
    by_prefect = asyncio.run(read())
    assert by_prefect[0]["parameters"]["index"] == "own"
    assert asyncio.run(deploy(tmp_path))["deployments"] == dict.fromkeys(names, "kept")
    assert asyncio.run(read()) == by_prefect
    asyncio.run(remove("own"))


def test_no_two_indexes_share_a_variable() -> None:
    names = ["a-b", "a_b", "a", "ab", "a-", "a_"]
    assert len({variable_of(name) for name in names}) == len(names)


def test_all_index_files_below_a_folder_are_found(declare: Callable[..., Path], tmp_path: Path) -> None:
    paths = [declare("a", folder=tmp_path / "one"), declare("b", folder=tmp_path / "two")]
    assert _specs_below(tmp_path) == paths
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no index.yaml is below"):
        _specs_below(tmp_path / "empty")
    with pytest.raises(InputError, match="is not a folder"):
        _specs_below(tmp_path / "nowhere")
