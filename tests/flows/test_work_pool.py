"""`engine: work-pool`: flow runs of a process worker take batches from the run that directs them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.settings import get_current_settings

from relance.errors import ConfigurationError
from relance.index import Index
from relance_flows.ingest import ingest

POOL = "workers-of-tests"


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A process worker on a pool of its own; returns the file in which the fake provider logs requests."""
    log = tmp_path / "requests.jsonl"
    monkeypatch.setenv("RELANCE_FAKE_LOG", str(log))
    monkeypatch.setenv("RELANCE_FAKE_DELAY_S", "0.3")
    environment = os.environ | get_current_settings().to_environment_variables(exclude_unset=True)

    async def make_pool() -> None:
        async with get_client() as client:
            if POOL not in {pool.name for pool in await client.read_work_pools()}:
                await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))

    asyncio.run(make_pool())
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
    with (tmp_path / "worker.log").open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        yield log
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def rows(index: Index) -> list[dict[str, Any]]:
    columns = ["id", "uri", "text", "seq", "tokens", "vector"]
    found = index.table().search().where("active").select(columns).limit(None).to_arrow()
    return sorted(found.to_pylist(), key=lambda row: row["id"])


def declared(tmp_path: Path, store: str, **engine: Any) -> Path:
    spec = tmp_path / f"{store}.yaml"
    spec.write_text(json.dumps({
        "name": f"pool-{store}", "sources": [{"type": "files", "root": "./docs"}], "chunking": {"max_tokens": 64},
        "embedding": {"model": "fake/hash"}, "store": {"uri": f"./{store}"}, "limits": {"batch_documents": 4},
        "engine": engine,
    }))  # fmt: skip
    return spec


def fill(docs: Path) -> None:
    for at in range(60):
        words = " ".join(f"word{at}x{n % 37}" for n in range(400))
        (docs / f"{at:03}.md").write_text(f"# Note {at}\n\n{words}\n", encoding="utf-8")


@pytest.mark.e2e  # it starts a worker, and waits a minute for its flow runs
@pytest.mark.timeout(600)
@pytest.mark.long
def test_two_workers_of_a_pool_write_the_same_rows_though_one_is_killed(
    tmp_path: Path, docs: Path, worker: Path
) -> None:
    fill(docs)
    here = Index(declared(tmp_path, "here"))
    here.ingest()
    worker.unlink()
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + 300
        while not killed and time.monotonic() < deadline:
            lines = worker.read_text(encoding="utf-8").splitlines() if worker.exists() else []
            pids = {json.loads(line)["pid"] for line in lines if line.endswith("}")} - {os.getpid()}
            if len(pids) > 1 or (pids and len(lines) > 2):
                killed.append(pids.pop())
                os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.05)

    murderer = threading.Thread(target=kill, daemon=True)
    murderer.start()
    spec = declared(tmp_path, "there", name="work-pool", workers=2, address=POOL)
    flow: Any = ingest
    state = asyncio.run(flow(index=str(spec), return_state=True))
    murderer.join()
    assert killed
    assert state.name == "Completed"
    assert rows(Index(spec)) == rows(here)
    assert not list((tmp_path / "there" / ".relance").glob("relance-staging-*"))


def test_a_pool_that_is_not_there_is_one_sentence(tmp_path: Path, docs: Path) -> None:
    (docs / "a.md").write_text("Some text.", encoding="utf-8")
    spec = declared(tmp_path, "nowhere", name="work-pool", address="no-such-pool")
    flow: Any = ingest
    with pytest.raises(ConfigurationError, match=r"engine\.address: .* no work pool 'no-such-pool'"):
        asyncio.run(flow(index=str(spec)))
