"""The main path as Prefect shows it: each batch from discovery to its commit, and nothing of it afterwards."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from files import put, write
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName, TaskRunFilter, TaskRunFilterFlowRunId
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.flow_runs import aresume_flow_run

from relance.config.load import load_spec
from relance.index import Index
from relance.pipeline.batch import Batch
from relance.pipeline.coordinator import Coordinator
from relance.pipeline.text_reader import TextReader
from relance.sources.files import Files
from relance.store import open_store
from relance.store.lock import hold
from relance_flows.ingest import ingest


async def run_of(folder: Path) -> FlowRun | None:
    """Find the run over the index of a folder."""
    async with get_client() as client:
        named = FlowRunFilter(name=FlowRunFilterName(any_=[f"{folder.name}: manual"]))
        return next(iter(await client.read_flow_runs(flow_run_filter=named)), None)


async def tasks_of(folder: Path) -> list[TaskRun]:
    """Wait until all task runs are recorded."""
    run = await run_of(folder)
    assert run is not None
    async with get_client() as client:
        for _ in range(60):
            of_run = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run.id]))
            found = await client.read_task_runs(task_run_filter=of_run)
            if found and all(each.state is not None and each.state.is_final() for each in found):
                return found
            await asyncio.sleep(0.5)
    raise AssertionError("not recorded")


def test_the_graph_leads_each_batch_from_discovery_to_its_commit(declare: Callable[..., Path], docs: Path) -> None:
    for at in range(12):
        write(docs, f"{at}.md", f"Note {at} is about {at * 7}.")
    spec = declare("graph", limits={"batch_documents": 4})
    assert asyncio.run(ingest(index=str(spec)))["added"] == 12
    tasks = asyncio.run(tasks_of(spec.parent))
    by_id = {each.id: each for each in tasks}
    names = {each.id: each.name for each in tasks}
    stages = ["discover", "load", "chunk", "embed", "commit"]
    assert sorted(name for name in names.values() if name.split()[0] in stages[1:]) == sorted(
        f"{stage} graph {batch}" for stage in stages[1:] for batch in numbers(tasks)
    )
    assert len(numbers(tasks)) == 3
    for task in tasks:
        kind = task.name.split()[0]
        assert "relance" in task.tags
        if kind not in stages[1:]:
            continue
        assert task.empirical_policy.retries == 2
        before = {by_id[each.id].name for given in task.task_inputs.values() for each in given
                  if getattr(each, "id", None) in by_id}  # fmt: skip
        _, index, batch = task.name.split()
        earlier = stages[stages.index(kind) - 1]
        assert f"discover {index}" in before if earlier == "discover" else f"{earlier} {index} {batch}" in before


def numbers(tasks: list[TaskRun]) -> set[str]:
    return {each.name.split()[2] for each in tasks if each.name.startswith("load ")}


def test_batches_are_let_go_once_they_are_committed(
    declare: Callable[..., Path], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(40):
        write(docs, f"{at:02}.md", f"Note {at} is about {at * 7}.")
    spec = declare("many", limits={"batch_documents": 2, "batches_in_flight": 2})
    held: list[int] = []
    commit = Coordinator.commit

    def counted(self: Coordinator, batch: Batch) -> int:
        if batch.number % 5 == 0:  # looking at all objects takes a while
            ours = batch._staging  # batches of other tests may still lie about
            batches = [each for each in gc.get_objects() if type(each) is Batch and each._staging is ours]
            held.append(sum("chunks" in each.tables for each in batches))
        return commit(self, batch)

    monkeypatch.setattr(Coordinator, "commit", counted)
    assert asyncio.run(ingest(index=str(spec)))["added"] == 40
    assert len(held) == 4
    assert min(held) > 0
    assert max(held) <= 6, "those in flight, split and embedded"


def test_a_run_that_waits_for_a_person_looks_at_each_document_once_and_lets_others_write(
    declare: Callable[..., Path], docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(6):
        put(docs / f"{at}.md", f"Note {at} is about {at * 7}.")
    priced = {"model": "fake/hash", "price_per_million_tokens": 1000.0}
    spec = declare("waits", embedding=priced, limits={"approve_above_usd": 0.001, "batch_documents": 2})
    done: list[str] = []
    lock = threading.Lock()
    listing, parsing = Files.list, TextReader.parse

    def note(what: str) -> None:
        with lock:
            done.append(what)

    monkeypatch.setattr(Files, "list", lambda self: (note("listing"), listing(self))[1])
    monkeypatch.setattr(TextReader, "parse", lambda self, content: (note(content.item.uri), parsing(self, content))[1])

    async def paused() -> FlowRun:
        for _ in range(120):
            run = await run_of(spec.parent)
            if run is not None and run.state is not None and run.state.is_paused():
                return run
            await asyncio.sleep(0.25)
        raise AssertionError("it did not ask")

    async def main() -> Any:
        running = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(ingest(index=str(spec)))))
        run = await paused()
        with hold(open_store(load_spec(spec)), "waits"):
            assert Index(spec).status().table is None
        await aresume_flow_run(run.id, run_input={"go_on": True})
        return await running

    report = asyncio.run(main())
    assert (report["added"], report["failed"]) == (6, 0)
    assert sorted(done) == sorted(["listing", *(f"docs/{at}.md" for at in range(6))])
