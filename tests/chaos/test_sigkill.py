"""Kill it anywhere: the next run finishes the work; nothing is lost, doubled or bought again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from by_hand import by_hand
from files import put
from rows import rows

from relance.index import Index

SEED = int(os.environ.get("RELANCE_CHAOS_SEED", "20261122"))
# A reply's vectors are on disk before the next request is sent: only what was in flight is bought again.
IN_FLIGHT = 8 * 64

WORDS = "river gauge flood satellite sensor battery antenna ferry bridge lock weir basin spring delta storm".split()


def text(rng: random.Random, paragraphs: int) -> str:
    parts = []
    for _ in range(paragraphs):
        words = [rng.choice(WORDS) + str(rng.randrange(400)) for _ in range(40)]
        parts.append(" ".join(words).capitalize() + ".")
    return "# " + parts[0][:30] + "\n\n" + "\n\n".join(parts) + "\n"


def edit(rng: random.Random, docs: Path) -> None:
    """Change, remove, rename and add a few documents."""
    paths = sorted(docs.rglob("*.md"))
    for path in rng.sample(paths, 20):
        path.write_text(text(rng, rng.randrange(2, 9)), encoding="utf-8")
    for path in rng.sample(paths, 4):
        path.unlink()
    for path in rng.sample([path for path in paths if path.exists()], 4):
        path.rename(path.with_name(f"moved-{rng.randrange(10**9)}.md"))
    for _ in range(4):
        (docs / f"new-{rng.randrange(10**9)}.md").write_text(text(rng, 5), encoding="utf-8")


@pytest.fixture
def declare(declare: Callable[..., Path], tmp_path: Path, docs: Path) -> Callable[[str], Path]:
    """Write the spec of an index over the same documents in a folder, and so a store, of its own."""
    sections = {
        "sources": [{"type": "files", "root": str(docs)}],
        "chunking": {"max_tokens": 48},
        "embedding": {"model": "fake/hash", "batch_texts": 64},
    }
    return lambda folder: declare("chaos", folder=tmp_path / folder, **sections)


def start(spec: Path, log: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "RELANCE_FAKE_LOG": str(log), "RELANCE_FAKE_DELAY_S": "0.01"}
    command = [sys.executable, str(Path(__file__).with_name("victim.py")), str(spec)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def release(victim: subprocess.Popen[str]) -> None:
    """Wait until a victim has imported everything and let it work."""
    assert victim.stdout is not None
    assert victim.stdin is not None
    assert victim.stdout.readline() == "ready\n"
    victim.stdin.write("go\n")
    victim.stdin.flush()


def time_of(victim: subprocess.Popen[str]) -> float:
    """Let a victim finish; returns the seconds its work took."""
    release(victim)
    began = time.monotonic()
    assert victim.stdout is not None
    assert victim.stdin is not None
    assert victim.stdout.read() == "done\n"
    assert victim.wait() == 0
    victim.stdin.close()
    victim.stdout.close()
    return time.monotonic() - began


def shoot(victim: subprocess.Popen[str], delay_s: float) -> bool:
    """Let a victim work for a while and kill it; false if it had finished by then."""
    release(victim)
    time.sleep(delay_s)
    victim.send_signal(signal.SIGKILL)
    code = victim.wait()
    assert victim.stdout is not None
    assert victim.stdin is not None
    victim.stdin.close()
    victim.stdout.close()
    return code == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [4, *by_hand(10)])
def test_kills_at_random_moments_lose_double_and_rebuy_nothing(
    tmp_path: Path, docs: Path, declare: Callable[[str], Path], kills: int
) -> None:
    rng = random.Random(SEED)
    log = tmp_path / "log.jsonl"
    for i in range(600):
        put(docs / str(i % 9) / f"{i}.md", text(rng, rng.randrange(2, 9)))
    spec = declare("killed")
    index = Index(spec)
    killed: set[int] = set()
    opened = 0
    duration = time_of(start(declare("timed"), tmp_path / "timed.jsonl"))
    window = duration
    victim = start(spec, log)
    for round_ in range(400):
        following = start(spec, log)  # imports while the other one works
        died = shoot(victim, rng.uniform(0.0, window))
        if died:
            killed.add(victim.pid)
            window = min(duration, window * 1.2)
        else:  # a run over a few edits is done sooner than the first one
            window *= 0.6
        if index.status().table is not None:
            assert all(hit.text for hit in index.search("river1 flood2", k=5, mode="dense"))
            opened += 1
        victim = following
        if len(killed) >= kills:
            break
        if round_ % 2 or not died:
            edit(rng, docs)
    assert len(killed) >= kills
    assert opened > kills // 2
    time_of(victim)

    undisturbed = Index(declare("undisturbed"))
    undisturbed.ingest()
    expected = rows(undisturbed, vectors=True)
    assert len(expected) > 2000
    assert rows(index, vectors=True) == expected
    assert index.status().documents == undisturbed.status().documents
    assert index.ingest().unchanged == undisturbed.status().documents

    bought: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for line in log.read_text(encoding="utf-8").splitlines():
        # A kill may cut the line that is being written; it has no end, so the next one follows on it. Its request was
        # never answered.
        request = json.loads(line[line.rindex('{"time": ') :])
        for each in request["texts"]:
            bought[each].append((request["time"], request["pid"]))
    lost: defaultdict[int, int] = defaultdict(int)
    for each, times in bought.items():
        for _, pid in sorted(times)[:-1]:
            assert pid in killed, f"bought twice although nobody was killed: {each[:60]}"
            lost[pid] += 1
    assert max(lost.values(), default=0) <= IN_FLIGHT
