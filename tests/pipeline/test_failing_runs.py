"""Runs that fail, in every way and anywhere: they end honestly and leave nothing behind, and the next one completes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from by_hand import by_hand
from files import fill, put
from rows import rows

from relance.documents import Ignored, Item
from relance.errors import AccountError, DocumentError, RetryableError
from relance.index import Index
from relance.pipeline import stages
from relance.pipeline.commits import Commits
from relance.pipeline.coordinator import Coordinator
from relance.sources.files import Files
from relance.store.writer import Writer

Make = Callable[..., Index]

ERRORS = [
    RetryableError("later"), AccountError("no such key"), OSError(28, "No space left on device"), MemoryError(),
    ValueError("a plug-in did not foresee this"),
]  # fmt: skip
LIMITS = {"batch_documents": 5, "batches_in_flight": 3}


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread that works for a run outlives it."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5
    while left := [each.name for each in set(threading.enumerate()) - before if each.name.startswith("relance")]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def failing(real: Callable[..., Any], error: BaseException, times: int = 1) -> Callable[..., Any]:
    """Do as `real` does, but fail at the third call."""
    calls: list[object] = []

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if 3 <= len(calls) < 3 + times:
            raise error
        return real(*args, **kwargs)

    return call


def completes(index: Index, make_index: Make, docs: Path) -> None:
    """Check that the next run does what is left, and that nothing holds it up."""
    report = index.ingest()
    assert (report.status, report.failed) == ("completed", 0)
    fresh = make_index(store={"uri": str(docs.parent / "fresh")})
    fresh.ingest()
    assert rows(index, vectors=True) == rows(fresh, vectors=True)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("stage", ["embed", "commit", *by_hand("load", "chunk")])
def test_an_error_in_a_stage_fails_the_run_or_its_batch(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch, stage: str, error: Exception
) -> None:
    fill(docs, 30)
    index = make_index(limits=LIMITS)
    owner: Any = Coordinator if stage == "commit" else stages
    with monkeypatch.context() as patch:
        patch.setattr(owner, stage, failing(getattr(owner, stage), error))
        if isinstance(error, RetryableError):
            report = index.ingest()
            assert (report.status, report.failed, report.added) == ("completed with failures", 5, 25)
            assert {failure.reason for failure in report.failures} == {"later"}
        else:
            with pytest.raises(type(error)):
                index.ingest()
            (run,) = index.runs()
            assert run.status == "failed"
            assert run.report["notes"] == [str(error) or "MemoryError"]
    completes(index, make_index, docs)


@pytest.mark.parametrize("error", [*ERRORS[:2], *by_hand(*ERRORS[2:])], ids=lambda error: type(error).__name__)
def test_an_error_at_the_end_fails_the_run(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fill(docs, 30)
    index = make_index(limits=LIMITS)
    for owner, name in ((Commits, "finish"), (Writer, "publish")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, lambda *_, **__: (_ for _ in ()).throw(error))
            with pytest.raises(type(error)):
                index.ingest()
        assert index.runs()[0].status == "failed"
    completes(index, make_index, docs)


@pytest.mark.parametrize("error", [*ERRORS[:2], *by_hand(*ERRORS[2:])], ids=lambda error: type(error).__name__)
def test_a_listing_that_fails_half_way_fails_the_run_and_removes_nothing(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fill(docs, 60)
    index = make_index(limits=LIMITS)
    real = Files.list

    def half(self: Files) -> Iterator[Item | DocumentError | Ignored]:
        for at, item in enumerate(real(self)):
            if at == 40:
                raise error
            yield item

    for _ in range(2):  # cold, and where something is there
        with monkeypatch.context() as patch:
            patch.setattr(Files, "list", half)
            with pytest.raises(type(error)):
                index.ingest()
        assert index.runs()[0].status == "failed"
    completes(index, make_index, docs)
    with monkeypatch.context() as patch:
        patch.setattr(Files, "list", half)
        with pytest.raises(type(error)):
            index.ingest()
    assert index.status().documents == 60
    completes(index, make_index, docs)


def test_a_cold_run_embeds_while_the_source_is_still_listed(
    make_index: Make, docs: Path, log: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(docs, 100)
    index = make_index(limits=LIMITS)
    real = Files.list
    seen: list[int] = []

    def slow(self: Files) -> Iterator[Item | DocumentError | Ignored]:
        for at, item in enumerate(real(self)):
            if at == 80:  # goes on only when something was embedded
                deadline = time.monotonic() + 30
                while not log() and time.monotonic() < deadline:
                    time.sleep(0.02)
                seen.append(len(log()))
            yield item

    monkeypatch.setattr(Files, "list", slow)
    assert index.ingest().added == 100
    assert seen[0] > 0
    fill(docs, 100, "second")
    bought = len(log())
    waited = threading.Event()

    def whole(self: Files) -> Iterator[Item | DocumentError | Ignored]:
        for at, item in enumerate(real(self)):
            if at == 90:
                waited.wait(1)
                seen.append(len(log()))
            yield item

    monkeypatch.setattr(Files, "list", whole)
    assert index.ingest().changed == 100
    assert seen[1] == bought, "an index that has readers is listed first"


def test_two_indexes_are_brought_in_sync_at_once_in_one_process(
    make_index: Make, docs: Path, log: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(docs, 40)
    monkeypatch.setenv("RELANCE_FAKE_DELAY_S", "0.02")
    reports: list[Any] = []
    indexes = [make_index(name=name, limits=LIMITS, embedding={"model": "fake/hash", "batch_texts": 8})
               for name in ("one", "two", "three")]  # fmt: skip
    threads = [threading.Thread(target=lambda each=each: reports.append(each.ingest())) for each in indexes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.status for report in reports] == ["completed"] * 3
    assert len(log()) == len(set(log())) == sum(report.embedded for report in reports)
    assert rows(indexes[0], vectors=True) == rows(indexes[1], vectors=True) == rows(indexes[2], vectors=True)


# -- other processes ----------------------------------------------------------------------------------------------

PACKAGE = {
    "strangers_model.py": """
