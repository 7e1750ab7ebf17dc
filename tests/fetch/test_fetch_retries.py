"""Errors of a fetch: what may pass is tried again, what stays is refused at once."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from media_servers import PICTURE, fetching, get, reply, serving

from relance.errors import InputError, RateLimitedError, RetryableError


async def reset(headers, writer):
    writer.write(reply(content_length=1000) + b"x" * 500)
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.transport.abort()


async def hang_up(headers, writer):
    writer.transport.abort()


async def less_than_declared(headers, writer):
    writer.write(reply(content_length=1000) + b"x" * 500)
    await writer.drain()


TRANSIENT = {
    "reset in the middle": reset,
    "hung up": hang_up,
    "less than declared": less_than_declared,
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
    "contradictory lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "408": reply(408),
    "425": reply(425),
    "500": reply(500, b"oops"),
    "502": reply(502),
    "503": reply(503),
}


@pytest.mark.parametrize("what", TRANSIENT)
def test_what_may_pass_is_tried_again_a_few_times(what):
    server, got = get({"/a": [TRANSIENT[what], TRANSIENT[what], reply(body=PICTURE)]})
    assert got.data == PICTURE
    assert len(server.requests) == 3
    server, got = get({"/a": [TRANSIENT[what]] * 3})
    assert isinstance(got, RetryableError)
    assert str(got).startswith(f"{server.url}/a: ")
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, "there is nothing at this address (404)"),
        (410, "there is nothing at this address (410)"),
        (401, "the server wants a login or refuses (401)"),
        (403, "the server wants a login or refuses (403)"),
        (400, "status 400 instead of a file"),
        (204, "status 204 instead of a file"),
        (206, "status 206 instead of a file"),
        (300, "status 300 instead of a file"),
        (451, "status 451 instead of a file"),
    ],
)
def test_what_stays_refused_is_asked_for_once(status, reason):
    server, got = get({"/a": reply(status, content_length=None if status == 204 else 0)}, "/a?key=S3CRET")
    assert isinstance(got, InputError)
    assert reason in str(got)
    assert "S3CRET" not in str(got)
    assert len(server.requests) == 1


def test_more_than_declared_is_left_unread_and_does_not_spoil_the_next_fetch():
    async def main():
        routes = {"/a": reply(body=PICTURE, content_length=100), "/b": reply(body=b"next")}
        async with serving(routes) as server, fetching(connections=1) as fetcher:
            assert (await fetcher.fetch(f"{server.url}/a")).data == PICTURE[:100]
            assert (await fetcher.fetch(f"{server.url}/b")).data == b"next"

    asyncio.run(main())


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_pause_beyond_the_time_allowed_is_left_to_the_caller(status, form):
    date = (datetime.now(UTC) + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    when = date if form == "date" else "3600"
    server, got = get({"/a": reply(status, retry_after=when)})
    assert type(got) is RateLimitedError
    assert 3000 < got.retry_after_s <= 3600
    assert len(server.requests) == 1


def test_an_error_after_a_redirect_names_both_addresses():
    server, got = get({"/a": reply(302, location="/b?token=S3CRET"), "/b": reply(404)}, "/a?token=S3CRET")
    assert str(got) == f"{server.url}/a, redirected to {server.url}/b: there is nothing at this address (404)."


def test_a_failed_fetch_logs_no_secret(caplog):
    caplog.set_level("DEBUG")
    get({"/a": [reply(500), reply(body=PICTURE)]}, "/a?token=S3CRET")
    assert "S3CRET" not in caplog.text
    assert not any("S3CRET" in repr(record.__dict__) for record in caplog.records)
