"""What a run may spend: never more than its limit, never paid for what failed, nothing charged for what is free."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.embedding.budget import Budget, CostMeter, cost_usd
from relance.embedding.providers import ModelInfo, Reply
from relance.embedding.providers.fake import FakeHash
from relance.errors import BudgetError, ConfigurationError
from relance.index import Index

Make = Callable[..., Index]


def meter(budget: Budget, price: float | None = 1e6, **options: Any) -> CostMeter:
    """Open a meter for a model that costs a dollar a token, or another price per million."""
    return CostMeter(ModelInfo("test/model", 4, price_per_million_tokens=price), budget, **options)


# Prices


@given(st.integers(0, 10**9), st.floats(0, 1000), st.integers(0, 10**9))
def test_tokens_cost_their_price_and_the_first_ones_nothing(tokens: int, price: float, free: int) -> None:
    exact = max(0, tokens - free) * Fraction(price) / 10**6
    assert cost_usd(tokens, price, free=free) == pytest.approx(float(exact), rel=1e-9)
    assert cost_usd(tokens, None, free=free) is None


def test_without_a_limit_everything_goes_through_even_without_a_price() -> None:
    budget = Budget()
    for price in (None, 0.0, 1e6):
        one = meter(budget, price)
        one.reserve(10**12)
        assert one.settle(10**12, 7) == (7.0 if price else 0.0)


def test_a_limit_without_a_price_names_the_setting_that_is_missing() -> None:
    with pytest.raises(ConfigurationError, match=r"test/model.*embedding\.price_per_million_tokens"):
        meter(Budget(1.0), None).reserve(1)


def test_a_limit_of_nothing_lets_only_what_is_free_through() -> None:
    one = meter(Budget(0.0), free_tokens=10)
    one.reserve(10)
    with pytest.raises(BudgetError):
        one.reserve(1)
    meter(Budget(0.0), 0.0).reserve(10**9)


def test_a_budget_that_is_reached_exactly_is_not_exceeded() -> None:
    budget = Budget(10.0)
    one = meter(budget)
    one.reserve(10)
    with pytest.raises(BudgetError, match=r"\$11\.0000.*limits\.max_cost_usd \(\$10\)"):
        one.reserve(1)
    assert budget.reserved_usd == 10, "a refusal reserves nothing"


# Any order of requests

# What becomes of a request of so many tokens: the part of it that is billed, 0 where it failed.
requests = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=30)
order = st.lists(st.booleans(), max_size=60)


def play(
    one: CostMeter, requests: list[tuple[int, int]], order: list[bool], after: Callable[[], None] = lambda: None
) -> tuple[float, list[int]]:
    """Begin and end requests in some order; return dollars settled, and what was billed."""
    waiting, flying, charged, bills = list(requests), [], 0.0, []
    turns = iter(order)
    while waiting or flying:
        if waiting and (next(turns, False) or not flying):
            tokens, part = waiting.pop()
            try:
                one.reserve(tokens)
            except BudgetError:
                continue
            flying.append((tokens, tokens * part // 100))
        else:
            tokens, billed = flying.pop(0)
            charged += one.settle(tokens, billed)
            bills.append(billed)
        after()
    return charged, bills


@given(requests, order, st.integers(0, 500), st.integers(0, 500))
def test_what_is_settled_is_the_price_of_all_that_was_billed_but_the_free_part(
    requests: list[tuple[int, int]], order: list[bool], limit: int, free: int
) -> None:
    """In particular where one that took the free part in advance fails, after others have paid."""
    budget = Budget(float(limit))

    def holds() -> None:
        assert -1e-9 <= budget.reserved_usd <= limit + 1e-9

    charged, bills = play(meter(budget, free_tokens=free), requests, order, holds)
    assert charged == pytest.approx(max(0, sum(bills) - free))
    assert budget.reserved_usd == pytest.approx(charged)


@given(requests, order, st.integers(0, 500))
def test_failed_requests_give_everything_back(requests: list[tuple[int, int]], order: list[bool], free: int) -> None:
    budget = Budget(300.0)
    one = meter(budget, free_tokens=free)
    charged, _ = play(one, [(tokens, 0) for tokens, _ in requests], order)
    assert (charged, budget.reserved_usd) == (0, 0)
    one.reserve(300 + free)
    with pytest.raises(BudgetError):
        one.reserve(1)


@given(st.integers(1, 100), st.integers(1, 10_000), st.integers(0, 50))
def test_a_bill_above_the_limit_is_taken_and_nothing_is_sent_after_it(tokens: int, more: int, free: int) -> None:
    budget = Budget(float(tokens))
    one = meter(budget, free_tokens=free)
    one.reserve(tokens)
    billed = tokens + free + more
    assert one.settle(tokens, billed) == pytest.approx(billed - free)
    assert budget.reserved_usd == pytest.approx(billed - free)
    with pytest.raises(BudgetError):
        one.reserve(1)


def test_the_free_part_goes_to_what_was_billed_first_also_if_others_reserved_it_before() -> None:
    one = meter(budget := Budget(), free_tokens=100)
    one.reserve(100)
    one.reserve(100)
    assert one.settle(100, 100) == 0
    assert one.settle(100, 0) == 0
    assert budget.reserved_usd == 0
    one.reserve(10)
    assert one.settle(10, 10) == 10


# Several threads, several models


@settings(max_examples=15, deadline=None)
@given(st.lists(requests.filter(bool), min_size=2, max_size=4), st.integers(0, 2000), st.integers(0, 300))
def test_threads_that_share_a_purse_never_spend_more_than_the_limit(
    work: list[list[tuple[int, int]]], limit: int, free: int
) -> None:
    budget = Budget(float(limit))
    one = meter(budget, free_tokens=free)
    start, bills, charges, errors = threading.Barrier(len(work)), [], [], []

    def run(part: list[tuple[int, int]]) -> None:
        def holds() -> None:
            with budget.lock:
                assert -1e-6 <= budget.reserved_usd <= limit + 1e-6

        try:
            start.wait()
            charged, billed = play(one, part * 5, [True, False] * 100, holds)
        except BaseException as error:
            errors.append(error)
        else:
            charges.append(charged)
            bills.extend(billed)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that they really get in each other's way
    try:
        threads = [threading.Thread(target=run, args=(part,)) for part in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not errors
    assert max(0, sum(bills) - free) <= limit + 1e-6
    assert sum(charges) == pytest.approx(max(0, sum(bills) - free))
    assert budget.reserved_usd == pytest.approx(sum(charges), abs=1e-6)


def test_models_share_the_budget_and_each_has_its_own_price_and_free_part() -> None:
    budget = Budget(100.0)
    text, media = meter(budget, 1e6, free_tokens=20), meter(budget, 5e6)
    text.reserve(50)  # $30
    media.reserve(10)  # $50
    with pytest.raises(BudgetError):
        media.reserve(5)
    text.reserve(20)
    assert budget.reserved_usd == 100
    assert text.settle(20, 0) + media.settle(10, 8) + text.settle(50, 50) == 70
    assert budget.reserved_usd == 70


# Bills in dollars


@given(st.integers(1, 1000), st.floats(0, 5000), st.integers(0, 2000))
def test_a_bill_in_dollars_is_charged_less_the_part_of_its_tokens_that_was_free(
    billed: int, dollars: float, free: int
) -> None:
    budget = Budget()
    one = meter(budget, free_tokens=free)
    one.reserve(billed)
    expected = dollars * max(0, billed - free) / billed
    assert one.settle(billed, billed, dollars) == pytest.approx(expected)
    assert budget.reserved_usd == pytest.approx(expected), "the budget knows what was really paid"


def test_dear_bills_use_up_the_budget_and_cheap_ones_leave_it_to_others() -> None:
    one = meter(budget := Budget(100.0))
    one.reserve(10)
    one.settle(10, 10, 95.0)
    with pytest.raises(BudgetError):
        one.reserve(6)
    other = meter(budget := Budget(100.0))
    for _ in range(50):
        other.reserve(50)
        other.settle(50, 50, 1.0)
    assert budget.reserved_usd == pytest.approx(50)


def test_a_bill_in_dollars_for_nothing_costs_nothing() -> None:
    one = meter(budget := Budget(10.0))
    one.reserve(10)
    assert one.settle(10, 0, None) == one.settle(0, 0, 3.0) == 0
    assert budget.reserved_usd == 0


# In a run


def test_a_run_whose_bills_are_higher_than_planned_stops_at_its_budget_and_keeps_what_it_bought(
    make_index: Make, docs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (docs / f"{number}.md").write_text(f"Four words, number {number}.", encoding="utf-8")
    embedding = {"model": "fake/hash", "price_per_million_tokens": 1e6, "batch_texts": 2, "max_concurrency": 1}
    index = make_index(embedding=embedding, limits={"max_cost_usd": 130, "batches_in_flight": 1})
    embed = FakeHash.embed

    async def dear(self: FakeHash, texts: list[str], *, input_type: Any) -> Reply:
        reply = await embed(self, texts, input_type=input_type)
        return Reply(reply.vectors, tokens=24)  # twelve are expected, so 120 in all

    with monkeypatch.context() as patch:
        patch.setattr(FakeHash, "embed", dear)
        with pytest.raises(BudgetError, match=r"\$132\.0000, over limits\.max_cost_usd \(\$130\)"):
            index.ingest()
    (run,) = index.runs()
    assert (run.status, run.report["tokens"], run.report["cost_usd"], run.report["embedded"]) == (
        "failed",
        120,
        120,
        10,
    )
    rest = make_index(embedding=embedding).ingest()
    assert (rest.embedded, rest.reused, rest.cost_usd) == (10, 10, 60)


def test_a_run_within_its_free_tokens_costs_nothing_and_the_next_pays_for_the_rest(make_index: Make, docs: Any) -> None:
    embedding = {"model": "fake/hash", "price_per_million_tokens": 1e6, "free_tokens": 30}
    limits = {"max_cost_usd": 10}
    (docs / "a.md").write_text("one " * 20, encoding="utf-8")
    first = make_index(embedding=embedding, limits=limits).ingest()
    assert (first.tokens, first.cost_usd) == (20, 0)
    (docs / "b.md").write_text("two " * 15, encoding="utf-8")
    second = make_index(embedding=embedding, limits=limits).ingest()
    assert (second.tokens, second.cost_usd) == (15, 5)
    (docs / "c.md").write_text("three " * 11, encoding="utf-8")
    with pytest.raises(BudgetError):
        make_index(embedding=embedding, limits=limits).ingest()