import os
from pathlib import Path
from relance.embedding.providers.fake import FakeHash
class Odd(Exception):
    def __init__(self, response, body):
        super().__init__(f"{response} said {body}")
class Unpicklable(Exception):
    def __init__(self, message):
        super().__init__(message)
        self.client = lambda: None
class Model(FakeHash):
    any_model = True
    async def embed(self, texts, *, input_type):
        kind = Path(os.environ["KIND"]).read_text()
        if kind == "odd":
            raise Odd("the server", "this and that")
        if kind == "unpicklable":
            raise Unpicklable("the client is broken")
        if kind == "exit":
            raise SystemExit(3)
        return await super().embed(texts, input_type=input_type)
""",
    "strangers_model-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: strangers-model\nVersion: 1.0\n",
    "strangers_model-1.0.dist-info/entry_points.txt": "[relance.providers]\nstrange = strangers_model:Model\n",
}


def processes_of(marker: str) -> list[str]:
    """List the processes with a marker in their environment, this one excepted."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "environ").read_bytes() and folder.name != str(os.getpid()):
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
@pytest.mark.timeout(300)
def test_an_error_of_any_kind_in_a_worker_arrives_as_a_sentence(
    tmp_path: Path, docs: Path, declare: Callable[..., Path]
) -> None:
    fill(docs, 12)
    for name, text in PACKAGE.items():
        put(tmp_path / "installed" / name, text)
    spec = declare(embedding={"model": "strange/one"}, limits=LIMITS)
    view = Index(declare(folder=tmp_path / "view", store={"uri": str(tmp_path / "db")}))  # knows no such model
    kind = put(tmp_path / "kind", "odd")
    environment = os.environ | {"KIND": str(kind), "PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-m", "relance.cli.main", "ingest", str(spec), "--direct", "--json",
               "--engine", "processes", "--workers", "1"]  # fmt: skip
    for name, said in (("odd", "Odd: the server said this and that"),
                       ("unpicklable", "Unpicklable: the client is broken")):  # fmt: skip
        kind.write_text(name)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        assert view.runs()[0].status == "failed"
        assert not processes_of(f"KIND={kind}")
    kind.write_text("none")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["added"] == 12
    assert not processes_of(f"KIND={kind}")
