"""Fetching from servers on the loopback address that redirect, dawdle, lie and bomb."""

import asyncio
import gzip
import random
import socket
import ssl
import time
import tracemalloc
import zlib
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import stamina
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.documents import digest
from relance.errors import InputError, RateLimitedError, RetryableError
from relance.media.fetch import Fetched, Fetcher, FetchPolicy, UnsafeURLError
from relance.media.fetch.body import read_body

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


def reply(status=200, body=b"", **headers):
    """A whole response; names of headers with _ for -; `content_length=None` leaves it out."""
    headers = {"content_length": len(body)} | headers
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *lines, "", ""]).encode("latin-1") + body


class Server:
    """Answers by path: with bytes, with the next of a list, or by a function of request and writer that then hangs up.

    Attributes:
        requests: (path, headers) of every request.
        connections: how many were opened.
    """

    port = 0
    url = ""

    def __init__(self, routes):
        self.routes = routes
        self.requests = []
        self.connections = 0

    async def __call__(self, reader, writer):
        self.connections += 1
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                path = first.split()[1].partition("?")[0]
                self.requests.append((path, headers))
                answer = self.routes.get(path, reply(404))
                answer = answer.pop(0) if isinstance(answer, list) else answer
                if not isinstance(answer, bytes):
                    await answer(headers, writer)
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @property
    def paths(self):
        return [path for path, _ in self.requests]


@asynccontextmanager
async def serving(routes, tls=None):
    server = Server(routes)
    listener = await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    scheme = "https" if tls else "http"
    server.url = f"{scheme}://media.example:{server.port}"
    try:
        yield server
    finally:
        listener.close()


async def at_home(host, port):
    if host.endswith(".example"):
        return ["127.0.0.1"]
    raise socket.gaierror(socket.EAI_NONAME, "no")


@asynccontextmanager
async def fetching(trusted=None, **policy):
    plain = FetchPolicy(max_bytes=1 << 20, timeout_s=10.0, idle_s=5.0, allow=("media.example", "cdn.example"))
    fetcher = Fetcher(replace(plain, **policy), resolve=at_home, trusted=trusted)
    try:
        yield fetcher
    finally:
        await fetcher.aclose()


def get(routes, path="/a", *, policy=None, **options):
    """Serve, fetch one path, and return server and outcome; an error is an outcome."""

    async def main():
        async with serving(routes) as server, fetching(**policy or {}) as fetcher:
            try:
                return server, await fetcher.fetch(server.url + path, **options)
            except (InputError, RetryableError) as error:
                return server, error

    with stamina.set_testing(True, attempts=100, cap=True):  # no pauses, but the policy's attempts
        return asyncio.run(main())


def test_a_fetch_gives_the_body_its_hash_and_what_the_server_declared():
    headers = {"content_type": "Image/PNG; charset=x", "etag": '"v1"', "last_modified": DATE}
    server, got = get({"/a": reply(body=PICTURE, **headers)}, "/a?size=full#top")
    assert got == Fetched(
        url=f"{server.url}/a?size=full",
        data=PICTURE,
        size=len(PICTURE),
        content_hash=digest("file", PICTURE),
        media_type="image/png",
        etag='"v1"',
        last_modified=DATE,
    )
    (_, sent) = server.requests[0]
    assert sent["host"] == f"media.example:{server.port}"
    assert sent["accept-encoding"] == "identity"
    assert sent["user-agent"].startswith("relance/")
    assert not {"cookie", "authorization", "referer", "if-none-match", "if-modified-since"} & sent.keys()


@pytest.mark.parametrize(
    ("declared", "media_type"),
    [
        (None, ""),
        ("", ""),
        ("nonsense", ""),
        ("text/html;charset=utf-8", "text/html"),
        ("image/svg+xml", "image/svg+xml"),
    ],
)
def test_a_media_type_is_taken_from_the_header_or_empty(declared, media_type):
    _, got = get({"/a": reply(body=PICTURE, content_type=declared)})
    assert (got.media_type, got.data) == (media_type, PICTURE)


# Conditions


