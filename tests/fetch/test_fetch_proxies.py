"""Pictures through a proxy: what it is asked for, and what is still checked by us."""

import asyncio
import ssl

import pytest
from behind_proxies import PICTURES, ask, behind, many, resolve
from certificates import make_authority
from http_proxy import http_proxy
from inward_services import NAMES, PUBLIC
from media_rows import reasons
from media_servers import PICTURE, reply

from relance.errors import ConfigurationError, InputError
from relance.fetch import Fetcher, FetchPolicy, UnsafeURLError
from relance.http.proxies import proxy_for


@pytest.fixture(scope="module")
def authority():
    return make_authority()


@pytest.fixture
def sni():
    """Names by which the server was asked for its certificate."""
    return []


@pytest.fixture
def private(authority, tmp_path):
    """Make the TLS context of a server for a name, with a private certificate."""

    def make(name):
        file = tmp_path / f"{name}.pem"
        file.write_bytes(b"".join(authority[1](name)))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    return make


@pytest.fixture
def encrypted(authority, private, sni):
    """What a server of public.example with a private certificate, and a fetcher that trusts it, are made with."""
    tls = private("public.example")
    tls.sni_callback = lambda _, name, __: sni.append(name)
    trusted = ssl.create_default_context(cadata=authority[0].decode())
    trusted.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)  # the test's certificates are minimal
    return {"tls": tls, "trusted": trusted}


# What the proxy is asked for


def test_a_proxy_connects_to_the_address_that_was_checked():
    server, proxy, got = ask()
    assert got.data == PICTURE
    assert proxy.asked == [f"CONNECT {PUBLIC}:80"]
    assert [headers["host"] for _, headers in server.requests] == ["public.example"]


def test_encryption_is_by_name_through_a_proxy(encrypted, sni):
    _, proxy, got = ask("https://public.example/a", **encrypted)
    assert got.data == PICTURE
    assert proxy.asked == [f"CONNECT {PUBLIC}:443"]
    assert sni == ["public.example"]


def test_a_certificate_for_another_name_is_refused_through_a_proxy_too(encrypted, monkeypatch):
    monkeypatch.setitem(NAMES, "other.example", [PUBLIC])
    server, _, error = ask("https://other.example/a", **encrypted)
    assert isinstance(error, InputError)
    assert "its certificate is not valid: Hostname mismatch" in str(error)
    assert not server.requests


@pytest.mark.parametrize("user", ["", "me:hush"])
def test_a_socks_proxy_connects_to_the_address_that_was_checked(user):
    _, proxy, got = ask(scheme="socks5", user=user)
    assert (got.data, proxy.asked) == (PICTURE, [PUBLIC])


def test_a_connection_through_a_proxy_is_used_again():
    server, proxy, outcomes = many([f"http://public.example/a?{n}" for n in range(20)])
    assert [each.data for each in outcomes] == [PICTURE] * 20
    assert len(proxy.asked) == server.connections <= 4


def test_user_and_password_go_to_the_proxy_and_not_to_the_host():
    for names in (False, True):
        server, proxy, got = ask(user="me:hush", proxy_dns=names)
        assert got.data == PICTURE
        assert "Proxy-Authorization: Basic " in proxy.heads[0]
        assert "proxy-authorization" not in server.requests[0][1]


def test_what_goes_to_the_proxy_may_be_encrypted_too(encrypted, private):
    options = {"scheme": "https", "proxy": "https://localhost:{port}", "proxy_tls": private("localhost")}
    _, proxy, got = ask("https://public.example/a", **options, **encrypted)
    assert (got.data, proxy.asked) == (PICTURE, [f"CONNECT {PUBLIC}:443"])
    del encrypted["tls"]
    _, proxy, got = ask(proxy_dns=True, **options, **encrypted)
    assert (got.data, proxy.asked) == (PICTURE, ["GET http://public.example/a"])


def test_a_proxy_with_a_certificate_nobody_knows_is_given_up_at_once(encrypted, private):
    options = {"scheme": "https", "proxy": "https://localhost:{port}", "proxy_tls": private("other.example")}
    _, proxy, outcomes = many(PICTURES, **options, trusted=encrypted["trusted"])
    assert not proxy.asked
    assert "was given up for this run because it is not trusted: Hostname mismatch" in str(outcomes[-1])


# Where the proxy looks names up


def test_a_proxy_that_looks_names_up_is_given_names(encrypted):
    _, proxy, got = ask("http://unknown.example/a?b", proxy_dns=True)
    assert got.data == PICTURE
    assert proxy.asked == ["GET http://unknown.example/a?b"]
    _, proxy, got = ask("https://public.example/a", proxy_dns=True, **encrypted)
    assert got.data == PICTURE
    assert proxy.asked == ["CONNECT public.example:443"]
    _, proxy, got = ask("http://unknown.example/a", scheme="socks5", proxy_dns=True)
    assert (got.data, proxy.asked) == (PICTURE, ["unknown.example"])


