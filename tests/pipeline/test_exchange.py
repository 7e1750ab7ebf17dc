"""The folder through which workers of a work pool take stages."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from relance.pipeline.engines.exchange import Exchange, ExchangeLimits, work

QUICK = ExchangeLimits(poll_s=0.01, beat_s=0.05, silent_s=0.6)


def double(value: Any) -> Any:
    return value * 2


def refuse(value: Any) -> Any:
    raise ValueError(f"not {value}")


def worker(folder: Path) -> threading.Thread:
    thread = threading.Thread(target=work, args=(folder, QUICK))
    thread.start()
    return thread


def test_stages_are_done_and_errors_come_home(tmp_path):
    exchange = Exchange(tmp_path, QUICK)
    exchange.make()
    thread = worker(tmp_path)
    good, bad = exchange.put(double, (21,)), exchange.put(refuse, ("this",))
    assert good.result() == 42
    with pytest.raises(ValueError, match="not this"):
        bad.result()
    exchange.close()
    thread.join(5)
    assert not thread.is_alive()


def test_workers_stay_with_a_coordinator_that_is_silent_for_work_and_leave_a_dead_one(tmp_path):
    exchange = Exchange(tmp_path, QUICK)
    exchange.make()
    thread = worker(tmp_path)
    time.sleep(2 * QUICK.silent_s)
    assert thread.is_alive()
    exchange._beating.close()  # what a kill does
    thread.join(5)
    assert not thread.is_alive()
