"""What hosts do, and what all fetches of one host share: pace, pauses, headers, and the end of it."""

import asyncio
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from media_servers import PICTURE, Hurried, fetching, get, reply, serving
from virtual_time import Limited, ask_all

from relance.errors import GoneError, InputError, RateLimitedError, RelanceError, RetryableError
from relance.fetch import HostRules, RefusedBodyError


def many(answer, count=40, *, clock=None, **policy):
    """Fetch so many addresses of one server at once; returns the server and the outcomes."""

    class Everything(dict):
        def get(self, path, default=None):
            return answer

    async def main():
        async with serving(Everything()) as server, fetching(clock=clock, **policy) as fetcher:
            wanted = (fetcher.fetch(f"{server.url}/{n}.png") for n in range(count))
            return server, await asyncio.gather(*wanted, return_exceptions=True)

    return asyncio.run(main())


@pytest.mark.parametrize("allowed", [1, 4, 10, 33])
@pytest.mark.parametrize("pause", [1.0, None], ids=["it says when", "it does not"])
def test_a_host_with_a_limit_is_asked_at_the_pace_it_allows(allowed, pause):
    for seed in range(5):  # where its seconds begin
        server = Limited(allowed, pause=pause, seed=seed)
        assert ask_all((server, 20 * allowed))[0] <= 24, "the limit itself takes 20 s"
        assert server.refused <= max(5, 0.02 * server.asked)


def test_the_pace_is_tried_again_when_a_host_has_been_calm_for_a_while():
    slow, fast = Limited(10), Limited(1000)
    seconds = ask_all((slow, 200), (fast, 4000))
    assert fast.refused == 0
    assert seconds[1] < 300, "and not 400 s"


@pytest.mark.parametrize(("pause", "within_s"), [(2.0, 20), (None, 10)])
def test_a_host_that_refuses_each_address_once_is_not_slowed_down_for_that(pause, within_s):
    """It makes the picture meanwhile: 40 of them took minutes as long as each was a pause for all and a slower pace."""
    server = Limited(1000, pause=pause, once=True)
    assert ask_all((server, 200), status=503)[0] < within_s
    assert (server.asked, server.refused) == (400, 200)


def test_a_host_that_refuses_each_address_once_and_has_a_limit_is_not_asked_faster():
    server = Limited(10, once=True, seed=1)
    ask_all((server, 40), status=503)
    assert server.refused <= 40 + 5


@pytest.mark.parametrize(
    ("status", "headers"), [(429, {"retry_after": "1"}), (429, {}), (503, {"retry_after": "1"}), (503, {})]
)
def test_a_refusal_uses_up_nobodys_attempts_or_time(status, headers):
    answers = [reply(body=PICTURE), *[reply(status, **headers)] * 6] * 20

    async def answer(_, writer):
        writer.write(answers.pop(0) if answers else reply(body=PICTURE))
        await writer.drain()

    _, outcomes = many(answer, 40, timeout_s=1.0, attempts=1, connections=1, patience_s=1000.0)
    assert [getattr(each, "size", each) for each in outcomes] == [len(PICTURE)] * 40


def test_what_was_refused_goes_first_once_and_then_waits_with_the_others():
    """Its second answer says whether the pause was what the host wanted."""
    routes = {f"/{n}": reply(body=PICTURE) for n in range(1, 5)}
    routes["/0"] = [reply(429, retry_after="1"), reply(429, retry_after="1"), reply(body=PICTURE)]

    async def main():
        async with serving(routes) as server, fetching(connections=1) as fetcher:
            await asyncio.gather(*(fetcher.fetch(f"{server.url}/{n}") for n in range(5)))
            assert server.paths == ["/0", "/0", "/1", "/2", "/3", "/4", "/0"]

    asyncio.run(main())


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_all_who_wait_for_a_host_pause_as_long_as_it_says(form):
    clock, at = Hurried(), []
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    refusal = reply(429, retry_after="90" if form == "seconds" else until)
    answers = [refusal, reply(body=PICTURE), reply(body=PICTURE), reply(body=PICTURE)]

    async def answer(headers, writer):
        at.append(clock.time)
        writer.write(answers.pop(0))
        await writer.drain()

    _, outcomes = many(answer, 3, clock=clock, connections=1, timeout_s=1.0, attempts=1)
    assert [each.data for each in outcomes] == [PICTURE] * 3
    assert at[0] == 1000
    assert all(1085 < each < 1092 for each in at[1:])


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_asks_for_an_hour_is_left_to_the_next_run(status):
    server, outcomes = many(reply(status, retry_after="3600"), 40)
    assert {type(each) for each in outcomes} == {RateLimitedError}
    assert len(server.requests) <= 2
    host = f"media.example:{server.port}"
    said = f"{host} asks to come back in 1 h ({status}), more than media.fetch.patience_s (120 s); the rest of it is "
    assert all(f"{said}left to the next run." in str(each) for each in outcomes[2:])


