"""Stopping: no new request is sent, those in flight are waited for, and what is whole is committed."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from files import write
from rows import rows

from relance.config.engine import EngineName
from relance.errors import StoppedError
from relance.index import Index
from relance.pipeline.run_handle import RunHandle

Make = Callable[..., Index]

DOCUMENTS = 200
AT_ONCE = 4


@pytest.fixture
def index(make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """Two hundred documents of one text each in one batch; a request takes 0.3 s and carries five of them."""
    for at in range(DOCUMENTS):
        write(docs, f"{at:03}.md", f"Note {at} says that {at * 7} is not {at + 7}.")
    monkeypatch.setenv("RELANCE_FAKE_DELAY_S", "0.3")
    return make_index(embedding={"model": "fake/hash", "batch_texts": 5, "max_concurrency": AT_ONCE})


def requests(tmp_path: Path) -> list[dict[str, Any]]:
    log = tmp_path / "embedded.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def wait_for(tmp_path: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while len(requests(tmp_path)) < count:
        assert time.monotonic() < deadline, "the run did not begin"
        time.sleep(0.01)


@pytest.mark.parametrize("engine", ["threads", "processes"])
def test_a_run_that_is_stopped_within_a_batch_commits_what_it_bought(
    index: Index, tmp_path: Path, log: Callable[[], list[str]], engine: EngineName
) -> None:
    handle = RunHandle()
    stopped: list[float] = []

    def stop() -> None:
        wait_for(tmp_path, 2 * AT_ONCE + 1)
        handle.stop.set()
        stopped.append(time.time())

    stopper = threading.Thread(target=stop)
    stopper.start()
    report = index.ingest(engine=engine, workers=2 if engine == "processes" else 0, handle=handle)
    stopper.join()
    assert report.status == "stopped"
    assert [each for each in requests(tmp_path) if each["time"] > stopped[0] + 0.5] == []
    bought = len(log())
    assert 0 < bought < DOCUMENTS
    assert (report.added, report.embedded, report.failed) == (bought, bought, 0), "all that came was written"
    assert index.status().documents == bought
    assert index.runs()[0].status == "stopped"
    assert index.ingest().added == DOCUMENTS - bought
    assert len(log()) == len(set(log())) == len(rows(index)) == DOCUMENTS


def test_a_run_that_is_cancelled_commits_what_it_bought(
    index: Index, tmp_path: Path, log: Callable[[], list[str]]
) -> None:
    async def main() -> None:
        run = asyncio.create_task(index.aingest())
        await asyncio.to_thread(wait_for, tmp_path, AT_ONCE + 1)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(main())
    bought = len(log())
    assert index.status().documents == bought < DOCUMENTS
    assert index.ingest().added == DOCUMENTS - bought
    assert len(log()) == len(set(log())) == DOCUMENTS


def test_a_run_that_is_stopped_reads_nothing_more(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relance.pipeline import stages

    for at in range(60):
        write(docs, f"{at:03}.md", f"Note {at} says that {at * 7} is not {at + 7}.")
    handle = RunHandle()
    loaded: list[int] = []
    real = stages.load

    def load(context: Any, batch: Any) -> Any:
        loaded.append(batch.number)
        if len(loaded) == 3:
            handle.stop.set()
        return real(context, batch)

    monkeypatch.setattr(stages, "load", load)
    index = make_index(limits={"batch_documents": 3, "batches_in_flight": 12})
    report = index.ingest(handle=handle)
    assert report.status == "stopped"
    assert len(loaded) == 3
    assert report.failed == 0
    monkeypatch.undo()
    assert index.ingest().status == "completed"
    assert index.status().documents == 60


def test_planning_that_is_stopped_says_so_and_leaves_nothing(index: Index, docs: Path) -> None:
    handle = RunHandle()
    handle.stop.set()
    with pytest.raises(StoppedError):
        index.plan(handle=handle)
    assert index.status().table is None
