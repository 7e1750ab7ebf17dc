"""Which addresses are fetched and which are not; nothing refused is ever connected to."""

import asyncio
import ipaddress
import re
import socket
import subprocess
import sys
from contextlib import suppress
from urllib.parse import urlsplit

import httpcore
import httpx
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from relance.errors import ConfigurationError, InputError, RetryableError
from relance.media.fetch import Fetcher, FetchPolicy, UnsafeURLError, check_url
from relance.media.fetch.addresses import why_inward
from relance.media.fetch.transport import GuardedBackend, look_up
from relance.media.fetch.urls import shown

POLICY = FetchPolicy(max_bytes=1000, timeout_s=5, attempts=1)
PUBLIC = "93.184.216.34"

# {port} is where an inward service listens, on 127.0.0.1 and ::1.
HOSTILE = r"""
http://127.0.0.1:{port}/
http://127.0.0.1.:{port}/
http://127.1:{port}/
http://127.0.1:{port}/
http://127.255.255.254:{port}/
http://2130706433:{port}/
http://0x7f000001:{port}/
http://0X7F.0.0.1:{port}/
http://0x7f.1:{port}/
http://017700000001:{port}/
http://0177.0.0.1:{port}/
http://0177.0.0x1:{port}/
http://127.0.0.01:{port}/
http://00000127.0.0.1:{port}/
http://0x:{port}/
http://0:{port}/
http://0.0.0.0:{port}/
http://256.0.0.1:{port}/
http://127.0.0.1.1:{port}/
http://%31%32%37.0.0.1:{port}/
http://127%2e0%2e0%2e1:{port}/
http://１２７.０.０.１:{port}/
http://127。0。0。1:{port}/
http://127．0．0．1:{port}/
http://①②⑦.⓪.⓪.①:{port}/
http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/
http://ｌｏｃａｌｈｏｓｔ:{port}/
http://localhost:{port}/
http://LOCALHOST:{port}/
http://localhost.:{port}/
http://www.localhost:{port}/
http://[::1]:{port}/
http://[0:0:0:0:0:0:0:1]:{port}/
http://[::]:{port}/
http://[::127.0.0.1]:{port}/
http://[::ffff:127.0.0.1]:{port}/
http://[::ffff:7f00:1]:{port}/
http://[0:0:0:0:0:FFFF:127.0.0.1]:{port}/
http://[::ffff:0:127.0.0.1]:{port}/
http://[64:ff9b::127.0.0.1]:{port}/
http://[64:ff9b::a9fe:a9fe]/
http://[64:ff9b:1::7f00:1]:{port}/
http://[2002:7f00:1::]:{port}/
http://[2001:0:7f00:1::1]:{port}/
http://[::1%25lo]:{port}/
http://[::1%lo]:{port}/
http://[fe80::1%25eth0]/
http://[fe80::1]/
http://[fec0::1]/
http://[fd00:ec2::254]/latest/meta-data/
http://[fc00::1]/
http://[ff02::1]/
http://[2001:db8::1]/
http://[127.0.0.1]:{port}/
http://[::1:{port}/
http://[::1].example:{port}/
http://[v1.127.0.0.1]:{port}/
http://169.254.169.254/latest/meta-data/
http://169.254.170.2/v2/credentials
http://100.100.100.200/latest/meta-data/
http://168.63.129.16/machine
http://192.0.0.192/opc/v2/
http://10.0.0.1/
http://172.16.0.1/
http://172.31.255.255/
http://192.168.1.1/
http://100.64.0.1/
http://198.18.0.1/
http://192.0.2.1/
http://192.88.99.1/
http://224.0.0.1/
http://255.255.255.255/
http://240.0.0.1/
http://user@127.0.0.1:{port}/
http://public.example@127.0.0.1:{port}/
http://public.example:80@127.0.0.1:{port}/
http://public.example:p@public.example/
http://127.0.0.1:{port}@public.example/
http://:@127.0.0.1:{port}/
http://@127.0.0.1:{port}/
http://public.example%40127.0.0.1:{port}/
http://public.example\@127.0.0.1:{port}/
http://127.0.0.1:{port}\@public.example/
http://127.0.0.1\.public.example:{port}/
http:\\127.0.0.1:{port}\
http:/127.0.0.1:{port}/
http:127.0.0.1:{port}
http:///127.0.0.1:{port}/
//127.0.0.1:{port}/
127.0.0.1:{port}
http://127.0.0.1:{port}%2f@public.example/
http://127.0.0.1:+{port}/
http://public.example:0/
http://public.example:-1/
http://public.example:65536/
http://public.example:99999999999999999999/
http://public.example:80x/
http://public..example/
http://.public.example/
http://-public.example/
http://pub lic.example/
http://public.example,127.0.0.1/
http://public.example;127.0.0.1/
http://inward.example:{port}/
http://mixed.example:{port}/
http://mixed6.example:{port}/
http://mapped.example:{port}/
http://scoped.example:{port}/
http://metadata.example/
http://strange.example/
file:///etc/passwd
file://127.0.0.1/etc/passwd
ftp://public.example/
gopher://127.0.0.1:{port}/_GET
data:text/plain,hello
javascript:alert(1)
dict://127.0.0.1:{port}/
ldap://127.0.0.1:{port}/
unix:///run/docker.sock
ws://127.0.0.1:{port}/
view-source:http://127.0.0.1:{port}/
jar:http://127.0.0.1:{port}!/
https:
http://
://public.example
public.example/picture.png
""".strip().split("\n")
HOSTILE += [
    "",
    " http://127.0.0.1:{port}/",
    "\thttp://127.0.0.1:{port}/",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1:{port}/\r\nX-Injected: 1",
    "http://public.example/a\nb",
    "http://public.example\r\n.evil.example/",
    "http://public.example\x00.evil.example/",
    "http://public.example\u2028/",
    "http://127.0.0.1\u200b:{port}/",
    "http://local\u00adhost:{port}/",
    "http://public.example\ud800/",
    "http://public.example/\ud800",
    "http://" + "a" * 64 + ".example/",
    "http://" + "a." * 200 + "example/",
    "http://public.example/" + "a" * 70_000,
]

