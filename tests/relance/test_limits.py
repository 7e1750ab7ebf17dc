"""AdaptiveLimit and RateLimit, on a clock of their own."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from relance.limits import AdaptiveLimit, RateLimit


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        await asyncio.sleep(0)


def spend_all(per_minute, amounts):
    """Return when each amount was let through."""
    clock = Clock()
    times = []

    async def main():
        rate = RateLimit(per_minute, clock=clock, sleep=clock.sleep)
        for amount in amounts:
            await rate.acquire(amount)
            times.append(clock.now)

    asyncio.run(main())
    return times


@given(st.integers(1, 100_000), st.data())
def test_no_minute_gets_more_than_the_limit(per_minute, data):
    amounts = data.draw(st.lists(st.integers(1, max(1, per_minute // 60)), min_size=1, max_size=150))
    times = spend_all(per_minute, amounts)
    for i, start in enumerate(times):
        spent = sum(amount for time, amount in zip(times[i:], amounts[i:], strict=True) if time < start + 60)
        assert spent <= per_minute


@given(st.integers(60, 100_000), st.integers(50, 300))
def test_the_limit_is_used_almost_fully(per_minute, requests):
    second = per_minute / 60
    times = spend_all(per_minute, [second] * requests)
    assert times[-1] <= (requests - 1) * 1.02 + 1e-6


@given(st.lists(st.integers(1, 5_000), min_size=2, max_size=40))
def test_an_amount_above_a_seconds_worth_passes_and_is_paid_back(amounts):
    times = spend_all(600, amounts)  # 10 a second
    assert times[-1] >= (sum(amounts[:-1]) - 10) / 10


def test_no_limit_never_waits():
    assert spend_all(0, [1e9] * 3) == [0.0, 0.0, 0.0]


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


def flight(limit, requests, *, on_reply):
    """Run requests under a limit; return the most that were in flight at once."""
    most = 0

    async def request(number):
        nonlocal most
        async with limit:
            most = max(most, limit.in_flight)
            epoch = limit.epoch
            await asyncio.sleep(0)
            on_reply(number, epoch)

    async def main():
        await asyncio.gather(*(request(number) for number in range(requests)))

    asyncio.run(main())
    return most


def test_concurrency_grows_on_success_up_to_the_maximum():
    limit = AdaptiveLimit(16)
    assert limit.limit == 4
    most = flight(limit, 200, on_reply=lambda *_: limit.succeeded())
    assert most == limit.limit == 16
    assert limit.in_flight == 0


def test_concurrency_starts_no_higher_than_the_maximum():
    assert AdaptiveLimit(2).limit == 2


def test_refusals_of_one_round_trip_halve_once():
    limit = AdaptiveLimit(64, start=32)
    epoch = limit.epoch
    for _ in range(32):
        limit.throttled(epoch)
    assert limit.limit == 16
    limit.throttled(limit.epoch)
    assert limit.limit == 8


def test_concurrency_never_falls_below_one():
    limit = AdaptiveLimit(4)
    for _ in range(10):
        limit.throttled(limit.epoch)
    assert limit.limit == 1
    assert flight(limit, 5, on_reply=lambda *_: None) == 1


def test_success_below_the_limit_does_not_raise_it():
    limit = AdaptiveLimit(16)

    async def main():
        for _ in range(50):
            async with limit:
                limit.succeeded()

    asyncio.run(main())
    assert limit.limit == 4


def test_after_a_refusal_growth_is_by_one_per_round_trip():
    limit = AdaptiveLimit(100, start=16)
    limit.throttled(limit.epoch)
    flight(limit, 8 + 9 + 10, on_reply=lambda *_: limit.succeeded())
    assert 9 <= limit.limit <= 12


@given(st.lists(st.sampled_from(["ok", "refused", "error"]), max_size=120), st.integers(1, 20))
def test_the_limit_holds_whatever_happens(outcomes, maximum):
    limit = AdaptiveLimit(maximum)

    def on_reply(number, epoch):
        assert 1 <= limit.limit <= maximum
        if outcomes[number] == "ok":
            limit.succeeded()
        elif outcomes[number] == "refused":
            limit.throttled(epoch)

    assert flight(limit, len(outcomes), on_reply=on_reply) <= maximum
    assert limit.in_flight == 0


def test_slots_are_given_in_order_and_cancelled_waiters_lose_none():
    async def main():
        limit = AdaptiveLimit(1)
        order = []

        async def wait(name):
            async with limit:
                order.append(name)

        async with limit:
            waiters = [asyncio.create_task(wait(name)) for name in "abcd"]
            await asyncio.sleep(0)
            waiters[1].cancel()  # while it waits
            await asyncio.sleep(0)
        waiters[0].cancel()  # in the moment it has been given the slot
        await asyncio.wait_for(asyncio.gather(*waiters, return_exceptions=True), 5)
        assert order == ["c", "d"]
        assert limit.in_flight == 0

    asyncio.run(main())


def test_a_waiter_cancelled_just_before_a_slot_is_free_is_skipped():
    async def main():
        limit = AdaptiveLimit(1)

        async def wait():
            async with limit:
                pass

        async with limit:
            waiters = [asyncio.create_task(wait()) for _ in range(3)]
            await asyncio.sleep(0)
            waiters[0].cancel()
        results = await asyncio.wait_for(asyncio.gather(*waiters, return_exceptions=True), 5)
        assert [type(result) for result in results] == [asyncio.CancelledError, type(None), type(None)]
        assert limit.in_flight == 0

    asyncio.run(main())
