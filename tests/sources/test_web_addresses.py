"""The one form of an address, and which addresses are of a source."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sites import section, web

from relance.config import IndexSpec
from relance.errors import ConfigurationError
from relance.sources import Location
from relance.sources.web.address import _normal, alike, normal, path_of

FORMS = [
    ("HTTPS://Example.COM:443/A", "https://example.com/A"),
    ("http://example.com:80", "http://example.com/"),
    ("http://example.com.:8080/a", "http://example.com:8080/a"),
    ("https://example.com/a#part", "https://example.com/a"),
    ("https://example.com/a?utm_source=x&b=1&gclid=9#c", "https://example.com/a?b=1"),
    ("https://example.com/a?fbclid=1", "https://example.com/a"),
    ("https://example.com/a?", "https://example.com/a"),
    ("https://example.com/a/./b/../c/", "https://example.com/a/c/"),
    ("https://example.com/../../a", "https://example.com/a"),
    ("https://example.com/a/..", "https://example.com/"),
    ("https://example.com/a%7eb%2fc%e4", "https://example.com/a~b%2Fc%E4"),
    ("https://example.com/a b/é", "https://example.com/a%20b/%C3%A9"),
    ("https://example.com/100%", "https://example.com/100%25"),
    ("https://example.com/?q=a b&utm_medium=x", "https://example.com/?q=a%20b"),
    (" https://example.com/\na ", "https://example.com/a"),
    ("https://bücher.example/", "https://xn--bcher-kva.example/"),
    ("https://example.com/a;jsessionid=0F?x=1", "https://example.com/a?x=1"),
    ("http://[::1]:8000/a", "http://[::1]:8000/a"),
]
NONE = [
    "", "mailto:a@example.com", "javascript:void(0)", "ftp://example.com/a", "https://", "https:///a", "//example.com/a",
    "https://me:secret@example.com/", "https://example.com:99999/", "https://example.com:0/", "https://exa mple.com/",
    "/a/b", "https://[::1", "https://example.com/" + "a" * 3000,
]  # fmt: skip


@pytest.mark.parametrize(("address", "form"), FORMS)
def test_an_address_has_one_form(address, form):
    assert normal(address) == form
    assert normal(form) == form


@pytest.mark.parametrize("address", NONE)
def test_what_is_no_page_has_no_form(address):
    assert normal(address) == ""


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_the_form_is_the_same_once_it_is_reached(tail):
    form = normal(f"https://example.com/{tail}")
    assert normal(form) == form


@given(st.from_regex(r"https?://[a-z0-9.-]{1,20}(/[A-Za-z0-9_~!$&'()*+,;:=@./-]{0,30})?", fullmatch=True))
def test_plain_addresses_are_recognised_and_nothing_else(address):
    assert normal(address) == _normal(address)


@pytest.mark.parametrize(
    ("link", "form"),
    [
        ("b", "https://x.example/a/b"),
        ("../c?utm_id=1", "https://x.example/c"),
        ("//y.example/d", "https://y.example/d"),
        ("#top", "https://x.example/a/p"),
        ("?p=2", "https://x.example/a/p?p=2"),
        ("tel:123", ""),
    ],
)
def test_links_are_relative_to_their_page(link, form):
    assert normal(link, "https://x.example/a/p") == form


def test_addresses_that_servers_answer_alike_share_something():
    same = ["http://x.example/a", "https://x.example/a/", "https://x.example/a/index.html"]
    assert len(set(map(alike, same))) == 1
    assert alike("https://x.example/a?b=1") != alike("https://x.example/a")
    assert alike("https://x.example/A") != alike("https://x.example/a")


def test_patterns_see_the_path_as_people_write_it():
    assert path_of("https://x.example/d%C3%A9j%C3%A0/vu%20e.html?x=1") == "déjà/vu e.html"
    assert path_of("https://x.example/") == "index.html"
    assert path_of("https://x.example/docs/") == "docs/index.html"


@pytest.mark.parametrize(
    ("more", "inside", "outside"),
    [
        ({}, ["https://x.example/", "http://x.example/a?b=1"], ["https://y.example/", "https://x.example:8080/"]),
        ({"hosts": ["*.x.example"]}, ["https://a.x.example/"], ["https://x.example/", "https://ax.example/"]),
        ({"include": ["docs/**"]}, ["https://x.example/docs/", "https://x.example/docs/a"], ["https://x.example/doc"]),
        ({"exclude": ["tags/**", "*.zip"]}, ["https://x.example/a"], ["https://x.example/tags/a", "https://x.example/b/c.zip"]),
    ],
)  # fmt: skip
def test_a_location_is_exact(tmp_path, more, inside, outside):
    source = web(tmp_path, "https://x.example/sitemap.xml", **more)
    for uri in inside:
        place = source.location(uri)
        assert place is not None
        assert (place.text, place.url, place.link, place.path) == (uri, uri, uri, None)
        assert source.location(f"{uri}#b") == Location(f"{uri}#b", url=uri, link=uri), "what it shows is where it is"
    other = [
        "https://X.example/a",
        "x.example/a",
        "/a",
        "https://x.example/a?utm_id=1",
        "docs/a.md",
    ]
    assert [source.location(uri) for uri in [*outside, *other]] == [None] * (len(outside) + len(other))


def test_a_service_cannot_fetch_what_only_we_can_reach(tmp_path):
    sections: list[dict[str, Any]] = [{"allow": ["x.example"]}, {"headers": {"X-Key": "k"}}, {"user": "u"}]
    for more in sections:
        place = web(tmp_path, "https://x.example/a", **more).location("https://x.example/b")
        assert place is not None
        assert (place.url, place.link) == ("", "https://x.example/b")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"start": "example.com"}, "begins with http:// or https://"),
        ({"start": ""}, "is empty"),
        ({"start": "https://u:p@x.example/"}, "put them under `user` and `password`"),
        ({"include": ["https://x.example/docs/**"]}, "write its path alone"),
        ({"exclude": ["!a"]}, "is a negation"),
        ({"hosts": ["https://x.example"]}, "is no host"),
        ({"headers": {"If-None-Match": "x"}}, "is no header that can be set"),
        ({"headers": {"X-A": "a\nb"}}, "has a line break"),
        ({"password": "p"}, "a password without a user"),
        ({"user_agent": "é"}, "letters of ASCII"),
        ({"find": "everything"}, "'auto', 'sitemap'"),
    ],
)
def test_a_section_that_means_nothing_is_refused(tmp_path, more, said):
    with pytest.raises(ValueError, match=said) as caught:
        IndexSpec.model_validate({"name": "t", "sources": [section("https://x.example/") | more], "folder": tmp_path})
    assert "u:p@" not in str(caught.value).split("input_value")[0]


def test_an_allow_that_is_no_host_says_where_it_stands(tmp_path):
    with pytest.raises(ConfigurationError, match=r"sources\[2\].allow: 'http://x' is no host"):
        web(tmp_path, "https://x.example/", position=2, allow=["http://x"])