NAMES = {
    "public.example": [PUBLIC],
    "inward.example": ["127.0.0.1"],
    "mixed.example": [PUBLIC, "127.0.0.1"],
    "mixed6.example": [PUBLIC, "::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "scoped.example": ["fe80::1%1"],
    "metadata.example": ["169.254.169.254"],
    "strange.example": ["/run/docker.sock"],
}


async def resolve(host, port):
    """Answer for our own names; all else goes to the system, as it would in earnest."""
    return NAMES[host] if host in NAMES else await look_up(host, port)


class Inward:
    """A service on both loopback addresses that counts who comes, and what we try to connect to."""

    def __init__(self, monkeypatch):
        self.connections = 0
        self.attempted = []
        connect = httpcore.AnyIOBackend.connect_tcp

        async def spy(backend, host, port, **options):
            self.attempted.append(host)
            if ipaddress.ip_address(host).is_global:
                raise httpcore.ConnectError("no test goes out")
            return await connect(backend, host, port, **options)

        monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", spy)

    async def __aenter__(self):
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._servers = [server]
        with suppress(OSError):  # no IPv6 on this machine
            self._servers.append(await asyncio.start_server(self._answer, "::1", self.port))
        return self

    async def __aexit__(self, *_):
        for server in self._servers:
            server.close()

    async def _answer(self, reader, writer):
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret")
        await writer.drain()
        writer.close()


async def fetch(url, policy=POLICY, resolve=resolve):
    fetcher = Fetcher(policy, resolve=resolve)
    try:
        return await fetcher.fetch(url)
    finally:
        await fetcher.aclose()


def test_every_hostile_url_is_refused_before_anything_is_connected_to(monkeypatch):
    async def main():
        async with Inward(monkeypatch) as inward:
            accepted = []
            for template in HOSTILE:
                url = template.replace("{port}", str(inward.port))
                try:
                    await fetch(url)
                except UnsafeURLError:
                    continue
                except Exception as error:
                    accepted.append((url, error))
                else:
                    accepted.append((url, "fetched"))
            assert not accepted
            assert not inward.attempted
            assert not inward.connections
            assert len(HOSTILE) == len(set(HOSTILE)) > 130

    asyncio.run(main())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST.", "inward.example", "a.b.corp.example"])
def test_an_inward_host_that_is_allowed_by_name_is_fetched(monkeypatch, host):
    async def main():
        async with Inward(monkeypatch) as inward:
            port = inward.port
            allow = (f"127.0.0.1:{port}", "LocalHost", "INWARD.example.", "other.example", "*.corp.example")
            policy = FetchPolicy(max_bytes=1000, allow=allow)

            async def resolve(host, port):
                return ["127.0.0.1"]  # the system may say ::1 for localhost, on a machine without IPv6

            fetched = await fetch(f"http://{host}:{port}/", policy, resolve)
            assert fetched.data == b"secret"
            assert inward.connections == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("127.0.0.1:{other}", "http://127.0.0.1:{port}/"),
        ("127.0.0.2", "http://127.0.0.1:{port}/"),
        ("127.0.0.1", "http://inward.example:{port}/"),  # a name of anybody's that points there
        ("127.0.0.1", "http://[::ffff:127.0.0.1]:{port}/"),
        ("*.example", "http://127.0.0.1:{port}/"),
        ("*.inward.example", "http://inward.example:{port}/"),
        ("*.ward.example", "http://inward.example:{port}/"),
        ("ward.example", "http://inward.example:{port}/"),
        ("inward.example.com", "http://inward.example:{port}/"),
        ("inward.example:{other}", "http://inward.example:{port}/"),
    ],
)
def test_an_allowance_holds_for_nothing_beside_what_it_names(monkeypatch, allowed, url):
    async def main():
        async with Inward(monkeypatch) as inward:
            places = {"{port}": str(inward.port), "{other}": str(inward.port ^ 1)}
            policy = FetchPolicy(max_bytes=1000, allow=(re.sub(r"{\w+}", lambda m: places[m[0]], allowed),))
            with pytest.raises(UnsafeURLError, match=r"name it under media\.fetch\.allow if it is meant"):
                await fetch(re.sub(r"{\w+}", lambda m: places[m[0]], url), policy)
            assert not inward.attempted

    asyncio.run(main())


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


