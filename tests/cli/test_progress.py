"""What a person sees of a run while it goes on."""

from __future__ import annotations

import threading

from relance.cli.progress import Pace, lines
from relance.pipeline.run_handle import Progress


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_moves_between_batches() -> None:
    clock = Clock()
    pace = Pace("notes", clock)
    assert pace.left_s is None
    clock.now = 20.0
    pace.take(Progress("embed", documents=100, documents_total=400, chunks=1000, cost_usd=0.25))
    assert pace.left_s == 60.0
    clock.now = 30.0
    pace.take(Progress("commit", documents=100, documents_total=400, chunks=1000, cost_usd=0.25))
    assert pace.left_s == 50.0, "nothing is done meanwhile, but time has passed"
    assert pace.line() == (
        "notes: commit · 100 of 400 documents · 1,000 chunks · 33/s · $0.2500 · 50 s left · 30 s so far"
    )
    clock.now = 500.0
    assert pace.left_s == 0.0


def test_a_line_says_what_the_run_waits_for() -> None:
    clock = Clock()
    pace = Pace("notes", clock)
    pace.take(Progress("ingesting", documents_total=3, waits_for="openai/x cannot be reached, trying again"))
    clock.now = 20.0
    assert pace.line() == (
        "notes: ingesting · 0 of 3 documents · openai/x cannot be reached, trying again · 0 chunks · 20 s so far"
    )


def test_lines_come_every_few_seconds_and_end_with_the_run() -> None:
    said: list[str] = []
    twice = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        if len(said) > 1:
            twice.set()

    with lines(say, Pace("notes"), every_s=0.01):
        assert twice.wait(10)
    count = len(said)
    assert said[0].startswith("notes: starting · 0 chunks · ")
    threading.Event().wait(0.05)
    assert len(said) == count


def test_a_short_run_says_nothing() -> None:
    said: list[str] = []
    with lines(said.append, Pace("notes")):
        pass
    assert said == []