def test_a_resource_that_has_not_changed_is_not_sent_again():
    routes = {"/a": reply(304, content_length=None, etag='"v2"')}
    server, got = get(routes, etag='"v1"', last_modified=DATE)
    assert (got.unchanged, got.data, got.content_hash, got.size) == (True, b"", "", 0)
    assert (got.etag, got.last_modified) == ('"v2"', DATE)
    sent = server.requests[0][1]
    assert (sent["if-none-match"], sent["if-modified-since"]) == ('"v1"', DATE)


def test_a_server_that_ignores_the_condition_is_not_read_to_the_end_if_the_strong_etag_is_equal():
    async def endless(headers, writer):
        writer.write(reply(content_length=10_000_000, etag='"v1"'))
        await writer.drain()
        await asyncio.sleep(60)

    started = time.monotonic()
    _, got = get({"/a": endless}, etag='"v1"', policy={"max_bytes": 100})
    assert got.unchanged
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(("given", "sent"), [('W/"v1"', 'W/"v1"'), ('"v1"', '"v2"'), ("", '"v1"'), ('"v1"', None)])
def test_a_weak_or_different_etag_proves_nothing(given, sent):
    _, got = get({"/a": reply(body=PICTURE, etag=sent)}, etag=given)
    assert (got.unchanged, got.data, got.etag) == (False, PICTURE, sent or "")


def test_a_server_that_says_unchanged_without_being_asked_has_given_nothing():
    _, got = get({"/a": reply(304, content_length=None)})
    assert type(got) is InputError
    assert "status 304" in str(got)


@pytest.mark.parametrize("validator", ['"a"\r\nX-Injected: 1', "\u4e2d", "x" * 5000, "a\x00"])
def test_a_validator_no_header_can_hold_is_not_sent(validator):
    server, got = get({"/a": reply(body=PICTURE)}, etag=validator, last_modified=validator)
    assert got.data == PICTURE
    assert not {"if-none-match", "if-modified-since", "x-injected"} & server.requests[0][1].keys()


def test_a_validator_goes_back_byte_for_byte():
    server, got = get({"/a": [reply(body=PICTURE, etag='"\xe9\xc3\xa9"')]})
    server, got = get({"/a": reply(304, content_length=None)}, etag=got.etag)
    assert (server.requests[0][1]["if-none-match"], got.unchanged) == ('"\xe9\xc3\xa9"', True)


def test_thousands_of_rechecks_share_their_connections():
    async def main():
        routes = {"/a": reply(304, content_length=None), "/b": reply(302, b"moved", location="/a"), "/c": reply(404)}
        async with serving(routes) as server, fetching(connections=4) as fetcher:

            async def recheck(path):
                try:
                    await fetcher.fetch(server.url + path, etag='"v1"')
                except InputError:
                    assert path == "/c"

            await asyncio.gather(*(recheck(path) for path in ["/a", "/b", "/c"] * 50))
            assert len(server.requests) == 200
            assert server.connections <= 4

    asyncio.run(main())


# Redirects


def test_redirects_are_followed_to_a_bound_and_the_final_address_is_told():
    hops = {f"/{n}": reply(status, location=f"{n + 1}") for n, status in enumerate([301, 302, 303, 307, 308])}
    server, got = get(hops | {"/5": reply(body=PICTURE)}, "/0")
    assert (got.data, got.url) == (PICTURE, f"{server.url}/5")
    server, got = get(hops | {"/5": reply(302, location="/6"), "/6": reply(body=PICTURE)}, "/0")
    assert type(got) is InputError
    assert str(got) == f"{server.url}/0: it redirects more than 5 times."
    assert server.paths == ["/0", "/1", "/2", "/3", "/4", "/5"]


