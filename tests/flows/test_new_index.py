"""A new index from the form of the flow `new-index`: what it writes, refuses, asks, deploys and leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from files import put
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.flow_runs import aresume_flow_run
from prefect.variables import Variable

from relance.config.load import load_spec
from relance.errors import ConfigurationError, InputError, SpecError
from relance.index import Index
from relance_flows.registry import registered
from relance_operate.bootstrap import POOL
from relance_operate.deployments import remove
from relance_operate.new_index import new_index
from relance_operate.new_spec import INDEXES, NewSpec, name_after
from relance_operate.or_none import or_none


@pytest.fixture
def indexes(tmp_path: Path, docs: Path) -> Iterator[Path]:
    """A server with a work pool, whose variable names a folder for specs; there are two documents."""
    put(docs / "weir.md", "The weir of Chalon is open.")
    put(docs / "lock.md", "The lock of Gray is shut.")
    folder = tmp_path / "indexes"

    async def prepare() -> bool:
        await Variable.aset(INDEXES, str(folder), overwrite=True)
        async with get_client() as client:
            if await or_none(client.read_work_pool(POOL)):
                return False
            await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
            return True

    async def clean(*, made: bool) -> None:
        await Variable.aunset(INDEXES)
        async with get_client() as client:
            if made:  # other tests count on its absence
                await client.delete_work_pool(POOL)

    made = asyncio.run(prepare())
    yield folder
    asyncio.run(clean(made=made))


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/Staff Handbook/", "staff-handbook"),
        ("s3://company/manuals/", "manuals"),
        ("s3://company", "company"),
        ("https://www.example.org/sitemap.xml", "sitemap"),
        ("https://www.example.org/", "example"),
        ("git+https://host/team/tools.git", "tools"),
        ("postgresql://reader:${PW}@host/shop", "shop"),
        ("~", "index"),
    ],
)
def test_an_index_is_named_after_its_address(address: str, name: str) -> None:
    assert name_after(address) == name


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("postgresql://reader:open-sesame@host/shop", "holds a password"),
        ("https://host/a.xml?token=open-sesame", "holds a password"),
        ("docs", "depends on where the worker is run"),
        ("/data/${NOWHERE_SET}", "the worker has no such variable"),
    ],
)
def test_what_would_show_a_secret_or_cannot_be_found_is_refused(address: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=says) as refused:
        NewSpec(address, "shop").write(tmp_path)
    assert "sesame" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_every_field_stands_in_the_spec_and_secrets_stay_variables(
    tmp_path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(docs / "a.md", "One.")
    monkeypatch.setenv("PLACE", str(docs))
    wanted = NewSpec("${PLACE}", "notes", "fake/hash", schedule="0 3 * * *")
    path = wanted.write(tmp_path / "indexes")
    text = path.read_text(encoding="utf-8")
    assert "${PLACE}" in text
    assert str(docs) not in text
    spec = load_spec(path)
    assert (spec.name, spec.embedding.model) == ("notes", "fake/hash")
    assert spec.schedule is not None
    assert (spec.schedule.cron, spec.schedule.timezone) == ("0 3 * * *", "UTC")
    assert wanted.found == ["found 1 document (1 text/markdown)"]
    blocks = NewSpec(str(docs), "notes", "dashscope/text-embedding-v4", "main", "shared").text(
        tmp_path / "indexes/notes"
    )
    assert "  model: dashscope/text-embedding-v4\n  credentials: main\n" in blocks
    assert "store:\n  block: shared\n" in blocks
    assert NewSpec(str(docs), "my_notes").write(tmp_path / "others").is_file(), "- and _ may be in a name"
    with pytest.raises(ConfigurationError, match="is there already"):
        NewSpec(str(docs), "notes").write(tmp_path / "indexes")
    for wrong, error in ((NewSpec(str(docs), "No Name!"), ConfigurationError), (NewSpec("nonsense://x", "x"), InputError),
                         (NewSpec(str(docs), "x", schedule="never"), SpecError)):  # fmt: skip
        with pytest.raises(error):
            wrong.write(tmp_path / "indexes")
    assert [each.name for each in (tmp_path / "indexes").iterdir()] == ["notes"]


def test_it_is_written_approved_deployed_and_in_sync(indexes: Path, docs: Path) -> None:
    call: Any = new_index
    state = asyncio.run(call(address=str(docs), name="rivers", model="fake/hash", approval="given", return_state=True))
    assert (state.name, state.message) == ("Completed", "2 added; cost $0.0000."), state
    path = indexes / "rivers/index.yaml"
    assert asyncio.run(registered())["rivers"] == str(path)
    assert Index(path).status().documents == 2
    again = asyncio.run(call(address=str(docs), name="rivers", approval="given", return_state=True))
    assert (again.message or "").startswith("An index named 'rivers' is deployed from")
    assert path.exists()
    asyncio.run(remove("rivers"))


def test_nothing_is_left_of_one_that_is_turned_down(indexes: Path, docs: Path) -> None:
    async def paused() -> Any:
        named = FlowRunFilter(name=FlowRunFilterName(any_=["new index canals: manual"]))
        async with get_client() as client:
            for _ in range(240):
                for run in await client.read_flow_runs(flow_run_filter=named):
                    if run.state is not None and run.state.is_paused():
                        return run
                await asyncio.sleep(0.25)
        raise AssertionError("it did not ask")

    async def main() -> Any:
        call: Callable[..., Any] = new_index
        parameters = {"address": str(docs), "name": "canals", "model": "fake/hash"}
        running = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(call(**parameters, return_state=True))))
        run = await paused()
        assert (indexes / "canals/index.yaml").exists()
        await aresume_flow_run(run.id, run_input={"go_on": False})
        return await running

    state = asyncio.run(main())
    assert (state.is_cancelled(), state.message) == (True, "Rejected; nothing of the new index is left.")
    assert list(indexes.iterdir()) == []
    assert "canals" not in asyncio.run(registered())
