"""Where a fetch connects to: only to the address of a name that was checked."""

import asyncio
import socket

import httpcore
import pytest
from inward_services import POLICY, PUBLIC, Inward, fetch

from relance.errors import InputError, RetryableError
from relance.fetch import FetchPolicy, UnsafeURLError
from relance.fetch.transport import GuardedBackend, look_up


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.1", "017700000001", "localhost", "::1", "127.0.0.1"])
def test_the_connection_is_guarded_even_for_hosts_the_reading_of_urls_refuses(monkeypatch, host):
    """The system's resolver reads numbers as it likes; what it makes of them is looked at."""

    async def main():
        async with Inward(monkeypatch) as inward:
            with pytest.raises(UnsafeURLError, match="loopback"):
                await GuardedBackend(POLICY, look_up).connect_tcp(host, inward.port, timeout=5)
            assert not inward.attempted

    asyncio.run(main())


def test_a_name_that_changes_its_answer_gains_nothing(monkeypatch):
    """Looked up once a connection, and the address that was checked is the one connected to."""
    asked = []

    async def rebinding(host, port):
        asked.append(host)
        return [PUBLIC] if len(asked) == 1 else ["127.0.0.1"]

    connected = []

    async def out_of_reach(backend, host, port, **options):
        connected.append(host)
        raise httpcore.ConnectError("not in a test")

    async def main():
        async with Inward(monkeypatch) as inward:
            monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", out_of_reach)
            with pytest.raises(RetryableError):
                await fetch(f"http://rebinding.example:{inward.port}/", resolve=rebinding)
            assert (asked, connected) == (["rebinding.example"], [PUBLIC])
            with pytest.raises(UnsafeURLError, match=r"rebinding\.example is at 127\.0\.0\.1, a loopback address"):
                await fetch(f"http://rebinding.example:{inward.port}/", resolve=rebinding)
            assert connected == [PUBLIC]
            assert not inward.connections

    asyncio.run(main())


def test_the_next_address_is_tried_where_the_first_does_not_answer(monkeypatch):
    with socket.socket() as unused:  # bound but not listening: connections are refused
        unused.bind(("127.0.0.1", 0))

        async def main():
            async with Inward(monkeypatch) as inward:

                async def resolve(host, port):
                    return ["127.0.0.2", "127.0.0.1"]

                policy = FetchPolicy(max_bytes=1000, allow=("media.example",), attempts=1)
                assert (await fetch(f"http://media.example:{inward.port}/", policy, resolve)).data == b"secret"
                assert inward.attempted == ["127.0.0.2", "127.0.0.1"]
                with pytest.raises(RetryableError, match="cannot connect"):
                    await fetch(f"http://media.example:{unused.getsockname()[1]}/", policy, resolve)

        asyncio.run(main())


@pytest.mark.parametrize(
    ("errno", "kind", "reason"),
    [
        (socket.EAI_NONAME, InputError, "there is no host named gone.example"),
        (socket.EAI_AGAIN, RetryableError, "cannot be looked up now"),
    ],
)
def test_a_name_without_an_address_is_gone_and_a_silent_resolver_may_speak_later(errno, kind, reason):
    async def fail(host, port):
        raise socket.gaierror(errno, "no")

    with pytest.raises(kind, match=reason):
        asyncio.run(fetch("http://gone.example/", resolve=fail))


def test_a_slow_resolver_is_not_waited_for():
    async def hang(host, port):
        await asyncio.sleep(60)

    policy = FetchPolicy(max_bytes=1000, idle_s=0.05, attempts=1)
    with pytest.raises(RetryableError, match=r"no connection within 0\.05 s"):
        asyncio.run(fetch("http://slow.example/", policy, hang))