def test_a_host_that_never_stops_refusing_is_waited_for_as_long_as_patience_lasts():
    clock = Hurried()
    server, outcomes = many(reply(429), clock=clock)
    assert {type(each) for each in outcomes} == {RateLimitedError}
    assert "still refuses after 1.05 min of pauses (429); the rest of it is left to the next run." in str(outcomes[-1])
    assert clock.slept < 120
    assert len(server.requests) <= 10


def test_one_address_that_is_always_refused_ends_while_the_others_go_through():
    routes = {"/a": reply(429, retry_after="1")} | {f"/{n}": reply(body=PICTURE) for n in range(30)}

    async def main():
        async with serving(routes) as server, fetching() as fetcher:
            wanted = (fetcher.fetch(f"{server.url}/{name}") for name in ["a", *range(30)])
            first, *others = await asyncio.gather(*wanted, return_exceptions=True)
            assert type(first) is RateLimitedError
            assert [each.data for each in others] == [PICTURE] * 30

    asyncio.run(main())


async def hang_up(headers, writer):
    writer.transport.abort()


@pytest.mark.parametrize("what", ["drops", "refuses connections", "500", "503"])
def test_a_host_that_is_down_is_given_up_after_a_few(what):
    answer = {"500": reply(500), "503": reply(503)}.get(what, hang_up)
    clock = Hurried()
    if what == "refuses connections":
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://down.example:{unused.getsockname()[1]}"

            async def main():
                async with fetching(clock=clock) as fetcher:
                    wanted = (fetcher.fetch(f"{url}/{n}") for n in range(1000))
                    return await asyncio.gather(*wanted, return_exceptions=True)

            outcomes = asyncio.run(main())
    else:
        server, outcomes = many(answer, 1000, clock=clock)
        assert len(server.requests) <= 50
    assert clock.slept < 60, "shared by all"
    assert all(isinstance(each, RelanceError) for each in outcomes)
    ends = [str(each) for each in outcomes if "given up" in str(each)]
    assert len(ends) > 950
    assert all("was given up for this run after failures in a row, the last: " in each for each in ends)
    assert type(outcomes[-1]) is RetryableError


def test_a_silent_host_costs_two_rounds_of_waiting():
    async def hang(headers, writer):
        await asyncio.sleep(60)

    started = time.monotonic()
    server, outcomes = many(hang, 200, idle_s=0.1)
    assert time.monotonic() - started < 3
    assert len(server.requests) <= 6
    assert {type(each) for each in outcomes} == {RetryableError}


def test_a_host_that_is_back_after_a_moment_is_not_given_up():
    clock = Hurried()

    async def restarting(headers, writer):
        if clock.time < 1003:
            writer.transport.abort()
            return
        writer.write(reply(body=PICTURE, connection="close"))
        await writer.drain()

    _, outcomes = many(restarting, 100, clock=clock, attempts=5)
    assert sum(not isinstance(each, Exception) for each in outcomes) == 100


def test_another_host_goes_on_while_one_is_down():
    async def main():
        async with serving({"/a": reply(body=PICTURE)}) as good, serving({"/a": hang_up}) as bad, fetching() as fetcher:
            urls = [f"{server.url}/a?{n}" for n in range(30) for server in (bad, good)]
            found = await asyncio.gather(*(fetcher.fetch(url) for url in urls), return_exceptions=True)
            assert [isinstance(each, Exception) for each in found] == [True, False] * 30

    asyncio.run(main())


# One request an address


def test_an_address_is_asked_once_whatever_the_number_of_rows():
    async def main():
        routes = {"/a": reply(body=PICTURE), "/gone": reply(404), "/known": reply(304, content_length=None)}
        async with serving(routes) as server, fetching() as fetcher:
            for _ in range(2):  # two batches
                found = await asyncio.gather(*(fetcher.fetch(f"{server.url}/a") for _ in range(1000)))
                assert all(each.data == PICTURE for each in found)
                wanted = (fetcher.fetch(f"{server.url}/gone") for _ in range(100))
                gone = await asyncio.gather(*wanted, return_exceptions=True)
                assert {type(each) for each in gone} == {GoneError}
                known = await asyncio.gather(*(fetcher.fetch(f"{server.url}/known", etag='"v1"') for _ in range(100)))
                assert all(each.unchanged for each in known)
            assert sorted(server.paths) == ["/a", "/gone", "/known"]

    asyncio.run(main())


def test_who_waits_for_an_address_asks_itself_when_the_first_is_cancelled():
    async def main():
        arrived = asyncio.Event()

        async def hang(headers, writer):
            arrived.set()
            await asyncio.sleep(60)

        async with serving({"/a": [hang, reply(body=PICTURE)]}) as server, fetching() as fetcher:
            first, second = (asyncio.create_task(fetcher.fetch(f"{server.url}/a")) for _ in range(2))
            await arrived.wait()
            first.cancel()
            assert (await second).data == PICTURE

    asyncio.run(main())


