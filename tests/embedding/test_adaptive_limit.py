"""AdaptiveLimit: how many requests are in flight at once."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from relance.embedding.rate_limits import AdaptiveLimit


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


@settings(deadline=None)
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
