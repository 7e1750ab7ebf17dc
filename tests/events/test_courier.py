"""Changes of an index that are handed on in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from relance.errors import RetryableError
from relance.events import Change
from relance.events.courier import Courier

EVERYTHING = Change("notes", everything=True)


class Runs:
    """What was handed on; one waits while the gate is shut, and is refused while `error` is there."""

    def __init__(self) -> None:
        self.taken: list[Change] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def take(self, change: Change) -> None:
        self.gate.wait(10)
        if self.error:
            raise self.error
        self.taken.append(change)


def changed(*uris: str) -> Change:
    return Change("notes", changed=uris)


def wait(for_: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not for_():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_comes_during_a_run_is_one_change_afterwards() -> None:
    runs = Runs()
    runs.gate.clear()
    with Courier("notes", runs.take) as courier:
        time.sleep(0.1)  # the run over everything is under way
        for uri in "abc":
            courier.add(changed(uri))
        runs.gate.set()
        wait(lambda: len(runs.taken) == 2)
    assert runs.taken == [EVERYTHING, changed("a", "b", "c")]


def test_what_is_refused_is_handed_on_again_with_what_came_meanwhile() -> None:
    runs = Runs()
    with Courier("notes", runs.take) as courier:
        wait(lambda: runs.taken)
        runs.error = RetryableError("not now")
        courier.add(changed("a"))
        time.sleep(0.2)
        courier.add(changed("b"))
        runs.error = None
        wait(lambda: len(runs.taken) == 2)
    assert runs.taken[1] == changed("a", "b")


def test_what_is_not_handed_on_in_the_end_is_said(caplog: pytest.LogCaptureFixture) -> None:
    runs = Runs()
    with Courier("notes", runs.take) as courier:
        wait(lambda: runs.taken)
        runs.error = RetryableError("not now")
        courier.add(changed("a"))
        time.sleep(0.2)
    assert "notes: 1 changed: waits no longer; the next start begins by looking at everything" in caplog.text
    with pytest.raises(RetryableError):  # the sender is answered 503, and sends it again
        courier.add(changed("b"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nothing_is_accepted_once_the_thread_is_dead() -> None:
    runs = Runs()
    runs.error = ValueError("a bug")
    with Courier("notes", runs.take) as courier:
        wait(lambda: not courier._thread.is_alive())
        with pytest.raises(RetryableError, match="not taken any more"):
            courier.add(changed("a"))