def test_a_redirect_loop_ends():
    server, got = get({"/a": reply(302, location="/b"), "/b": reply(302, location="/a")}, policy={"max_redirects": 2})
    assert "redirects more than 2 times" in str(got)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{inward}/",
        "//127.0.0.1:{inward}/",
        "http://2130706433:{inward}/",
        "http://[::ffff:127.0.0.1]:{inward}/",
        "http://inward.example:{inward}/",
        "http://localhost:{inward}/",
        "http://user:pw@media.example:{inward}/",
        "http://media.example:{inward}\\@127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "file:///etc/passwd",
        "ftp://media.example/a",
        "gopher://127.0.0.1:{inward}/_x",
        "data:text/plain,hello",
        "javascript:alert(1)",
        "http://media.example:0/",
        "http://media.example:99999/",
        "http://\xff\xfe/",
    ],
)
@pytest.mark.parametrize("hops", [1, 2])
def test_a_redirect_leads_nowhere_a_url_may_not(location, hops):
    async def main():
        async with serving({"/": reply(body=b"secret")}) as inward:
            target = location.replace("{inward}", str(inward.port))
            outer = {"/a": reply(302, location="/b" if hops == 2 else target), "/b": reply(307, location=target)}
            # Allowed by port, so that the inward service is not.
            async with serving(outer) as server, fetching(allow=(f"media.example:{server.port}",)) as fetcher:
                with pytest.raises(UnsafeURLError) as caught:
                    await fetcher.fetch(f"{server.url}/a?token=S3CRET")
                assert str(caught.value).startswith(f"{server.url}/a")
                assert "S3CRET" not in str(caught.value)
                assert "user:pw" not in str(caught.value)
            assert not inward.connections

    asyncio.run(main())


@pytest.mark.parametrize(
    "location", ["\\\\127.0.0.1:{inward}/", "http:\\\\127.0.0.1:{inward}", "http://", "https:///etc"]
)
def test_a_redirect_that_names_no_host_stays_on_its_server(location):
    async def main():
        async with serving({"/": reply(body=b"secret")}) as inward:
            routes = {"/a": reply(302, location=location.replace("{inward}", str(inward.port)))}
            async with serving(routes) as server, fetching(allow=(f"media.example:{server.port}",)) as fetcher:
                with pytest.raises(InputError):
                    await fetcher.fetch(f"{server.url}/a")
            assert not inward.connections

    asyncio.run(main())


def test_a_redirect_may_change_host_and_gain_encryption_but_not_lose_it(tls, trusted):
    async def main():
        secure_routes = {"/down": reply(302, location="http://media.example:1/x"), "/a": reply(body=PICTURE)}
        plain_routes = {}
        async with (
            serving(secure_routes, tls("media.example")) as secure,
            serving(plain_routes) as plain,
            fetching(trusted) as fetcher,
        ):
            plain_routes["/up"] = reply(302, location=f"{secure.url}/a")
            assert (await fetcher.fetch(f"{plain.url.replace('media', 'cdn')}/up")).url == f"{secure.url}/a"
            with pytest.raises(UnsafeURLError, match="no longer encrypted"):
                await fetcher.fetch(f"{secure.url}/down")

    asyncio.run(main())


def test_cookies_are_neither_kept_nor_sent_on():
    routes = {"/a": reply(302, location="/b", set_cookie="id=1; Path=/"), "/b": reply(body=PICTURE)}
    server, _ = get(routes)
    assert "cookie" not in server.requests[1][1]


def test_a_redirect_to_nowhere_is_said_to_be_one():
    _, got = get({"/a": reply(302)})
    assert type(got) is InputError
    assert "redirects without saying where to" in str(got)


def test_a_location_in_utf_8_is_understood():
    routes = {"/a": reply(302, location="/ü".encode().decode("latin-1")), "/%C3%BC": reply(body=PICTURE)}
    _, got = get(routes)
    assert got.data == PICTURE


# Size


@pytest.mark.parametrize("framing", ["declared", "chunked", "until closed"])
def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_is_refused(framing):
    def framed(body):
        if framing == "declared":
            return reply(body=body)
        if framing == "chunked":
            chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            return reply(body=chunks, content_length=None, transfer_encoding="chunked")

        async def until_closed(headers, writer):
            writer.write(reply(body=body, content_length=None))
            await writer.drain()

        return until_closed

    policy = {"max_bytes": 1000}
    assert get({"/a": framed(b"x" * 1000)}, policy=policy)[1].size == 1000
    server, got = get({"/a": framed(b"x" * 1001)}, policy=policy)
    assert type(got) is InputError
    assert "more than the limit of 1000B" in str(got)
    assert len(server.requests) == 1
    assert get({"/a": framed(b"x" * 1001)}, policy=policy, max_bytes=1001)[1].size == 1001


