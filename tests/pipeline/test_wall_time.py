"""The time of a run is divided among its stages, and adds up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from files import put

from relance.config.engine import EngineName
from relance.index import Index
from relance.pipeline.wall_time import WallTime


def test_each_moment_belongs_to_the_stages_at_work_in_equal_parts() -> None:
    now = 100.0
    wall = WallTime(lambda: now)
    now += 3
    with wall.within("load"):
        now += 1
        with wall.within("load"):  # a second batch: still one stage
            now += 1
            with wall.within("embed"):
                now += 4
        now += 1
    now += 2
    with pytest.raises(OSError, match="full"), wall.within("commit"):
        now += 1
        raise OSError("full")
    assert wall.split() == {"start": 3.0, "load": 5.0, "embed": 2.0, "commit": 1.0, "between": 2.0}


def test_of_a_run_without_a_stage_all_is_start() -> None:
    wall = WallTime(iter([0.0, 2.0]).__next__)
    assert wall.split() == {"start": 2.0, "between": 0.0}


@pytest.mark.parametrize("engine", ["threads", "processes"])
def test_the_report_of_a_run_adds_up(make_index: Callable[..., Index], docs: Path, engine: EngineName) -> None:
    for at in range(4):
        put(docs / f"{at}.md", f"Note {at} is about {at * 7}.")
    report = make_index(limits={"batch_documents": 1}).ingest(engine=engine)
    assert list(report.wall) == ["start", "discover", "load", "chunk", "embed", "commit", "finish", "between"]
    assert sum(report.wall.values()) == pytest.approx(report.seconds["total"], abs=0.001)