def test_a_proxy_in_the_environment_is_not_used(monkeypatch):
    """It would resolve names for us, so it would decide what is connected to."""

    async def main():
        async with Inward(monkeypatch) as inward:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{inward.port}")
            with pytest.raises(UnsafeURLError):
                await fetch("http://inward.example:1/")
            assert not inward.attempted

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


PLAIN = {
    "http://example.com": "http://example.com",
    "HTTPS://Example.COM:443/A%20b?q=1&r=%2F#part": "https://example.com/A%20b?q=1&r=%2F",
    "http://example.com.:8080/": "http://example.com:8080/",
    "http://example.com:80/": "http://example.com/",
    "http://under_score.example/a@b:c/*": "http://under_score.example/a@b:c/*",
    "http://example.com/a b/ü?ß": "http://example.com/a%20b/%C3%BC?%C3%9F",
    "http://Bücher.example/": "http://xn--bcher-kva.example/",
    "http://例え.テスト/": "http://xn--r8jz45g.xn--zckzah/",
    "http://8.8.8.8:65535/": "http://8.8.8.8:65535/",
    "http://[2001:4860:4860:0::8888]/": "http://[2001:4860:4860::8888]/",
    "http://[::ffff:8.8.8.8]/": f"http://[{ipaddress.ip_address('::ffff:8.8.8.8')}]/",
    "http://[64:ff9b::8.8.8.8]/": "http://[64:ff9b::808:808]/",
    "http://example.com/?next=http://127.0.0.1/": "http://example.com/?next=http://127.0.0.1/",
    "http://1.example/": "http://1.example/",
    "http://example.com/a/../b": "http://example.com/b",
}


@pytest.mark.parametrize("url", PLAIN)
def test_a_plain_url_passes_in_its_canonical_form(url):
    assert check_url(url, POLICY) == PLAIN[url]


@pytest.mark.parametrize(
    "entry", ["*", "", "*.", "http://a.example", "a.example/x", "u@a.example", "*.10.0.0.1", "10.0.0.0/8", "a:0", "a:x"]
)
def test_an_allowance_that_is_no_host_is_a_mistake_in_the_configuration(entry):
    with pytest.raises(ConfigurationError, match="is no host; write it like"):
        FetchPolicy(max_bytes=1, allow=(entry,))


def test_a_refusal_says_what_is_wrong_and_what_to_do():
    with pytest.raises(UnsafeURLError) as caught:
        check_url("https://10.1.2.3/photo.png?token=abc", POLICY)
    assert str(caught.value) == (
        "https://10.1.2.3/photo.png: 10.1.2.3 is a private address; name it under media.fetch.allow if it is meant."
    )


def refusal(url):
    """Say why a URL is refused, or None."""
    try:
        check_url(url, POLICY)
    except UnsafeURLError as error:
        return str(error)
    return None


