"""How pages are found, and what is asked of them when they are known."""

import gzip
import json

import pytest
from sites import again, listed, paths, remembered, site, web


@pytest.fixture
def served():
    with site() as server:
        yield server


@pytest.mark.parametrize("packed", [False, True])
def test_a_sitemap_names_pages_in_its_order(tmp_path, served, packed):
    for path in ("/b", "/a", "/c"):
        served.put(path, path * 3)
    start = served.sitemap("/b", "/a", "/c", at="/sitemap.xml.gz" if packed else "/sitemap.xml", packed=packed)
    assert paths(web(tmp_path, start), served) == (["/b", "/a", "/c"], {})


def test_an_index_leads_to_other_sitemaps_and_other_indexes(tmp_path, served):
    for path in ("/a", "/b", "/c"):
        served.put(path, path * 3)
    one, two = served.sitemap("/a", at="/1.xml"), served.sitemap("/b", "/c", at="/2.xml.gz", packed=True)
    inner = served.sitemap_index(two, at="/inner.xml")
    start = served.sitemap_index(one, inner, f"{served.url}/index.xml")
    assert paths(web(tmp_path, start), served)[0] == ["/a", "/b", "/c"]


def test_a_sitemap_of_lines(tmp_path, served):
    served.put("/a", "Alpha")
    lines = f"\ufeff{served.url}/a\r\n\nnonsense\n"
    for name, data in (("/sitemap.txt", lines.encode()), ("/sitemap.txt.gz", gzip.compress(lines.encode()))):
        start = served.put(name, data, media_type="text/plain")
        assert paths(web(tmp_path, start), served) == (["/a"], {"nonsense": "not the address of a page"})


def test_the_sitemaps_of_a_site_are_named_by_its_robots_txt_or_at_the_usual_place(tmp_path, served):
    served.put("/a", "Alpha")
    served.put("/b", "Beta")
    served.sitemap("/a")
    assert paths(web(tmp_path, served.url, find="sitemap"), served)[0] == ["/a"]
    other = served.sitemap("/b", at="/other")
    served.put("/robots.txt", f"User-agent: *\nAllow: /\n\nSitemap: {other}\n".encode())
    assert paths(web(tmp_path, served.url, find="sitemap"), served)[0] == ["/b"]


def test_a_page_with_the_same_date_is_not_asked_and_one_without_costs_a_conditional_request(tmp_path, served):
    for path in ("/a", "/b", "/c"):
        served.put(path, path * 3)
    start = served.sitemap(("/a", "2026-01-02"), ("/b", "2026-01-02T10:00:00Z"), "/c")
    source = web(tmp_path, start)
    first, _, _ = listed(source)
    assert served.paths == ["/sitemap.xml", "/robots.txt", "/a", "/b", "/c"]
    second, _, _ = again(source, first, served)
    assert served.paths == ["/sitemap.xml", "/robots.txt", "/c"]
    assert served.statuses == {200: 1, 404: 1, 304: 1}
    assert [each.version for each in second] == [each.version for each in first]
    assert not any(each.live for each in second), "nothing new is to be remembered"


def test_another_date_is_remembered_and_another_content_is_another_version(tmp_path, served):
    served.put("/a", "Alpha")
    served.put("/b", "Beta")
    source = web(tmp_path, served.sitemap(("/a", "2026-01-01"), ("/b", "2026-01-01")))
    first, _, _ = listed(source)
    served.sitemap(("/a", "2026-02-02"), ("/b", "2026-02-02"))
    served.put("/b", "Beta, changed")
    second, _, _ = again(source, first, served)
    assert served.statuses == {200: 2, 404: 1, 304: 1}  # sitemap, page; robots.txt; page
    assert [each.live for each in second] == [True, True]
    assert [one.version == two.version for one, two in zip(first, second, strict=True)] == [True, False]
    again(source, second, served)
    assert served.paths == ["/sitemap.xml", "/robots.txt"]


def test_a_date_that_is_not_trusted_costs_a_conditional_request(tmp_path, served):
    served.put("/a", "Alpha")
    source = web(tmp_path, served.sitemap(("/a", "2026-01-01")), trust_lastmod=False)
    first, _, _ = listed(source)
    served.put("/a", "Alpha, changed under the same date")
    second, _, _ = again(source, first, served)
    assert second[0].version != first[0].version


def test_a_server_without_validators_is_read_and_the_hash_decides(tmp_path, served):
    served.put("/a", "Alpha", validator="")
    source = web(tmp_path, served.sitemap("/a"))
    first, _, _ = listed(source)
    second, _, _ = again(source, first, served)
    assert served.statuses == {200: 2, 404: 1}
    assert second[0].version == first[0].version
    assert not second[0].live
    served.put("/a", "Alpha, changed", validator="")
    third, _, _ = again(source, second, served)
    assert third[0].version != first[0].version


def test_a_full_run_asks_without_conditions(tmp_path, served):
    served.put("/a", "Alpha")
    source = web(tmp_path, served.sitemap(("/a", "2026-01-01")))
    first, _, _ = listed(source)
    served.forget()
    source.recall(remembered(first), full=True)
    listed(source)
    assert served.statuses == {200: 2, 404: 1}


RSS = "<rss version='2.0'><channel><title>N</title>{}</channel></rss>"
ATOM = "<feed xmlns='http://www.w3.org/2005/Atom'><title>N</title>{}</feed>"


