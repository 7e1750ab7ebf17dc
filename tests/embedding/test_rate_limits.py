"""RateLimit and the limits that runs share, on a clock of their own."""

import asyncio
import gc
import math
import random
import threading
import weakref
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.config import EmbeddingSpec
from relance.embedding.dispatch import Dispatcher
from relance.embedding.providers import open_provider
from relance.embedding.providers.fake import FakeHash
from relance.embedding.rate_limits import Limits, RateLimit, shared_limits


class Clock:
    """Time that passes only by sleeping, which takes up to `late` seconds longer than asked for."""

    def __init__(self, late: float = 0.0) -> None:
        self.now = 0.0
        self.late = late
        self.random = random.Random(7)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds + self.random.uniform(0, self.late)
        await asyncio.sleep(0)


def spend_all(per_minute, amounts, *, share=1.0, late=0.0, **options):
    """Return when each amount was let through."""
    clock = Clock(late)
    times = []

    async def main():
        rate = RateLimit(per_minute, clock=clock, sleep=clock.sleep, **options)
        rate.share = share
        for amount in amounts:
            await rate.acquire(amount)
            times.append(clock.now)

    asyncio.run(main())
    return times


@settings(deadline=None)
@given(st.integers(1, 100_000), st.data())
def test_no_minute_gets_more_than_the_limit(per_minute, data):
    amounts = data.draw(st.lists(st.integers(1, max(1, per_minute // 60)), min_size=1, max_size=150))
    times = spend_all(per_minute, amounts)
    for i, start in enumerate(times):
        spent = sum(amount for time, amount in zip(times[i:], amounts[i:], strict=True) if time < start + 60)
        assert spent <= per_minute


@settings(deadline=None)
@given(st.integers(60, 100_000), st.integers(50, 300))
def test_the_limit_is_used_almost_fully(per_minute, requests):
    second = per_minute / 60
    times = spend_all(per_minute, [second] * requests)
    assert times[-1] <= (requests - 1) * 1.02 + 1e-6


@settings(deadline=None)
@given(st.lists(st.integers(1, 5_000), min_size=2, max_size=40))
def test_an_amount_above_a_seconds_worth_passes_and_is_paid_back(amounts):
    times = spend_all(600, amounts)  # 10 a second
    assert times[-1] >= (sum(amounts[:-1]) - 10) / 10


def test_no_limit_never_waits():
    assert spend_all(0, [1e9] * 3) == spend_all(0, [1e9] * 3, even=True) == [0.0, 0.0, 0.0]


# Evenly spread

PUBLISHED = [60, 600, 1800, 6000, 60_000]
late_by = st.sampled_from([0.0, 0.002, 0.02, 0.2, 3.0])


def most_within(times, seconds):
    """Count the most that went through in any window of so many seconds."""
    most = first = 0
    for last, time in enumerate(times):
        while times[first] <= time - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


@settings(deadline=None)
@given(st.one_of(st.sampled_from(PUBLISHED), st.integers(1, 100_000)), st.integers(1, 400), late_by)
def test_no_second_sees_more_than_its_share_however_late_we_wake(per_minute, requests, late):
    times = spend_all(per_minute, [1] * requests, even=True, late=late)
    assert most_within(times, 1) <= math.ceil(per_minute / 60)
    assert most_within(times, 60) <= max(per_minute, 1)


@settings(deadline=None)
@given(st.one_of(st.sampled_from(PUBLISHED), st.integers(30, 100_000)), st.integers(100, 400))
def test_even_spreading_uses_the_limit_almost_fully_though_we_wake_a_little_late(per_minute, requests):
    for late in (0.0, 0.02):  # of an event loop that has other things to do, too
        times = spend_all(per_minute, [1] * requests, even=True, late=late)
        allowed = times[-1] * per_minute / 60
        # What the last one overslept comes before nobody's turn.
        assert requests - 1 >= 0.96 * (allowed - late * per_minute / 60)


def test_even_spreading_lets_the_first_through_at_once_and_no_bunch_behind_it():
    times = spend_all(1800, [1] * 10, even=True)
    assert times[0] == 0.0
    assert all(later - earlier > 0.003 for earlier, later in pairwise(times))
    assert all(later - earlier > 0.03 for earlier, later in pairwise(times[1:]))


@settings(deadline=None)
@given(st.floats(0.05, 1.0), st.booleans(), st.integers(30, 100_000), st.lists(st.integers(1, 50), max_size=100))
def test_a_share_of_a_limit_is_a_smaller_limit(share, even, per_minute, amounts):
    shared = spend_all(per_minute, amounts, share=share, even=even)
    assert shared == pytest.approx(spend_all(per_minute * share, amounts, even=even), rel=1e-6, abs=1e-6)


@settings(deadline=None)
@given(st.lists(st.floats(0.05, 1.0), min_size=2, max_size=6), st.booleans())
def test_a_share_may_change_while_somebody_waits(shares, even):
    async def main():
        clock = Clock()
        rate = RateLimit(600, even=even, clock=clock, sleep=clock.sleep)

        async def other():
            for share in shares:
                rate.share = share
                await asyncio.sleep(0)

        await asyncio.gather(*(rate.acquire(20) for _ in range(4)), other())
        return clock.now

    assert asyncio.run(main()) >= 3 * 20 / 10.31


# Shared


def limits(name="model", **rates):
    defaults = {"concurrency": 4, "requests_per_minute": 60, "tokens_per_minute": 1000}
    return shared_limits((name, "", ""), **(defaults | rates))


def test_on_one_loop_a_service_has_one_set_of_limits_for_each_set_of_rates():
    async def main():
        assert limits() is limits()
        others = [limits("other"), limits(concurrency=5), limits(requests_per_minute=61), limits(tokens_per_minute=0)]
        assert len({id(each) for each in [limits(), *others]}) == 5

    asyncio.run(main())


def test_loops_share_nothing_and_ended_ones_are_forgotten():
    async def main():
        found = limits()
        waiters = [asyncio.create_task(found.tokens.acquire(900)) for _ in range(3)]  # their lock now knows the loop
        await asyncio.sleep(0.01)
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)
        return found, weakref.ref(asyncio.get_running_loop())

    first, loop = asyncio.run(main())
    second, _ = asyncio.run(main())
    assert first is not second
    del first
    gc.collect()
    assert loop() is None


def test_threads_with_loops_of_their_own_do_not_disturb_each_other():
    found, errors = [], []

    def work():
        async def main():
            for number in range(200):
                assert limits(str(number)) is limits(str(number))
            return limits()

        try:
            found.extend([asyncio.run(main()) for _ in range(5)])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len({id(each) for each in found}) == 30


def parts(dispatcher):
    return dispatcher.concurrency, dispatcher.request_rate, dispatcher.token_rate


def test_two_dispatchers_share_their_limits_on_one_loop_and_not_on_two():
    spec = EmbeddingSpec(model="fake/hash", requests_per_minute=600, tokens_per_minute=10_000)

    async def main(*, shared=True, other=spec):
        return parts(Dispatcher(open_provider(spec), spec, shared=shared)), parts(
            Dispatcher(open_provider(other), other, shared=shared)
        )

    def same(pair):
        return [one is two for one, two in zip(*pair, strict=True)]

    (first, _) = pair = asyncio.run(main())
    assert same(pair) == [True] * 3
    assert [bool(rate) for rate in first[1:]] == [True, True]
    assert same((first, asyncio.run(main())[0])) == [False] * 3
    assert same(asyncio.run(main(shared=False))) == [False] * 3
    assert same(asyncio.run(main(other=spec.model_copy(update={"base_url": "http://127.0.0.1:1/v1"})))) == [False] * 3


def test_the_same_model_in_two_regions_has_two_limits():
    spec = EmbeddingSpec(model="fake/hash")

    def open_in(region):
        provider = FakeHash(spec)
        provider.info = replace(provider.info, region=region)
        return provider

    async def main():
        return [Dispatcher(open_in(region), spec, shared=True) for region in ("a", "b", "a")]

    one, two, again = asyncio.run(main())
    assert one.concurrency is again.concurrency is not two.concurrency


def test_limits_have_even_requests_and_tokens_by_the_second():
    of = Limits.of(concurrency=3, requests_per_minute=600, tokens_per_minute=600)

    async def main():
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for _ in range(9):
            await of.tokens.acquire()
        at_once = loop.time() - begin
        for _ in range(3):
            await of.requests.acquire()
        return at_once, loop.time() - begin - at_once

    at_once, spread = asyncio.run(main())
    assert at_once < 0.05
    assert spread >= 0.15
    assert of.concurrency.maximum == 3


def test_a_large_amount_is_not_overtaken_by_small_ones():
    clock = Clock()
    order = []

    async def main():
        rate = RateLimit(60, clock=clock, sleep=clock.sleep)
        await rate.acquire(1)

        async def spend(name, amount):
            await rate.acquire(amount)
            order.append(name)

        await asyncio.gather(spend("large", 50), spend("small", 0.001), spend("smaller", 0.0001))

    asyncio.run(main())
    assert order == ["large", "small", "smaller"]


def test_a_cancelled_waiter_spends_nothing_and_blocks_nobody():
    async def main():
        asleep = asyncio.Event()

        async def forever(_seconds):
            asleep.set()
            await asyncio.Event().wait()

        now = 0.0
        rate = RateLimit(60, clock=lambda: now, sleep=forever)
        await rate.acquire(1)
        waiter = asyncio.create_task(rate.acquire(1))
        await asleep.wait()
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        now = 1.1  # enough for exactly one
        await asyncio.wait_for(rate.acquire(1), 5)

    asyncio.run(main())
