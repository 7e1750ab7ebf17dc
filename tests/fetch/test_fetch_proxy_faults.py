"""Whose fault it is where a picture cannot be had through a proxy: the proxy's, or that of the host behind it."""

import asyncio
import socket

import pytest
from behind_proxies import GOOD, PICTURES, behind, many
from inward_services import NAMES, PUBLIC
from media_servers import PICTURE, serving

from relance.errors import RetryableError


def test_a_proxy_that_wants_another_password_is_given_up_at_once():
    for names in (False, True):
        _, proxy, outcomes = many(PICTURES, user="you:hush", proxy_dns=names, proxy="http://me:blunder@{}")
        assert len(proxy.asked) <= 2
        assert {type(each) for each in outcomes} == {RetryableError}
        assert str(outcomes[-1]) == (
            f"{PICTURES[-1]}: the proxy http://{proxy.address} (media.fetch.proxy) was given up for this run because "
            "it wants another user or password (407)."
        )
        assert "blunder" not in "".join(map(str, outcomes))


def test_a_socks_proxy_that_wants_another_password_is_given_up_at_once():
    _, proxy, outcomes = many(PICTURES, scheme="socks5", user="you:hush", proxy="socks5://me:blunder@{}")
    assert not proxy.asked
    assert "was given up for this run because it wants another user or password" in str(outcomes[-1])
    assert "blunder" not in "".join(map(str, outcomes))


def test_a_proxy_that_cannot_be_reached_is_given_up_and_not_the_hosts_behind_it():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{unused.getsockname()[1]}"
        urls = [f"http://93.184.216.{n}/a" for n in range(1, 251)]
        _, _, outcomes = many(urls, listen=dead)
    assert {type(each) for each in outcomes} == {RetryableError}
    ends = [str(each) for each in outcomes if "given up" in str(each)]
    assert len(ends) > 200
    assert all(f"the proxy http://{dead} (media.fetch.proxy) was given up for this run" in each for each in ends)
    assert f"the last: cannot reach the proxy http://{dead} (media.fetch.proxy): " in ends[-1]


def test_what_needs_no_proxy_is_fetched_while_the_proxy_is_down(monkeypatch):
    async def main():
        async with serving(GOOD) as server, behind(listen="127.0.0.1:9", allow=("127.0.0.1",)) as (_, _, fetcher):
            urls = [*PICTURES, f"http://127.0.0.1:{server.port}/a"]
            *others, own = await asyncio.gather(*map(fetcher.fetch, urls), return_exceptions=True)
            assert own.data == PICTURE
            assert {type(each) for each in others} == {RetryableError}

    asyncio.run(main())


@pytest.mark.parametrize("status", [403, 405])
def test_a_host_that_the_proxy_refuses_is_asked_for_once_and_others_go_on(monkeypatch, status):
    monkeypatch.setitem(NAMES, "blocked.example", ["93.184.216.35"])

    async def main():
        async with behind() as (_, proxy, fetcher):
            proxy.answers["CONNECT 93.184.216.35:80"] = status
            urls = [f"http://blocked.example/{n}" for n in range(100)] + [
                f"http://public.example/a?{n}" for n in range(9)
            ]
            outcomes = await asyncio.gather(*map(fetcher.fetch, urls), return_exceptions=True)
            assert [each.data for each in outcomes[100:]] == [PICTURE] * 9
            assert proxy.asked.count("CONNECT 93.184.216.35:80") <= 2
            return proxy, outcomes[:100]

    proxy, outcomes = asyncio.run(main())
    assert {type(each) for each in outcomes} == {RetryableError}
    assert str(outcomes[-1]) == (
        "http://blocked.example/99: blocked.example was given up for this run because the proxy "
        f"http://{proxy.address} (media.fetch.proxy) refuses to connect to 93.184.216.35:80 ({status}); if it wants "
        "names, set media.fetch.proxy_dns: true."
    )


def test_a_host_that_the_proxy_cannot_reach_is_down_itself():
    async def main():
        async with behind() as (_, proxy, fetcher):
            proxy.answers["*"] = 502
            outcomes = await asyncio.gather(*map(fetcher.fetch, PICTURES), return_exceptions=True)
            return proxy, outcomes

    proxy, outcomes = asyncio.run(main())
    assert len(proxy.asked) <= 20
    assert (
        "public.example was given up for this run after failures in a row, the last: cannot connect: the proxy "
        in str(outcomes[-1])
    )
    assert f"cannot connect to {PUBLIC}:80 (502)." in str(outcomes[-1])


def test_a_proxy_that_says_nothing_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        urls = [f"http://93.184.216.{n}/a" for n in range(1, 251)]
        _, _, outcomes = many(urls, listen=place, idle_s=0.1, connections=4)
    ends = [each for each in outcomes if f"the proxy http://{place} (media.fetch.proxy) was given up" in str(each)]
    assert len(ends) > 200


def test_what_is_no_proxy_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.listen()
        place = f"127.0.0.1:{listener.getsockname()[1]}"

        async def main():
            async def talk(reader, writer):
                writer.write(b"220 mail.example ESMTP\r\n")
                writer.close()

            server = await asyncio.start_server(talk, sock=listener)
            async with behind(listen=place) as (_, _, fetcher):
                with pytest.raises(RetryableError, match=r"the proxy http://127.* does not answer as one") as caught:
                    await fetcher.fetch("http://public.example/a")
            server.close()
            return caught

        asyncio.run(main())