def test_a_declared_length_over_the_limit_is_refused_before_the_body_comes():
    async def slow(headers, writer):
        writer.write(reply(content_length=1001))
        await writer.drain()
        await asyncio.sleep(60)

    started = time.monotonic()
    _, got = get({"/a": slow}, policy={"max_bytes": 1000})
    assert type(got) is InputError
    assert time.monotonic() - started < 5


def test_an_endless_body_is_cut_off_at_the_limit():
    sent = 0

    async def endless(headers, writer):
        nonlocal sent
        writer.write(reply(content_length=None))
        while True:
            writer.write(b"x" * 65536)
            sent += 65536
            await writer.drain()

    _, got = get({"/a": endless}, policy={"max_bytes": 1 << 20})
    assert type(got) is InputError
    assert sent < 32 << 20  # what fits into socket buffers


def bomb(size):
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(size >> 20)] + [packer.flush()])


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate"])
def test_a_decompression_bomb_is_defused_within_a_mebibyte(encoding):
    packed = bomb(128 << 20)
    packed = zlib.compress(bytes(128 << 20), 9) if encoding == "deflate" else packed
    assert len(packed) < 1 << 18
    tracemalloc.start()
    try:
        _, got = get({"/a": reply(body=packed, content_encoding=encoding)})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert type(got) is InputError
    assert "more than the limit of 1.0MiB once unpacked" in str(got)
    assert peak < 8 << 20


def test_a_stream_that_unpacks_to_nothing_counts_as_sent():
    empty = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    blocks = empty.compress(b"") + empty.flush(zlib.Z_FULL_FLUSH) + b"\x00\x00\x00\xff\xff" * 1000
    _, got = get({"/a": reply(body=blocks, content_length=None, content_encoding="gzip")}, policy={"max_bytes": 1000})
    assert type(got) is InputError
    assert str(got).endswith("it is more than the limit of 1000B.")


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(PICTURE)),
        ("GZIP", gzip.compress(PICTURE[:5000]) + gzip.compress(PICTURE[5000:])),
        ("deflate", zlib.compress(PICTURE)),
        ("deflate", zlib.compress(PICTURE)[2:-4]),
        ("identity", PICTURE),
        ("gzip", b""),
    ],
)
def test_a_body_compressed_unasked_is_unpacked(encoding, packed):
    _, got = get({"/a": reply(body=packed, content_encoding=encoding)})
    assert got.data == (PICTURE if packed else b"")


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "nonsense"])
def test_a_compression_we_did_not_ask_for_and_cannot_bound_is_refused(encoding):
    server, got = get({"/a": reply(body=PICTURE, content_encoding=encoding)})
    assert type(got) is InputError
    assert f"compressed by '{encoding}', which was not asked for" in str(got)
    assert len(server.requests) == 1


def test_a_broken_compression_is_the_documents_fault_and_a_short_one_the_connections():
    packed = gzip.compress(random.Random(0).randbytes(5000))
    _, got = get({"/a": reply(body=b"not gzip at all", content_encoding="gzip")})
    assert (type(got), "its compression is broken" in str(got)) == (InputError, True)
    server, got = get({"/a": reply(body=packed[:3000], content_encoding="gzip")})
    assert (type(got), "cut short" in str(got)) == (RetryableError, True)
    assert len(server.requests) == 3


@settings(deadline=None)
@given(st.binary(max_size=5000), st.lists(st.integers(1, 700), min_size=1), st.sampled_from(["gzip", "deflate"]))
def test_unpacking_does_not_depend_on_how_the_network_cuts_a_body(data, cuts, encoding):
    packed = gzip.compress(data) if encoding == "gzip" else zlib.compress(data)

    async def parts():
        rest, n = packed, 0
        while rest:
            cut = cuts[n % len(cuts)]
            yield rest[:cut]
            rest, n = rest[cut:], n + 1

    limit = max(len(data), len(packed))
    assert asyncio.run(read_body(parts(), {"content-encoding": encoding}, limit)) == data


# Time


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
            got = await asyncio.gather(*(fetcher.fetch(f"{server.url}/a") for _ in range(8)))
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
            await asyncio.gather(*(fetcher.fetch(f"{server.url}/a") for _ in range(12)))

    asyncio.run(main())
    assert peak == 3


