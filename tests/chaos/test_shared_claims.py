"""Several runs that need the same texts at the same moment: each text is bought once, though one of them is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from files import put
from rows import rows

from relance.config.engine import EngineName
from relance.index import Index

DOCUMENTS, SECTIONS = 60, 20
TEXTS = DOCUMENTS * SECTIONS
NAMES = ("one", "two", "three")
IN_FLIGHT = 4 * 16


@pytest.fixture
def specs(tmp_path: Path, docs: Path, declare: Callable[..., Path]) -> list[Path]:
    """Three indexes over the same documents in one store."""
    for at in range(DOCUMENTS):
        sections = [
            f"## Part {n}\n\nNote {at} says on part {n} that {at * n} is not {at + n}." for n in range(SECTIONS)
        ]
        put(docs / f"{at:03}.md", "\n\n".join(sections))
    sections: dict[str, Any] = {
        "sources": [{"type": "files", "root": str(docs)}],
        "store": {"uri": str(tmp_path / "db")},
        "chunking": {"max_tokens": 24},
        "embedding": {"model": "fake/hash", "batch_texts": 16, "max_concurrency": 4},
        "limits": {"batch_documents": 4, "batches_in_flight": 1},  # so none claims everything at once
    }
    return [declare(name, folder=tmp_path / name, **sections) for name in NAMES]


def start(spec: Path, log: Path, engine: str = "") -> subprocess.Popen[str]:
    environment = os.environ | {"RELANCE_FAKE_LOG": str(log), "RELANCE_FAKE_DELAY_S": "0.1"}
    command = [sys.executable, str(Path(__file__).with_name("victim.py")), str(spec), *filter(None, [engine])]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def say(victims: list[subprocess.Popen[str]]) -> None:
    """Let all work at the same moment."""
    for victim in victims:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "ready\n"
    for victim in victims:
        assert victim.stdin is not None
        victim.stdin.write("go\n")
        victim.stdin.flush()


def end(victim: subprocess.Popen[str]) -> int:
    victim.wait(120)
    for pipe in (victim.stdin, victim.stdout):
        assert pipe is not None
        pipe.close()
    return victim.returncode


def bought(log: Path) -> tuple[Counter[str], Counter[int]]:
    """Count how often each text was bought, and how many each process bought."""
    texts: Counter[str] = Counter()
    buyers: Counter[int] = Counter()
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        request = json.loads(line)
        texts.update(request["texts"])
        buyers[request["pid"]] += len(request["texts"])
    return texts, buyers


@pytest.mark.slow
@pytest.mark.long
def test_three_runs_over_the_same_documents_buy_each_text_once(specs: list[Path], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    victims = [start(spec, log, "processes" if spec == specs[0] else "") for spec in specs]
    say(victims)
    assert [end(victim) for victim in victims] == [0, 0, 0]
    texts, buyers = bought(log)
    assert len(texts) == TEXTS
    assert sum(texts.values()) - TEXTS <= TEXTS // 100
    assert len(buyers) >= 2, "they worked at the same time"
    one, two, three = (rows(Index(spec), vectors=True) for spec in specs)
    assert one == two == three
    assert len(one) == TEXTS


@pytest.mark.slow
def test_what_a_killed_run_had_claimed_is_bought_by_the_others(specs: list[Path], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    victims = [start(spec, log) for spec in specs]
    say(victims)
    while not (mine := bought(log)[1]):
        time.sleep(0.005)
    # Whichever came first: on a busy machine one of them may come when all is bought.
    killed = next(victim for victim in victims if mine[victim.pid])
    killed.send_signal(signal.SIGKILL)
    assert [end(victim) for victim in victims] == [-signal.SIGKILL if each is killed else 0 for each in victims]
    specs = [
        specs[victims.index(killed)],
        *(spec for spec, each in zip(specs, victims, strict=True) if each is not killed),
    ]
    texts, buyers = bought(log)
    assert buyers[killed.pid] > 0, "it was killed in the middle"
    assert len(texts) == TEXTS
    assert sum(texts.values()) - TEXTS <= IN_FLIGHT
    two, three = (rows(Index(spec), vectors=True) for spec in specs[1:])
    assert two == three
    assert len(two) == TEXTS
    index = Index(specs[0])
    assert index.ingest().embedded == 0
    assert rows(index, vectors=True) == two


@pytest.mark.parametrize("engine", ["threads", "processes"])
def test_batches_of_one_run_buy_what_they_share_once(
    specs: list[Path], tmp_path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch, engine: EngineName
) -> None:
    for path in sorted(docs.glob("*.md")):
        path.with_stem(f"copy-{path.stem}").write_bytes(path.read_bytes())
    monkeypatch.setenv("RELANCE_FAKE_LOG", str(tmp_path / "log.jsonl"))
    monkeypatch.setenv("RELANCE_FAKE_DELAY_S", "0.02")
    report = Index(specs[0]).ingest(engine=engine, workers=2 if engine == "processes" else 0)
    texts, _ = bought(tmp_path / "log.jsonl")
    assert set(texts.values()) == {1}
    assert (report.embedded, report.reused, report.chunks) == (TEXTS, TEXTS, 2 * TEXTS)