@settings(deadline=None)
@given(
    st.text(st.sampled_from("ab1:/?#@%\\ ")),
    st.text(st.sampled_from("ab1:/?#@%\\ ")),
    st.sampled_from(["http", "https", "ftp", "data"]),
)
@example("", "?", "http")
@example("pa/", "", "http")
def test_no_password_or_query_is_in_a_message(before, after, scheme):
    assume(not re.match(r"\d*/", before))  # that is a host, a port and a path, whatever it was meant to be
    urls = [
        f"{scheme}://user:{before}S3CRET{after}@10.0.0.1/x?S3CRET",
        f"{scheme}://10.0.0.1/x?{before}S3CRET{after}",
        f"{scheme}://10.0.0.1/x#{before}S3CRET{after}",
    ]
    for url in urls:
        assert "S3CRET" not in shown(url)
        assert "S3CRET" not in (refusal(url) or "")


def wrappings(address):
    """Write an IPv4 address in ways some parser takes for it."""
    number = int(address)
    a, b, c, d = address.packed
    yield f"{number}"
    yield f"{number:#x}"
    yield f"0{number:o}"
    yield f"{a}.{number & 0xFFFFFF}"
    yield f"{a:#x}.{b:#o}.{c}.{d}".replace("0o", "0")
    yield f"0{a}.{b}.{c}.{d}"
    yield f"[2002:{a << 8 | b:x}:{c << 8 | d:x}::]"
    yield f"[2001:0:{a << 8 | b:x}:{c << 8 | d:x}::]"
    yield f"[2001:0:808:808:0:0:{~(a << 8 | b) & 0xFFFF:x}:{~(c << 8 | d) & 0xFFFF:x}]"
    yield f"[::{address}]"
    yield f"[64:ff9b:1::{address}]"
    yield f"[::ffff:0:{address}]"


def transparent(address):
    """Write an IPv4 address in ways that are as good as the address itself."""
    yield str(address)
    yield f"{address}."
    yield str(address).replace(".", "。")
    yield f"[::ffff:{address}]"
    yield f"[{ipaddress.ip_address(f'::ffff:{address}').exploded}]"
    yield f"[64:ff9b::{address}]"


def is_refused(host):
    return refusal(f"http://{host}/") is not None


@settings(deadline=None)
@given(st.ip_addresses(v=4))
@example(ipaddress.ip_address("0.0.0.0"))
@example(ipaddress.ip_address("127.0.0.1"))
@example(ipaddress.ip_address("8.8.8.8"))
def test_an_ipv4_address_that_is_not_global_is_refused_in_any_writing(address):
    assert all(is_refused(host) for host in wrappings(address))
    refused = {is_refused(host) for host in transparent(address)}
    assert refused == {bool(why_inward(address))}
    if not address.is_global or address.is_multicast:
        assert refused == {True}


@settings(deadline=None)
@given(st.ip_addresses(v=6))
def test_an_ipv6_address_that_is_not_global_is_refused_in_any_writing(address):
    writings = [str(address), address.exploded, str(address).upper()]
    refused = {is_refused(f"[{host}]") for host in writings}
    assert refused == {bool(why_inward(address))}
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_site_local:
        mapped = address.ipv4_mapped or (
            ipaddress.ip_address(address.packed[-4:]) if address.packed[:12] == NAT64 else None
        )
        assert refused == {True} or (mapped is not None and not why_inward(mapped))
    assert is_refused(f"[{address}%25eth0]")


NAT64 = ipaddress.ip_address("64:ff9b::").packed[:12]


@settings(deadline=None)
@given(st.ip_addresses(v=4), st.integers(0, 31))
def test_most_addresses_are_public(address, bits):
    """The table refuses no more than the special networks: a fetcher that refuses everything is safe and no use."""
    special = address.packed[0] in {0, 10, 100, 127, 168, 169, 172, 192, 198, 203} or address.packed[0] >= 224
    assert special or not why_inward(address)


parts = st.sampled_from(
    [
        *r"http https : // / \ @ # ? [ ] ::1 127.0.0.1 a.example % %40 . 。 localhost ß ① 80 :80 0x7f xn-- -".split(),
        " ",
        "\t",
        "\r\n",
        "\u200b",
        "\ud800",
    ]
)


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(parts).map("".join), st.lists(parts).map(lambda p: "http://" + "".join(p))))
def test_whatever_the_text_it_is_refused_or_read_alike_by_everybody(text):
    if reason := refusal(text):
        assert reason.isprintable()
        return
    url = check_url(text, POLICY)
    assert check_url(url, POLICY) == url
    ours, theirs = httpx.URL(url), urlsplit(url)
    assert url.isascii()
    assert theirs.scheme in {"http", "https"}
    assert theirs.username is None
    assert (ours.raw_host.decode(), ours.port) == (theirs.hostname, theirs.port)


def test_importing_the_package_loads_no_http_library():
    code = "import sys, relance.media.fetch; print(*{'httpx', 'httpcore', 'anyio', 'stamina'} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not printed.strip()