def test_a_cancelled_fetch_gives_its_turn_to_the_next():
    async def main():
        arrived = asyncio.Event()

        async def hang(headers, writer):
            arrived.set()
            await asyncio.sleep(60)

        async with serving({"/hang": hang, "/a": reply(body=PICTURE)}) as server, fetching(connections=1) as fetcher:
            hanging = asyncio.create_task(fetcher.fetch(f"{server.url}/hang"))
            await arrived.wait()
            hanging.cancel()
            assert (await fetcher.fetch(f"{server.url}/a")).data == PICTURE
            with pytest.raises(asyncio.CancelledError):
                await hanging

    asyncio.run(main())


# What is tried again


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
    "429": reply(429),
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
    assert type(got) is InputError
    assert reason in str(got)
    assert "S3CRET" not in str(got)
    assert len(server.requests) == 1


def test_more_than_declared_is_left_unread_and_does_not_spoil_the_next_fetch():
    async def main():
        routes = {"/a": reply(body=PICTURE, content_length=100), "/b": reply(body=b"next")}
        async with serving(routes) as server, fetching(connections=1) as fetcher:
            assert (await fetcher.fetch(f"{server.url}/a")).data == PICTURE[:100]
            assert (await fetcher.fetch(f"{server.url}/b")).data == b"next"

    with stamina.set_testing(True, attempts=100, cap=True):
        asyncio.run(main())


def test_a_server_that_says_when_is_asked_again_then():
    async def main():
        routes = {"/a": [reply(429, retry_after_ms=300), reply(body=PICTURE)]}
        async with serving(routes) as server, fetching() as fetcher:
            started = time.monotonic()
            assert (await fetcher.fetch(f"{server.url}/a")).data == PICTURE
            assert 0.3 <= time.monotonic() - started < 5

    asyncio.run(main())


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "when",
    ["3600", (datetime.now(UTC) + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")],
    ids=["seconds", "date"],
)
def test_a_pause_beyond_the_time_allowed_is_left_to_the_caller(status, when):
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


# TLS


@pytest.fixture(scope="module")
def authority():
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    def certify(name, issuer=None):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer[0].subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        )
        if issuer:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return builder.sign(issuer[1] if issuer else key, SHA256()), key

    def pem(certificate, key):
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return certificate.public_bytes(Encoding.PEM), private

    root = certify("test authority")
    return pem(*root)[0], lambda name: pem(*certify(name, root))


@pytest.fixture
def trusted(authority):
    """The certificates a fetcher trusts: those that the test's authority has signed."""
    context = ssl.create_default_context(cadata=authority[0].decode())
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)  # the test's certificates are minimal
    return context


@pytest.fixture
def tls(authority, tmp_path):
    """Make a server's TLS context for a name, signed by the test's authority."""
    certify = authority[1]

    def make(name, asked=None):
        file = tmp_path / f"{name}.pem"
        file.write_bytes(b"".join(certify(name)))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        if asked is not None:
            context.sni_callback = lambda _, name, __: asked.append(name)
        return context

    return make


def test_encryption_is_by_name_although_the_connection_goes_to_an_address(tls, trusted):
    async def main():
        asked = []
        async with (
            serving({"/a": reply(body=PICTURE)}, tls("media.example", asked)) as server,
            fetching(trusted) as fetcher,
        ):
            assert (await fetcher.fetch(f"{server.url}/a")).data == PICTURE
            assert asked == ["media.example"]

    asyncio.run(main())


def test_a_certificate_for_another_name_is_refused_at_once(tls, trusted):
    async def main():
        async with serving({}, tls("other.example")) as server, fetching(trusted) as fetcher:
            with pytest.raises(InputError, match="its certificate is not valid: Hostname mismatch"):
                await fetcher.fetch(f"{server.url}/a")
            assert not server.requests

    asyncio.run(main())


def test_an_unknown_authority_is_refused(authority, tmp_path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (tmp_path / "own.pem").write_bytes(b"".join(authority[1]("media.example")))
    context.load_cert_chain(tmp_path / "own.pem")

    async def main():
        async with serving({}, context) as server, fetching() as fetcher:
            with pytest.raises(InputError, match="its certificate is not valid"):
                await fetcher.fetch(f"{server.url}/a")

    asyncio.run(main())
