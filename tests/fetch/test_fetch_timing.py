"""How long a fetch may take, and how many run at once."""

import asyncio
import time

import pytest
from media_servers import PICTURE, fetching, get, reply, serving

from relance.errors import RetryableError


def test_a_slow_drip_ends_with_the_time_allowed_for_the_whole_fetch():
    async def drip(headers, writer):
        writer.write(reply(content_length=1000))
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    started = time.monotonic()
    server, got = get({"/a": drip}, policy={"timeout_s": 0.4, "idle_s": 0.2})
    assert type(got) is RetryableError
    assert str(got) == f"{server.url}/a: it did not arrive within 0.4 s."
    assert time.monotonic() - started < 3
    assert len(server.requests) == 1


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX", reply(content_length=10) + b"abc"])
def test_silence_ends_an_attempt_and_another_is_made(head):
    async def hang(headers, writer):
        writer.write(head)
        await writer.drain()
        await asyncio.sleep(60)

    server, got = get({"/a": hang}, policy={"idle_s": 0.1, "attempts": 2})
    assert type(got) is RetryableError
    assert str(got) == f"{server.url}/a: nothing came for 0.1 s."
    assert len(server.requests) == 2


def test_the_time_spent_waiting_for_a_turn_does_not_count():
    async def slow(headers, writer):
        await asyncio.sleep(0.15)
        writer.write(reply(body=PICTURE))
        await writer.drain()

    async def main():
        async with serving({"/a": slow}) as server, fetching(timeout_s=1.0, connections=1) as fetcher:
            got = await asyncio.gather(*(fetcher.fetch(f"{server.url}/a?{n}") for n in range(8)))
            assert [one.data for one in got] == [PICTURE] * 8

    asyncio.run(main())


def test_no_more_connections_are_open_than_allowed():
    now = peak = 0

    async def slow(headers, writer):
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(0.02)
        now -= 1
        writer.write(reply(body=PICTURE))
        await writer.drain()

    async def main():
        async with serving({"/a": slow}) as server, fetching(connections=3) as fetcher:
            await asyncio.gather(*(fetcher.fetch(f"{server.url}/a?{n}") for n in range(24)))

    asyncio.run(main())
    assert peak == 3


def test_a_cancelled_fetch_gives_its_turn_to_the_next():
    """No limit of time is near: at high load the first fetch ran into its own before it arrived, and nothing did."""

    async def main():
        arrived = asyncio.Event()

        async def hang(headers, writer):
            arrived.set()
            await asyncio.sleep(1000)

        routes = {"/hang": hang, "/a": reply(body=PICTURE)}
        async with serving(routes) as server, fetching(connections=1, idle_s=1000.0, timeout_s=1000.0) as fetcher:
            hanging = asyncio.create_task(fetcher.fetch(f"{server.url}/hang"))
            arriving = asyncio.create_task(arrived.wait())
            await asyncio.wait({hanging, arriving}, return_when=asyncio.FIRST_COMPLETED)
            following = asyncio.create_task(fetcher.fetch(f"{server.url}/a"))
            for _ in range(20):
                await asyncio.sleep(0)
            assert server.paths == ["/hang"], "the other waits for its turn"
            hanging.cancel()
            with pytest.raises(asyncio.CancelledError):
                await hanging
            assert (await following).data == PICTURE

    asyncio.run(main())