def test_a_name_that_only_the_proxy_knows_says_what_to_set():
    _, proxy, error = ask("http://unknown.example/a")
    assert str(error) == (
        "http://unknown.example/a: there is no host named unknown.example; if only the proxy can look it up, set "
        "media.fetch.proxy_dns: true."
    )
    assert not proxy.asked


# What is checked


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("host", ["inward.example", "mixed.example", "metadata.example", "10.0.0.7", "[fd00::1]"])
@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_no_proxy_is_asked_for_what_leads_inward(scheme, host, names):
    server, proxy, error = ask(f"http://{host}/a", scheme=scheme, proxy_dns=names)
    assert isinstance(error, UnsafeURLError)
    assert not proxy.asked
    assert not server.requests


def test_a_redirect_inward_is_refused_through_a_proxy_too():
    routes = {"/a": reply(302, location="http://inward.example/secret")}
    _, proxy, error = ask(routes=routes)
    assert isinstance(error, UnsafeURLError)
    assert "redirected to http://inward.example/secret" in str(error)
    assert proxy.asked == [f"CONNECT {PUBLIC}:80"]


def test_the_guard_of_names_does_not_wait_for_a_name_server_that_is_silent(monkeypatch):
    asked = []

    async def silent(host, port):
        asked.append(host)
        await asyncio.sleep(60)

    monkeypatch.setattr("relance.fetch.transport._GLANCE_S", 0.05)

    async def main():
        async with behind() as (_, proxy, _):
            policy = FetchPolicy(max_bytes=1 << 20, proxy=f"http://{proxy.address}", proxy_dns=True)
            fetcher = Fetcher(policy, resolve=silent)
            for n in range(3):
                assert (await fetcher.fetch(f"http://unknown.example/a?{n}")).data == PICTURE
            await fetcher.aclose()

    asyncio.run(main())
    assert asked == ["unknown.example"]


# Which proxy


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_environment_names_the_proxy_of_pictures(monkeypatch, name):
    async def main():
        async with behind() as (_, proxy, _):
            monkeypatch.setenv(name, f"http://{proxy.address}")
            fetcher = Fetcher(FetchPolicy(max_bytes=1 << 20), resolve=resolve)
            assert (await fetcher.fetch("http://public.example/a")).data == PICTURE
            await fetcher.aclose()
            assert proxy.asked == [f"CONNECT {PUBLIC}:80"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("environment", "proxy", "spared"),
    [
        ({"NO_PROXY": ".example"}, "", True),
        ({"NO_PROXY": "public.example"}, "http://127.0.0.1:9", True),
        ({"NO_PROXY": "other.example"}, "http://127.0.0.1:9", False),
        ({}, "direct", True),
        ({}, "", False),
    ],
)
def test_hosts_that_are_called_directly(monkeypatch, environment, proxy, spared):
    for name, value in {"HTTP_PROXY": "http://127.0.0.1:9", **environment}.items():
        monkeypatch.setenv(name, value)
    policy = FetchPolicy(max_bytes=1, proxy=proxy)
    assert (policy.proxy_for("http://public.example") is None) == spared
    assert policy.proxy_for("http://127.0.0.1:8000") is None
    assert policy.proxy_for("http://localhost") is None


def test_the_proxy_of_a_spec_counts_before_that_of_the_environment(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert ask()[2].data == PICTURE


@pytest.mark.parametrize("value", ["ftp://u:hush@p", "http://", "http://u:hush@p:port"])
def test_a_proxy_of_the_spec_that_nobody_can_use_is_one_sentence(value):
    with pytest.raises(ConfigurationError, match=r"^media\.fetch\.proxy names no proxy that can be used") as caught:
        FetchPolicy(max_bytes=1, proxy=value)
    assert "hush" not in str(caught.value)


def test_a_proxy_with_a_password_is_not_shown():
    policy = FetchPolicy(max_bytes=1, proxy="http://me:hush@proxy.example:3128")
    assert "hush" not in f"{policy!r} {policy.proxy_for('http://public.example')!r} {proxy_for('http://a.example')!r}"


# A run


def test_a_run_fetches_through_the_proxy_of_its_spec(gallery, web):
    web.put("/1.png", gallery.png("red"))
    gallery.write("m.csv", f"id,url,caption\n1,http://{PUBLIC}/1.png,a barn\n2,http://{PUBLIC}:81/2.png,a mill\n")
    port = int(web.url.rpartition(":")[2])
    with http_proxy(port, "me:hush") as proxy:
        proxy.answers[f"CONNECT {PUBLIC}:81"] = 403
        index = gallery.index(media=gallery.media(fetch={"proxy": f"http://me:hush@{proxy.address}"}, send="data"))
        report = index.ingest()
        assert (report.media.added, report.media.failed) == (1, 1)
        assert sorted(proxy.asked) == [f"CONNECT {PUBLIC}:80", f"CONNECT {PUBLIC}:81"]
        assert f"refuses to connect to {PUBLIC}:81 (403)" in reasons(index)["m.csv#2"]
        assert index.ingest().media.unchanged == 1
    assert "hush" not in str(index.spec)