def feed_of(kind, url, *entries):
    """A feed of paths with dates."""
    if kind == "json":
        items = [{"id": path, "url": url + path, "date_modified": date} for path, date in entries]
        return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "N", "items": items}).encode()
    if kind == "atom":
        each = "".join(
            f"<entry><link href='{url}{p}'/><updated>{d}</updated><title>x</title></entry>" for p, d in entries
        )
        return ATOM.format(each).encode()
    return RSS.format("".join(f"<item><link>{url}{p}</link><pubDate>{d}</pubDate></item>" for p, d in entries)).encode()


@pytest.mark.parametrize("kind", ["rss", "atom", "json"])
def test_a_feed_has_the_newest_pages_and_the_older_ones_stay(tmp_path, served, kind):
    date = "Fri, 02 Jan 2026 10:00:00 GMT" if kind == "rss" else "2026-01-02T10:00:00Z"
    for path in ("/a", "/b", "/c"):
        served.put(path, path * 3)
    start = served.put("/feed", feed_of(kind, served.url, ("/a", date), ("/b", date)), media_type="application/xml")
    source = web(tmp_path, start)
    first, _, _ = listed(source)
    assert [each.uri for each in first] == [f"{served.url}/a", f"{served.url}/b"]
    again(source, first, served)
    assert served.statuses[304] == (2 if kind == "rss" else 0), "the date of publication says nothing about changes"
    served.put("/feed", feed_of(kind, served.url, ("/c", date), ("/b", date)), media_type="application/xml")
    second, _, _ = again(source, first, served)
    assert [each.uri.removeprefix(served.url) for each in second] == ["/c", "/b", "/a"]
    assert "/a" in served.paths
    del served.answers["/a"]
    third, ignored, errors = again(source, second, served)
    assert [each.uri.removeprefix(served.url) for each in third] == ["/c", "/b"]
    assert not ignored
    assert not errors


def test_the_pages_of_a_feed_stay_in_a_full_run(tmp_path, served):
    served.put("/a", "Alpha")
    served.put("/b", "Beta")
    source = web(tmp_path, served.put("/feed", feed_of("rss", served.url, ("/a", ""))))
    first, _, _ = listed(source)
    served.put("/feed", feed_of("rss", served.url, ("/b", "")))
    source.recall(remembered(first), full=True)
    assert [each.uri.removeprefix(served.url) for each in listed(source)[0]] == ["/b", "/a"]


def test_an_entry_without_an_address_is_counted(tmp_path, served):
    data = RSS.format("<item><title>only words</title></item>").encode()
    start = served.put("/feed", data)
    assert list(listed(web(tmp_path, start))[1].values()) == ["not the address of a page"]


def test_a_crawl_follows_links_to_its_depth_and_stays_on_its_hosts(tmp_path, served):
    served.put(
        "/", "Home", links=("/a", "/a#part", "/a?utm_source=home", "https://other.example/x", "mailto:me@x.example")
    )
    served.put("/a", "Alpha", links=("b", "/"))
    served.put("/b", "Beta", links=("/c",))
    served.put("/c", "Gamma")
    source = web(tmp_path, served.url, depth=2)
    assert paths(source, served) == (["/", "/a", "/b"], {})
    assert served.paths == ["/robots.txt", "/", "/a", "/b"]
    assert paths(web(tmp_path, served.url, depth=0), served)[0] == ["/"]


def test_a_crawl_of_what_is_known_costs_conditional_requests_only(tmp_path, served):
    served.put("/", "Home", links=("/a", "/b"))
    served.put("/a", "Alpha", links=("/c",))
    served.put("/b", "Beta")
    served.put("/c", "Gamma")
    source = web(tmp_path, served.url)
    first, _, _ = listed(source)
    assert len(first) == 4
    second, _, _ = again(source, first, served)
    assert served.statuses == {304: 4, 404: 1}
    assert [(each.uri, each.version) for each in second] == [(each.uri, each.version) for each in first]
    served.put("/a", "Alpha", links=("/d",))
    served.put("/d", "Delta")
    third, _, _ = again(source, second, served)
    assert [each.uri.removeprefix(served.url) for each in third] == ["/", "/a", "/b", "/d"]


def test_links_that_ask_not_to_be_followed_are_not(tmp_path, served):
    body = b"<a rel='nofollow' href='/a'>a</a><a href='/b'>b</a><p>" + b"word " * 20
    served.put("/", body)
    served.put("/b", "Beta " * 10, head="<meta name='robots' content='nofollow'>", links=("/c",))
    for path in ("/a", "/c"):
        served.put(path, "more")
    assert paths(web(tmp_path, served.url), served)[0] == ["/", "/b"]


def test_pages_can_be_named_one_by_one(tmp_path, served):
    one, two = served.put("/a", "Alpha", links=("/c",)), served.put("/b", "Beta")
    assert paths(web(tmp_path, [one, two], find="pages"), served)[0] == ["/a", "/b"]


def test_patterns_decide_before_anything_is_asked(tmp_path, served):
    for path in ("/docs/a", "/docs/draft/b", "/blog/c"):
        served.put(path, path)
    start = served.sitemap(
        "/docs/a", "/docs/draft/b", "/blog/c", "https://other.example/d", "/docs/e.png", "/docs/f.zip"
    )
    source = web(tmp_path, start, include=["docs/**"], exclude=["docs/draft/**"])
    source.context = type(source.context)(tmp_path, wanted=lambda kind: kind == "text/html")
    found, ignored = paths(source, served)
    assert found == ["/docs/a"]
    assert ignored == {
        "/docs/draft/b": "in exclude", "/blog/c": "not in include", "https://other.example/d": "on another host (hosts)",
        "/docs/e.png": "type that is not read", "/docs/f.zip": "type that is not read",
    }  # fmt: skip
    assert served.paths == ["/sitemap.xml", "/robots.txt", "/docs/a"]