# Headers


def test_headers_of_a_host_go_to_it_and_to_no_other():
    rules = HostRules(headers=(("Referer", "https://shop.example/"), ("Authorization", "S3CRET"), ("user-agent", "Mo")))

    async def main():
        async with serving({"/b": reply(body=PICTURE)}) as cdn:
            routes = {"/a": reply(302, location=f"http://cdn.example:{cdn.port}/b")}
            async with serving(routes) as server, fetching(hosts=(("media.example", rules),)) as fetcher:
                assert (await fetcher.fetch(f"{server.url}/a")).data == PICTURE
                sent, others = server.requests[0][1], cdn.requests[0][1]
                assert (sent["referer"], sent["authorization"]) == ("https://shop.example/", "S3CRET")
                assert sent["user-agent"] == "Mo"
                assert not {"referer", "authorization"} & others.keys()
                assert others["user-agent"].startswith("relance/")

    asyncio.run(main())
    assert "S3CRET" not in repr(rules)


def test_a_pace_that_was_declared_holds_from_the_first_request():
    clock = Hurried()
    many(reply(body=PICTURE), 50, clock=clock, hosts=(("*.example", HostRules(per_second=5.0)),))
    assert 9.5 <= clock.time - 1000 <= 10.5


# Habits


def test_only_get_is_asked():
    async def main():
        routes = {"/a": reply(302, location="/b"), "/b": reply(body=PICTURE)}
        async with serving(routes) as server, fetching() as fetcher:
            await fetcher.fetch(f"{server.url}/a")
        return server.verbs

    assert asyncio.run(main()) == {"GET"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cache_control": "public, max-age=86400"}, 86400),
        ({"cache_control": "max-age=86400", "age": "6400"}, 80000),
        ({"cache_control": "no-cache, max-age=86400"}, 0),
        ({"cache_control": "no-store"}, 0),
        ({"cache_control": "max-age=86400", "expires": "0"}, 86400),
        ({"date": "Sun, 22 Nov 2026 10:00:00 GMT", "expires": "Sun, 22 Nov 2026 12:00:00 GMT"}, 7200),
        ({"expires": "0"}, 0),
        ({"expires": "nonsense"}, 0),
        ({}, 0),
    ],
)
def test_how_long_an_answer_is_fresh_is_read(headers, seconds):
    clock = Hurried()
    _, got = get({"/a": reply(body=PICTURE, **headers)}, clock=clock)
    assert got.fresh_until == (seconds and clock.date() + seconds)


@pytest.mark.parametrize(
    ("recheck_s", "after_s", "asked"),
    [(None, 3599, 0), (None, 3601, 1), (0.0, 60, 1), (86400.0, 86000, 0), (86400.0, 87000, 1), (600.0, 60, 0)],
)
def test_what_is_fresh_is_not_asked_for(recheck_s, after_s, asked):
    clock = Hurried()
    routes = {"/a": reply(body=PICTURE, etag='"v1"', cache_control="max-age=3600")}
    _, first = get(routes, clock=clock, policy={"recheck_s": recheck_s})
    clock.time += after_s
    options = {"etag": first.etag, "fresh_until": first.fresh_until}
    server, second = get(routes, clock=clock, policy={"recheck_s": recheck_s}, **options)
    assert (second.unchanged, len(server.requests)) == (True, asked)


def test_a_promise_of_a_year_holds_for_a_week_and_one_longer_than_the_spec_wants_for_nothing():
    clock = Hurried()
    routes = {"/a": reply(body=PICTURE, etag='"v1"', cache_control="max-age=31536000, immutable")}
    _, first = get(routes, clock=clock)
    assert first.fresh_until == clock.date() + 7 * 86400
    server, _ = get(routes, clock=clock, etag='"v1"', fresh_until=first.fresh_until, policy={"recheck_s": 3600.0})
    assert len(server.requests) == 1


def test_the_first_bytes_of_a_large_body_may_be_enough():
    sent = 0

    def look(head):
        assert len(head) == 65536
        raise InputError("seen enough.")

    async def large(headers, writer):
        nonlocal sent
        writer.write(reply(content_length=1 << 29, etag='"v1"'))
        while True:
            writer.write(PICTURE * 10)
            sent += len(PICTURE) * 10
            await writer.drain()

    async def main():
        async with serving({"/a": large}) as server, fetching(look=look, max_bytes=1 << 30) as fetcher:
            with pytest.raises(RefusedBodyError, match=r"/a: seen enough\.") as refused:
                await fetcher.fetch(f"{server.url}/a")
            assert refused.value.found.etag == '"v1"'

    asyncio.run(main())
    assert sent < 32 << 20
