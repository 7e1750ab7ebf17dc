"""A global concurrency limit on the server divides a model's rates among the processes that hold its slots."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client

from relance.embedding.providers import ModelInfo
from relance.embedding.rate_limits import RateLimit
from relance_tasks import shared_limits
from relance_tasks.shared_limits import limit_name, share_of_rates

INFO = ModelInfo("dashscope/text-embedding-v4", 1024, region="singapore")


@pytest.fixture
def slots(prefect_server: None) -> Iterator[Any]:
    """Set the number of slots on the server; it forgets what it was told before."""
    shared_limits._slots.clear()

    def declare(limit: int) -> None:
        with get_client(sync_client=True) as client:
            client.upsert_global_concurrency_limit_by_name(limit_name(INFO), limit)

    yield declare
    with get_client(sync_client=True) as client:
        if any(each.name == limit_name(INFO) for each in client.read_global_concurrency_limits()):
            client.delete_global_concurrency_limit_by_name(limit_name(INFO))
    shared_limits._slots.clear()


def run_of(rates: tuple[RateLimit, RateLimit]) -> Any:
    return SimpleNamespace(provider=SimpleNamespace(info=INFO), embedder=SimpleNamespace(rates=rates))


def test_without_a_limit_on_the_server_the_process_has_the_rates_to_itself(slots: Any) -> None:
    rates = RateLimit(60), RateLimit(0)
    with share_of_rates(run_of(rates)):
        assert [rate.share for rate in rates] == [1.0, 1.0]


def test_each_slot_held_is_a_part_of_the_rates(slots: Any) -> None:
    slots(4)
    rates = RateLimit(60), RateLimit(600)
    run, seen = run_of(rates), []
    with share_of_rates(run):
        seen.append(rates[0].share)
        with share_of_rates(run):
            seen.append(rates[1].share)
        seen.append(rates[0].share)
    assert seen == [0.25, 0.5, 0.25]


def test_who_finds_no_slot_waits_for_one(slots: Any) -> None:
    slots(1)
    run = run_of((RateLimit(60), RateLimit(60)))
    entered, leave, second = threading.Event(), threading.Event(), threading.Event()

    @task
    def first() -> None:
        with share_of_rates(run):
            entered.set()
            leave.wait(30)

    @task
    def other() -> None:
        with share_of_rates(run):
            second.set()

    @flow
    def both() -> bool:
        one = first.submit()
        entered.wait(30)
        two = other.submit()
        early = second.wait(2.0)
        leave.set()
        one.result()
        two.result()
        return early

    assert both() is False
    assert second.is_set()
