"""Addresses of repositories: one way to write each in uris, nothing that git would take for an option or a program."""

import re
from pathlib import Path

import pytest

from relance.sources.git.address import Address
from relance.sources.git.pages import page, page_template

FOLDER = Path("/specs/here")


@pytest.mark.parametrize(
    ("written", "uri", "url"),
    [
        ("https://github.com/org/repo", "git+https://github.com/org/repo", "https://github.com/org/repo"),
        ("https://GitHub.com/org/repo.git/", "git+https://github.com/org/repo", "https://github.com/org/repo.git/"),
        ("git+https://github.com/org/repo", "git+https://github.com/org/repo", "https://github.com/org/repo"),
        ("https://ada@host:443/r", "git+https://host/r", "https://host/r"),
        ("https://host:8443/a/b/c", "git+https://host:8443/a/b/c", "https://host:8443/a/b/c"),
        ("ssh://git@host:2222/org/repo.git", "git+ssh://host:2222/org/repo", "ssh://git@host:2222/org/repo.git"),
        ("git@github.com:org/repo.git", "git+ssh://github.com/org/repo", "git@github.com:org/repo.git"),
        ("git://host/repo", "git+git://host/repo", "git://host/repo"),
        ("https://[::1]:80/r", "git+https://[::1]:80/r", "https://[::1]:80/r"),
    ],
)
def test_an_address_has_one_uri_without_users_and_suffixes(written, uri, url):
    found = Address.of(written, FOLDER)
    assert (found.uri, found.url, found.path) == (uri, url, None)


@pytest.mark.parametrize(
    ("written", "uri", "path"),
    [
        ("handbook", "git+file://./handbook", "/specs/here/handbook"),
        ("./handbook/", "git+file://./handbook", "/specs/here/handbook"),
        ("../handbook.git", "git+file://../handbook", "/specs/handbook.git"),
        (".", "git+file://.", "/specs/here"),
        ("/srv/git/h.git", "git+file:///srv/git/h", "/srv/git/h.git"),
        ("file:///srv/git/h.git", "git+file:///srv/git/h", "/srv/git/h.git"),
        ("-evil", "git+file://./-evil", "/specs/here/-evil"),
    ],
)
def test_a_path_is_the_same_on_every_machine(written, uri, path):
    found = Address.of(written, FOLDER)
    assert (found.uri, found.url, found.path) == (uri, "", Path(path))


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "is empty"),
        ("ext::sh -c 'touch /tmp/x'", "helper program"),
        ("fd::17", "helper program"),
        ("ftp://host/r", "ftp://"),
        ("https://-oProxyCommand=x/r", "begins with '-'"),
        ("ssh://-oProxyCommand=touch/r", "begins with '-'"),
        ("ssh://host/-r", "begins with '-'"),
        ("https://host", "no host or no path"),
        ("https://host/a/../b", "`.` or `..`"),
        ("https://host/r?x=1", "`?`"),
        ("https://host/r#main", "`#`"),
        ("https://host/a b", "blank"),
        ("https://ada:pass@host/r", "password"),
    ],
)
def test_what_is_no_address_is_refused_in_words_that_hold_no_password(written, says):
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        Address.of(written, FOLDER)
    assert "pass@" not in str(caught.value)


def test_the_same_repository_is_known_by_other_addresses():
    here = Address.of("https://GitHub.com/Org/repo", FOLDER)
    assert here.is_same("git@github.com:org/repo.git")
    assert here.is_same("https://github.com/org/repo.git")
    assert here.is_same("git://github.com/org/repo.git")
    assert not here.is_same("https://github.com/org/other")
    assert not here.is_same("https://example.com/org/repo")
    assert not Address.of("repo", FOLDER).is_same("https://github.com/org/repo")


@pytest.mark.parametrize(
    ("written", "link"),
    [
        ("https://github.com/o/r", "https://github.com/o/r/blob/abc/a%20b.md#L10-L20"),
        ("git@github.com:o/r.git", "https://github.com/o/r/blob/abc/a%20b.md#L10-L20"),
        ("https://gitlab.com/g/s/r", "https://gitlab.com/g/s/r/-/blob/abc/a%20b.md#L10-20"),
        ("https://gitlab.example.com:8443/r", "https://gitlab.example.com:8443/r/-/blob/abc/a%20b.md#L10-20"),
        ("https://codeberg.org/o/r", "https://codeberg.org/o/r/src/commit/abc/a%20b.md#L10-L20"),
        ("https://bitbucket.org/o/r", "https://bitbucket.org/o/r/src/abc/a%20b.md#lines-10:20"),
        ("https://codeup.aliyun.com/o/r", "https://codeup.aliyun.com/o/r/blob/abc/a%20b.md#L10"),
        ("https://git.example.com/o/r", ""),
        ("/srv/r", ""),
    ],
)
def test_known_hosts_have_pages_with_lines(written, link):
    template = page_template(Address.of(written, FOLDER), "")
    assert page(template, "a b.md", "abc", "main", 10, 20) == link
    assert page(template, "a b.md", "abc", "main") == link.partition("#")[0]


def test_other_hosts_have_the_page_that_the_section_says():
    template = page_template(Address.of("https://git.example.com/o/r", FOLDER), "https://x.y/{ref}/{path}?l={line}")
    assert page(template, "a.md", "abc", "v/1", 3, 4) == "https://x.y/v/1/a.md?l=3"
