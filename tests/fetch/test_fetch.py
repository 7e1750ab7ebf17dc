"""What a fetch gives, and the conditions it sends for a file that is known."""

import asyncio
import time

import pytest
from media_servers import PICTURE, fetching, get, reply, serving

from relance.documents import digest
from relance.errors import InputError
from relance.fetch import Fetched

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


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

            async def recheck(path, n):
                try:
                    await fetcher.fetch(f"{server.url}{path}?{n}", etag='"v1"')
                except InputError:
                    assert path == "/c"

            await asyncio.gather(*(recheck(path, n) for n in range(50) for path in ["/a", "/b", "/c"]))
            assert len(server.requests) == 200
            assert server.connections <= 4

    asyncio.run(main())
