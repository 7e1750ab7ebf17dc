"""Searches and runs of async callers: their event loop stays free, and what they cancel is left whole."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from relance.errors import ConfigurationError, InputError
from relance.index import Index
from relance.pipeline.awaitable import awaitable
from relance.pipeline.run_handle import RunHandle

Make = Callable[..., Index]


@pytest.fixture
def many(make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """Forty documents of 30 KB: three batches of 512 KB, one after the other, in requests of 50 ms."""
    monkeypatch.setenv("RELANCE_FAKE_DELAY_S", "0.05")
    for i in range(40):
        lines = "".join(f"It speaks of {i} on line {n}, and of {i * n}.\n" for n in range(800))
        (docs / f"{i}.md").write_text(f"# Note {i}\n\n{lines}", encoding="utf-8")
    return make_index(embedding={"model": "fake/hash", "batch_texts": 50, "max_concurrency": 1},
                      chunking={"max_tokens": 1000},
                      limits={"batches_in_flight": 1})  # fmt: skip


@pytest.fixture
def few(make_index: Make, docs: Path) -> Index:
    (docs / "a.md").write_text("A ferry.\n", encoding="utf-8")
    index = make_index()
    index.ingest()
    return index


class Slow:
    """Something that reads, as long as it is not let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def read(self, value: int, *, times: int = 1) -> int:
        """Return a product, late."""
        assert self.let_go.wait(30)
        return value * times

    aread = awaitable(read)


def test_the_loop_is_free_while_a_thread_works() -> None:
    slow = Slow()

    async def main() -> int:
        reading = asyncio.create_task(slow.aread(7, times=3))
        await asyncio.sleep(0.01)
        assert not reading.done()
        slow.let_go.set()
        return await reading

    assert asyncio.run(main()) == 21


def test_who_cancels_a_search_does_not_wait_for_it() -> None:
    slow = Slow()

    async def main() -> None:
        with anyio.move_on_after(0.05) as scope:
            await slow.aread(7)
        assert scope.cancelled_caught
        slow.let_go.set()

    asyncio.run(main())


def test_async_searches_find_the_same(few: Index) -> None:
    async def main() -> None:
        found = await asyncio.gather(*(few.asearch("ferry", k=1, mode="dense") for _ in range(20)))
        assert all(hits == few.search("ferry", k=1, mode="dense") for hits in found)
        with pytest.raises(InputError, match="the query is empty"):
            await few.asearch("")

    asyncio.run(main())


def test_async_searches_of_pictures_find_the_same(four_colours) -> None:
    index = four_colours.index()

    async def main() -> None:
        assert (await index.aingest()).media is not None
        assert await index.asearch_media("red", k=2) == index.search_media("red", k=2) != []
        assert await index.asearch_both("red") == index.search_both("red")

    asyncio.run(main())


def test_an_async_run_does_what_a_run_does(many: Index) -> None:
    seen = []

    async def main() -> None:
        handle = RunHandle(on_progress=seen.append)
        beats, running = 0, asyncio.create_task(many.aingest(only=[f"docs/{i}.md" for i in range(20)], handle=handle))
        while not running.done():
            beats += 1
            await asyncio.sleep(0.01)
        assert running.result().added == 20
        assert beats > 10

    asyncio.run(main())
    assert seen[-1].documents == 20


@pytest.mark.parametrize("how", ["task", "scope"])
def test_a_run_that_is_cancelled_leaves_whole_documents(many: Index, how: str) -> None:
    begun = threading.Event()

    async def main() -> None:
        handle = RunHandle(on_progress=lambda progress: begun.set() if progress.documents else None)
        async with anyio.create_task_group() as group:
            running = asyncio.create_task(many.aingest(handle=handle)) if how == "task" else None
            if running is None:
                group.start_soon(lambda: many.aingest(handle=handle))
            await asyncio.to_thread(begun.wait, 30)
            if running is None:
                group.cancel_scope.cancel()
                return
            running.cancel()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    asyncio.run(main())
    (run,) = many.runs()
    assert run.status == "stopped", "the run has ended when the cancellation has"
    assert 0 < many.status().documents < 40
    assert many.status().interrupted is None
    read = many.table().search().where("active").select(["uri", "end_char"]).limit(None).to_list()
    ends = {uri: max(row["end_char"] for row in read if row["uri"] == uri) for uri in {row["uri"] for row in read}}
    assert all(end > 25_000 for end in ends.values()), "a document is there whole or not at all"
    report = many.ingest()
    assert (report.status, many.status().documents) == ("completed", 40)
    assert report.added < 40, "what was finished before is not done again"


def test_a_run_that_is_stopped_by_its_handle_reports(many: Index) -> None:
    handle = RunHandle()
    handle.stop.set()
    assert asyncio.run(many.aingest(handle=handle)).status == "stopped"


def test_errors_of_an_async_run_are_those_of_a_run(make_index: Make) -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        asyncio.run(make_index(embedding={"model": "openai/some"}).aingest())
