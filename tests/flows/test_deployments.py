"""What is registered on a server, without a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import get_client
from prefect.automations import AutomationCore
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.exceptions import ObjectNotFound

from relance.cli.operate import _specs_below
from relance.errors import ConfigurationError, InputError
from relance_operate.automations import automations
from relance_operate.bootstrap import LIMITS, POOL, QUEUES, bootstrap, missing
from relance_operate.deployments import deploy, remove
from relance_operate.registry import find_spec, name_of, registered, variable_name


@pytest.fixture
def declare(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, folder: str = "one", **sections: Any) -> Path:
        declared = {"name": name, "sources": [{"type": "files", "root": "docs"}]}
        path = tmp_path / folder / "index.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(declared | sections), encoding="utf-8")
        return path

    return write


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
    declare: Callable[..., Path],
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
        asyncio.run(deploy(declare("two-parts", "another")))
    assert asyncio.run(remove("two-parts"))["deployments"] == {names[0]: "removed"}
    with pytest.raises(ConfigurationError, match="no index 'two-parts' is deployed"):
        asyncio.run(remove("two-parts"))


@pytest.mark.parametrize(
    ("index", "name"),
    [("handbook", "handbook"), ("examples/handbook", "handbook"), ("/a/b/index.yaml", "b"), ("c/notes.yml", "notes")],
)
def test_people_call_an_index_by_its_name_or_folder(index: str, name: str) -> None:
    assert name_of(index) == name


def test_no_two_indexes_share_a_variable() -> None:
    names = ["a-b", "a_b", "a", "ab", "a-", "a_"]
    assert len({variable_name(name) for name in names}) == len(names)


def test_all_index_files_below_a_folder_are_found(declare: Callable[..., Path], tmp_path: Path) -> None:
    paths = [declare("a", "one"), declare("b", "two")]
    assert _specs_below(tmp_path) == paths
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no index.yaml is below"):
        _specs_below(tmp_path / "empty")
    with pytest.raises(InputError, match="is not a folder"):
        _specs_below(tmp_path / "nowhere")
