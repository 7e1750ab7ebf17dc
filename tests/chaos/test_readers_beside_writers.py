"""Always searchable: whatever is written meanwhile, a search sees one version of an index, whole and not empty."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import moving_index
import pytest
from moving_index import MovingIndex, Reader

SEED = int(os.environ.get("RELANCE_CHAOS_SEED", "15"))


def read_beside(folder: Path, emulator: str, *, searches: int, seconds: float) -> tuple[Reader, Counter[str]]:
    """Search from three threads while another process writes, until there were as many searches and it took as long."""
    moving, reader = MovingIndex(folder, emulator), Reader()
    moving.paint()
    moving.write(1)
    moving.open().ingest()
    command = [sys.executable, moving_index.__file__, str(folder), str(SEED), emulator]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    asked, done = [0, 0, 0], folder / "done"
    began = time.monotonic()

    def go_on() -> bool:
        return (sum(asked) < searches or time.monotonic() - began < seconds) and writer.poll() is None

    def search(thread: int) -> None:
        rng = random.Random(SEED + thread)
        index = moving.open()
        with index:
            while go_on():
                # A session, the same without one, and one of its own for each search.
                reader.ask((index, index, moving.open())[thread], rng)
                asked[thread] += 1

    while not done.exists() and writer.poll() is None:
        time.sleep(0.05)
    threads = [threading.Thread(target=search, args=(number,)) for number in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert writer.stdin is not None
    assert writer.stderr is not None
    with writer.stderr:
        writer.stdin.close()
        said = writer.stderr.read()
    assert writer.wait(60) == 0, said
    return reader, Counter(done.read_text().split("\n"))


def check(reader: Reader) -> None:
    assert not reader.wrong, f"{len(reader.wrong)} searches went wrong: {Counter(reader.wrong).most_common(10)}"
    assert len(reader.generations) > 1, "nothing was written meanwhile"


@pytest.mark.timeout(120)
@pytest.mark.long
def test_each_search_sees_one_version_beside_edits_housekeeping_rollbacks_and_models(
    tmp_path: Path, emulator: Any
) -> None:
    reader, _ = read_beside(tmp_path, emulator.url, searches=150, seconds=4)
    check(reader)


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_ten_thousand_searches_see_one_version_each(tmp_path: Path, emulator: Any) -> None:
    reader, done = read_beside(tmp_path, emulator.url, searches=10_000, seconds=60)
    check(reader)
    assert len(reader.tables) > 1
    assert {"edit", "maintain", "rollback", "model", "switched", "switched back"} <= done.keys()
