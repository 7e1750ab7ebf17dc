"""Several callers, one event."""

import asyncio

import pytest

from relance.events import Change
from relance.events.gathering import Gathering


def change(name: str, index: str = "a") -> Change:
    return Change(index, changed=(name,))


def test_what_comes_within_a_moment_is_one_event_per_index():
    async def scenario():
        taken = []
        gathering = Gathering(taken.append, wait_s=0.05)
        await asyncio.gather(*(gathering.add(change(name, index)) for name in "xy" for index in "ab"))
        await gathering.add(change("z"))
        return taken

    assert asyncio.run(scenario()) == [Change("a", changed=("x", "y")), Change("b", changed=("x", "y")), change("z")]


def test_a_caller_that_gives_up_takes_no_change_along():
    async def scenario():
        taken = []
        gathering = Gathering(taken.append, wait_s=0.05)
        others = asyncio.create_task(gathering.add(change("y")))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await gathering.add(change("x"))
        await others
        return taken

    assert asyncio.run(scenario()) == [Change("a", changed=("x", "y"))]


def test_closing_waits_for_what_is_being_sent_and_a_failure_that_nobody_hears_is_no_noise():
    async def scenario():
        def fail(_):
            raise ZeroDivisionError

        gathering = Gathering(fail, wait_s=0.01)
        caller = asyncio.create_task(gathering.add(change("x")))
        await asyncio.sleep(0)
        caller.cancel()
        await gathering.aclose()
        return gathering._sending

    assert asyncio.run(scenario()) == set()
