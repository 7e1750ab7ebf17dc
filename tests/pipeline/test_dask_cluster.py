"""A Dask cluster of other people: what runs there, and what becomes of a run when parts of it die."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from relance.errors import ConfigurationError, RetryableError
from relance.index import Index
from relance.pipeline.engines.dask import Dask

pytest.importorskip("distributed", reason="the extra dask is not installed")
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Generator[Start]:
    """Start a part of a cluster: `scheduler` or `worker`; all are ended with the test."""
    with contextlib.ExitStack() as exits:

        def begin(part: str, *arguments: str) -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "dask", part, "--scheduler-file", str(tmp_path / "scheduler.json")]
            command += ["--host", "127.0.0.1", "--no-dashboard", *arguments]
            log = exits.enter_context((tmp_path / "cluster.log").open("ab"))
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=tmp_path)
            exits.callback(process.wait)
            exits.callback(process.kill)
            return process

        yield begin


@pytest.fixture
def scheduler(start: Start, tmp_path: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A scheduler without workers, and its address."""
    process, deadline = start("scheduler", "--port", "0"), time.monotonic() + 60
    file = tmp_path / "scheduler.json"
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            return process, json.loads(file.read_text(encoding="utf-8"))["address"]
        time.sleep(0.1)
    pytest.fail((tmp_path / "cluster.log").read_text(encoding="utf-8"))


def wait_for_worker(address: str) -> None:
    """Wait until a worker has joined, however busy the machine is: with little patience the engine would give up."""
    with Dask(address=address):
        pass


def submit_to(engine: Dask) -> Any:
    """Return what takes any function for a stage."""
    return engine.submit


WORKER = ("--nworkers", "1", "--nthreads", "1", "--no-nanny")


def test_a_local_folder_is_read_here_and_split_on_a_cluster(
    make_index: Callable[..., Index], docs: Path, start: Start, scheduler: tuple[object, str],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    for at in range(60):
        (docs / f"{at:03}.md").write_text(f"# Note {at}\n\nA text of its own.\n", encoding="utf-8")
    log = tmp_path / "requests.jsonl"
    monkeypatch.setenv("RELANCE_FAKE_LOG", str(log))
    workers = [start("worker", *WORKER) for _ in range(2)]
    engine = {"name": "dask", "address": scheduler[1], "workers": 2}
    index = make_index(store={"uri": "./there"}, limits={"batch_documents": 5}, engine=engine)
    seen: set[Path] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.01):
            seen.update((tmp_path / "there" / ".relance").glob("relance-staging-*"))

    watcher = threading.Thread(target=look)
    watcher.start()
    report = index.ingest()
    ended.set()
    watcher.join()
    assert (report.status, report.added) == ("completed", 60)
    requests = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert {request["pid"] for request in requests} <= {worker.pid for worker in workers}
    assert seen, "workers elsewhere see the store's folder, not this machine's temporary one"
    assert not any(folder.exists() for folder in seen)


def test_an_address_where_nothing_answers_is_one_sentence(make_index: Callable[..., Index], docs: Path) -> None:
    (docs / "a.md").write_text("Some text.", encoding="utf-8")
    for address in ("tcp://127.0.0.1:1", "nonsense://here"):
        index = make_index(engine={"name": "dask", "address": address})
        with pytest.raises(ConfigurationError, match=r"^engine\.address: no Dask scheduler answers at \S+: [^\n]+$"):
            index.ingest()


def test_a_cluster_without_workers_is_one_sentence(scheduler: tuple[object, str]) -> None:
    with pytest.raises(ConfigurationError, match="has no worker after 1 s"), Dask(address=scheduler[1], patience_s=1):
        pass


def test_all_workers_lost_ends_the_wait(start: Start, scheduler: tuple[object, str]) -> None:
    worker = start("worker", *WORKER)
    wait_for_worker(scheduler[1])
    with Dask(address=scheduler[1], patience_s=2) as engine:
        waiting = submit_to(engine)(time.sleep, 60)
        worker.kill()
        with pytest.raises(RetryableError, match="no Dask worker"):
            waiting.result()


def test_a_scheduler_that_goes_away_ends_the_wait(
    start: Start, scheduler: tuple[subprocess.Popen[bytes], str], capfd: pytest.CaptureFixture[str]
) -> None:
    start("worker", *WORKER)
    wait_for_worker(scheduler[1])
    with Dask(address=scheduler[1], patience_s=2) as engine:
        waiting = submit_to(engine)(time.sleep, 60)
        scheduler[0].kill()
        with pytest.raises(RetryableError, match="scheduler"):
            waiting.result()
        with pytest.raises(RetryableError, match="scheduler"):
            submit_to(engine)(time.sleep, 0).result()
    assert capfd.readouterr().err == ""


def test_a_stage_that_raises_its_own_timeout_ends_with_it(start: Start, scheduler: tuple[object, str]) -> None:
    def late() -> None:
        time.sleep(1.5)  # longer than a look
        raise TimeoutError("the source is slow")

    start("worker", *WORKER)
    with Dask(address=scheduler[1]) as engine, pytest.raises(TimeoutError, match="the source is slow"):
        submit_to(engine)(late).result()
