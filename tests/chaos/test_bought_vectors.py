"""Never pay twice: what was bought survives a kill at any moment, and processes that need the same buy it once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import buyer
import numpy as np
import pytest
from buyer import key, open_cache, vector

from relance.store import Store


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, buyer.__file__, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def read(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    with process.stdout:
        lines = process.stdout.read().splitlines()
    process.wait()
    return [int(line) for line in lines]


def check(folder: Path, numbers: range) -> None:
    """Check that each vector is there, right, and in the table once."""
    cache = open_cache(folder)
    names = [key(number) for number in numbers]
    assert cache.contains(names).all()
    found = cache.get(names)
    np.testing.assert_array_equal(np.stack([found[name][0] for name in names]), np.stack([vector(n) for n in numbers]))
    cache.put([key(-1)], vector(-1)[None])
    cache.flush()
    cache.close()
    rows: Any = Store(str(folder), storage_options={}, api_key="").open("relance__vectors__space")
    there = Counter(rows.search().select(["key"]).limit(None).to_arrow()["key"].to_pylist())
    assert set(there.values()) == {1}
    assert there.keys() >= {*names, key(-1)}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_put_returned_from_survives_a_kill_at_full_throughput(tmp_path: Path) -> None:
    rng = random.Random(13)
    for round_ in range(8):
        folder = tmp_path / str(round_)
        victim = start("put", folder)
        assert victim.stdout is not None
        victim.stdout.readline()
        time.sleep(rng.uniform(0.05, 1.0))
        victim.send_signal(signal.SIGKILL)
        done = max([64, *read(victim)])
        assert victim.returncode == -signal.SIGKILL
        check(folder, range(done))


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_within_a_commit_neither_loses_nor_doubles_vectors(tmp_path: Path, moment: str) -> None:
    victim = start("fold", tmp_path, 300, moment)
    read(victim)
    assert victim.returncode == -signal.SIGKILL
    check(tmp_path, range(300))
    assert not list((tmp_path / ".relance" / "vectors" / "space").glob("*.vectors"))


def test_what_a_killed_process_has_claimed_another_one_buys(tmp_path: Path) -> None:
    victim = start("claim", tmp_path, 0, 100)
    assert victim.stdout is not None
    assert victim.stdout.readline() == "100\n"
    cache = open_cache(tmp_path)
    names = [key(number) for number in range(100)]
    assert cache.claim(names) == []
    assert cache.wait(names, timeout_s=0.2) == names
    victim.send_signal(signal.SIGKILL)
    read(victim)
    assert cache.wait(names, timeout_s=30) == names
    assert cache.claim(names) == names
    cache.close()


@pytest.mark.timeout(300)
def test_processes_that_need_the_same_vectors_buy_each_once(tmp_path: Path) -> None:
    spans = [(0, 2000), (500, 2500), (0, 2500)]
    processes = [start("share", tmp_path, *span, seed) for seed, span in enumerate(spans)]
    bought = [read(process) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum(bool(each) for each in bought) >= 2, "they worked at the same time"
    times = Counter(number for each in bought for number in each)
    assert times.keys() == set(range(2500))
    assert sum(times.values()) == 2500, "bought twice"
    check(tmp_path, range(2500))


@pytest.mark.timeout(300)
def test_processes_that_share_go_on_when_one_of_them_is_killed(tmp_path: Path) -> None:
    victim, other = start("share", tmp_path, 0, 3000, 1), start("share", tmp_path, 0, 3000, 2)
    assert victim.stdout is not None
    first = int(victim.stdout.readline())
    victim.send_signal(signal.SIGKILL)
    lost = [first, *read(victim)]
    bought = read(other)
    assert other.returncode == 0
    check(tmp_path, range(3000))
    assert len(set(lost) & set(bought)) <= 25, "what was in flight is bought again, and nothing else"
