"""How a URL is read: plain ones in one form, addresses in any writing, refusals without secrets."""

import ipaddress
import re
import subprocess
import sys
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from inward_services import POLICY

from relance.errors import ConfigurationError
from relance.fetch import FetchPolicy, UnsafeURLError, check_url
from relance.fetch.addresses import why_inward
from relance.fetch.urls import shown

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
    code = "import sys, relance.fetch; print(*{'httpx', 'httpcore', 'anyio'} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not printed.strip()
