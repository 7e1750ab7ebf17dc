"""Rates: what is let through in a second and in a minute."""

import asyncio

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.embedding.rate_limits import RateLimit
from relance_emulator import EmulatorConfig, running
from relance_emulator.config import Rate
from relance_emulator.limits import Limits, Meter
from relance_emulator.problems import Problem

NATIVE = "/api/v1/services/embeddings/text-embedding/text-embedding"
V4 = "text-embedding-v4"


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_second_s_worth_may_come_at_once_and_no_more():
    clock = Clock()
    meter = Meter(1800, clock)
    assert [meter.spend(1) for _ in range(31)] == [True] * 30 + [False]
    clock.now = 0.5
    assert [meter.spend(1) for _ in range(16)] == [True] * 15 + [False]


gaps = st.floats(0, 3, allow_nan=False)


@given(st.lists(st.tuples(gaps, st.floats(0.5, 40)), min_size=1, max_size=300))
def test_no_minute_holds_more_than_the_limit(calls):
    clock = Clock()
    meter = Meter(120, clock)
    passed = []
    for gap, amount in calls:
        clock.now += gap
        if meter.spend(amount):
            passed.append((clock.now, amount))
    for end, _ in passed:
        inside = [amount for at, amount in passed if end - 60 < at <= end]
        assert sum(inside) <= 120 + 1e-6


@given(st.lists(st.tuples(gaps, st.integers(1, 30)), min_size=1, max_size=200))
def test_what_is_refused_costs_nothing(calls):
    clock = Clock()
    pestered, left_alone = Meter(120, clock), Meter(120, clock)
    for gap, amount in calls:
        clock.now += gap
        assert pestered.spend(amount) == left_alone.spend(amount)
        assert not pestered.spend(1000)


def test_a_text_larger_than_a_second_s_tokens_passes_when_nothing_else_is_going_on():
    clock = Clock()
    meter = Meter(60_000, clock)
    assert meter.spend(8000)
    assert not meter.spend(1)
    clock.now = 6.9
    assert not meter.spend(1000)
    clock.now = 8.0
    assert meter.spend(1000)


def test_the_published_limits_are_those_of_the_region():
    configs = [EmulatorConfig(limits="published"), EmulatorConfig(limits="published", region="singapore")]
    for config, requests, tokens in zip(configs, [30, 30], [20_000, 16_666], strict=True):
        limits = Limits(config, Clock())
        for _ in range(requests):
            limits.request(V4)
        with pytest.raises(Problem) as refused:
            limits.request(V4)
        assert (refused.value.status, refused.value.code) == (429, "Throttling.RateQuota")
        limits.tokens(V4, tokens)
        with pytest.raises(Problem) as refused:
            limits.tokens(V4, 1)
        assert (refused.value.status, refused.value.code) == (429, "Throttling.AllocationQuota")


def test_limits_of_one_model_do_not_touch_another():
    limits = Limits(EmulatorConfig(limits={V4: Rate(60, 0), "*": Rate(0, 0)}), Clock())
    limits.request(V4)
    with pytest.raises(Problem):
        limits.request(V4)
    for _ in range(100):
        limits.request("text-embedding-v3")


def test_relance_s_own_limiter_is_never_refused_and_loses_little():
    """The client's bucket against the emulator's, on one clock: 3 minutes at 1,800 requests a minute."""
    clock = Clock()
    meter = Meter(1800, clock)

    async def sleep(seconds):
        clock.now += seconds

    async def main():
        limit = RateLimit(1800, clock=clock, sleep=sleep)
        passed = []
        while clock.now < 180:
            await limit.acquire()
            passed.append(meter.spend(1))
        return passed

    passed = asyncio.run(main())
    assert all(passed)
    assert len(passed) >= 0.95 * 1800 * 3


def test_a_refused_call_says_why_and_not_when_to_come_back():
    rates = {V4: Rate(60, 0), "text-embedding-v3": Rate(0, 120)}
    with (
        running(EmulatorConfig(limits=rates, vectors="hash")) as url,
        httpx.Client(base_url=url, trust_env=False, headers={"authorization": "Bearer sk-x"}) as client,
    ):

        def ask(model):
            return client.post(NATIVE, json={"model": model, "input": {"texts": ["a b c d e"]}})

        replies = [ask(V4), ask(V4), ask("text-embedding-v3"), ask("text-embedding-v3")]
        stats = client.get("/_emulator/stats").json()
    assert [reply.status_code for reply in replies] == [200, 429, 200, 429]
    assert replies[1].json()["code"] == "Throttling.RateQuota"
    assert replies[3].json()["code"] == "Throttling.AllocationQuota"
    assert replies[3].json()["message"] == "Allocated quota exceeded, please increase your quota limit."
    assert "retry-after" not in replies[1].headers
    assert stats["rejected"] == 2


def test_a_refusal_can_be_set_to_say_when_to_come_back():
    with running(EmulatorConfig(limits={V4: Rate(60, 0)}, retry_after_s=1.5, vectors="hash")) as url:
        body = {"model": V4, "input": {"texts": ["a"]}}
        headers = {"authorization": "Bearer sk-x"}
        replies = [httpx.post(f"{url}{NATIVE}", json=body, headers=headers, trust_env=False) for _ in range(2)]
    assert [reply.headers.get("retry-after") for reply in replies] == [None, "1.5"]
