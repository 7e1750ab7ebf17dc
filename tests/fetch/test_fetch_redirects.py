"""Redirects: followed to a bound, and nowhere a URL may not lead."""

import asyncio

import pytest
from media_servers import PICTURE, fetching, get, reply, serving

from relance.errors import InputError
from relance.fetch import UnsafeURLError


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
