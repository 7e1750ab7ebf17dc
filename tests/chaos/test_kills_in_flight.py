"""Kills right after replies are delivered: what was in flight is bought again, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from relance.index import Index

# 8 requests of 64 texts.
IN_FLIGHT = 8 * 64
DOCUMENTS = 100
SECTIONS = 40  # a document, each a chunk


@dataclass
class Requests:
    """What the fake model was asked for, by whom."""

    path: Path

    def all(self) -> list[dict[str, object]]:
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        return [json.loads(line) for line in lines]

    def texts(self) -> list[str]:
        return [text for request in self.all() for text in request["texts"]]  # ty: ignore[not-iterable]

    def pids(self) -> set[int]:
        return {int(str(request["pid"])) for request in self.all()}

    def again(self) -> int:
        texts = self.texts()
        return len(texts) - len(set(texts))

    def lost(self) -> dict[int, int]:
        """Count for each process what it bought and a later one bought again."""
        found: Counter[int] = Counter()
        buyers: dict[str, int] = {}
        for request in self.all():
            for text in request["texts"]:  # ty: ignore[not-iterable]
                if text in buyers:
                    found[buyers[text]] += 1
                buyers[text] = int(str(request["pid"]))
        return found

    def wait_for(self, requests: int) -> None:
        deadline = time.monotonic() + 60
        while len(self.all()) < requests:
            assert time.monotonic() < deadline, "the run did not begin"
            time.sleep(0.005)


@pytest.fixture
def spec(declare: Callable[..., Path], docs: Path) -> Path:
    for at in range(DOCUMENTS):
        sections = [
            f"## Part {n}\n\nNote {at} says on part {n} that {at * n} is not {at + n}." for n in range(SECTIONS)
        ]
        (docs / f"{at:03}.md").write_text("\n\n".join(sections), encoding="utf-8")
    return declare(
        chunking={"max_tokens": 24},
        embedding={"model": "fake/hash", "batch_texts": 64, "max_concurrency": 8},
        limits={"batch_documents": 20},
    )


def start(spec: Path, log: Path, *, engine: str = "", delay_s: float, folder: Path) -> subprocess.Popen[str]:
    """Start a victim and let it work."""
    environment = os.environ | {
        "RELANCE_FAKE_LOG": str(log), "RELANCE_FAKE_DELAY_S": str(delay_s), "TMPDIR": str(folder),
    }  # fmt: skip
    command = [sys.executable, str(Path(__file__).with_name("victim.py")), str(spec), *filter(None, [engine])]
    victim = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    assert victim.stdout is not None
    assert victim.stdin is not None
    assert victim.stdout.readline() == "ready\n"
    victim.stdin.write("go\n")
    victim.stdin.flush()
    return victim


def shoot(victim: subprocess.Popen[str]) -> None:
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    for pipe in (victim.stdin, victim.stdout):
        assert pipe is not None
        pipe.close()


def is_running(pid: int) -> bool:
    """Whether a process is there and not only waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_kill_after_replies_costs_what_was_in_flight(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = Requests(tmp_path / "requests.jsonl")
    index = Index(spec)
    # A request that follows the first eight is sent when a reply was delivered: that is the moment.
    for moment in (9, 12, 20):
        asked = len(requests.all())
        victim = start(spec, requests.path, delay_s=0.2, folder=tmp_path)
        requests.wait_for(asked + moment)
        shoot(victim)
    monkeypatch.setenv("RELANCE_FAKE_LOG", str(requests.path))
    report = index.ingest()
    assert report.status == "completed"
    assert index.status().documents == DOCUMENTS
    assert max(requests.lost().values(), default=0) <= IN_FLIGHT
    assert len(set(requests.texts())) == DOCUMENTS * SECTIONS


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
@pytest.mark.timeout(300)
def test_workers_of_a_killed_coordinator_buy_nothing_more_and_end(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = Requests(tmp_path / "requests.jsonl")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    victim = start(spec, requests.path, engine="processes", delay_s=1.0, folder=temporary)
    requests.wait_for(9)
    workers = requests.pids() - {victim.pid}
    assert workers
    shoot(victim)
    killed = time.time()
    deadline = time.monotonic() + 5
    while any(map(is_running, workers)):
        assert time.monotonic() < deadline, "the workers live on"
        time.sleep(0.05)
    assert not [each for each in requests.all() if float(str(each["time"])) > killed + 1.0]
    left = list(temporary.glob("relance-staging-*"))
    assert left, "the staging area of the killed run"
    monkeypatch.setenv("RELANCE_FAKE_LOG", str(requests.path))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    index = Index(spec)
    assert index.ingest(engine="processes", workers=2).status == "completed"
    assert not list(temporary.glob("relance-staging-*")), "the next run removes it, and its own"
    assert index.status().documents == DOCUMENTS
    assert requests.again() <= IN_FLIGHT
