"""What sites do wrong, and what must not be lost by it."""

import gzip
import io
import itertools
import zlib
from collections.abc import Generator

import pytest
from sites import Answer, page, remembered, site, web

from relance.documents import Ignored, Item
from relance.errors import ConfigurationError, DocumentError, GoneDocumentError, SourceError


@pytest.fixture
def served():
    with site() as server:
        yield server


def filled(served):
    for path in ("/a", "/b", "/c"):
        served.put(path, path * 3)
    return served.sitemap("/a", "/b", "/c")


def test_a_page_that_is_gone_is_no_item(tmp_path, served):
    start = filled(served)
    served.put("/a", "", status=410)
    del served.answers["/b"]
    assert [each.uri for each in web(tmp_path, start).list() if isinstance(each, Item)] == [f"{served.url}/c"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(b"x", 500), "the server has a problem now (500)"),
        (Answer(b"x", 403), "the server wants a login or refuses (403)"),
        (Answer(b"x", 429, headers={"Retry-After": "3600"}), "asks to come back in 1 h (429), more than sources[0].patience_s"),
        (Answer(b"", 301, headers={"Location": "/a"}), "it redirects more than 5 times"),
        (Answer(b"", 301, headers={"Location": "http://10.0.0.1/"}), "10.0.0.1 is a private address"),
        (Answer(b"", 301, headers={"Location": "file:///etc/passwd"}), "only http and https"),
        (Answer(page("x"), cut=True), "the connection broke"),
        (Answer(b"not gzip", headers={"Content-Encoding": "gzip"}), "its compression is broken"),
        (Answer(gzip.compress(b"x" * 3_000_000), headers={"Content-Encoding": "gzip"}), "is more than the limit of 1.0MiB"),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_page_that_cannot_be_had_is_a_failure_and_keeps_its_uri(tmp_path, served, answer, said):
    start = filled(served)
    source = web(tmp_path, start, max_size="1MiB", timeout_s=5)
    first = [each for each in source.list() if isinstance(each, Item)]
    served.answers["/a"] = answer
    source.recall(remembered(first))
    found = list(source.list())
    assert isinstance(found[0], DocumentError)
    assert found[0].uri == f"{served.url}/a"
    assert said in found[0].reason
    if answer.status != 429:  # then the host is not asked for the others either
        assert [each.uri for each in found[1:] if isinstance(each, Item)] == [f"{served.url}/b", f"{served.url}/c"]
    with pytest.raises(DocumentError, match=r"/a: ") as caught:
        web(tmp_path, start, max_size="1MiB", timeout_s=5).read(first[0])
    assert said in caught.value.reason


def test_a_pause_that_a_site_asks_for_is_made(tmp_path, served):
    start = filled(served)
    answers = itertools.chain([Answer(b"", 429, headers={"Retry-After": "1"})], itertools.repeat(Answer(page("Alpha"))))
    served.answers["/a"] = lambda _: next(answers)
    assert len([each for each in web(tmp_path, start).list() if isinstance(each, Item)]) == 3
    assert served.statuses[429] == 1


def test_a_page_that_is_gone_when_it_is_read(tmp_path, served):
    start = filled(served)
    item = next(each for each in web(tmp_path, start).list() if isinstance(each, Item))
    del served.answers["/a"]
    with pytest.raises(GoneDocumentError):
        web(tmp_path, start).read(item)


# -- a list that may lack pages is none ----------------------------------------------------------------------------

BROKEN = {
    "cut short": (b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc>http://x.example/</loc></url>", "no whole XML"),
    "a page": (page("We are sorry"), "is neither"),
    "nothing": (b"", "is neither"),
    "other XML": (b"<?xml version='1.0'?><catalog><url/></catalog>", "is neither"),
    "gzip cut short": (gzip.compress(b"<urlset></urlset>" * 50)[:-12], "gzip of this sitemap is broken"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_sitemap_ends_the_listing_with_an_error(tmp_path, served, name):
    body, said = BROKEN[name]
    start = served.put("/sitemap.xml", body)
    with pytest.raises(SourceError, match=said):
        list(web(tmp_path, start).list())


@pytest.mark.long
def test_a_failed_child_ends_the_listing_after_what_was_found(tmp_path, served):
    filled(served)
    one, two = served.sitemap("/a", at="/1.xml"), served.sitemap("/b", at="/2.xml")
    start = served.sitemap_index(one, two)
    for answer in (Answer(b"", 404), Answer(b"", 503), Answer(b"<urlset><url>", media_type="text/xml")):
        served.answers["/2.xml"] = answer
        found = []
        with pytest.raises(SourceError, match=r"/2\.xml"):
            for each in web(tmp_path, start).list():
                found.append(each)  # noqa: PERF402  # they are kept though the listing fails
        assert [each.uri for each in found] == [f"{served.url}/a"]


@pytest.mark.long
def test_entities_and_endless_gzip_are_bounded(tmp_path, served):
    bomb = (
        b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '" + b"&a;" * 100 + b"'><!ENTITY c '" + b"&b;" * 100
        + b"'><!ENTITY d '" + b"&c;" * 100 + b"'><!ENTITY f SYSTEM 'file:///etc/passwd'>]>"
        + b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc>http://x.example/&d;&f;</loc></url></urlset>"
    )  # fmt: skip
    start = served.put("/sitemap.xml", bomb)
    try:
        found = list(web(tmp_path, start).list())
    except SourceError:
        found = []
    assert not [each for each in found if isinstance(each, Item) or "root:" in str(each)]
    pack = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    data = io.BytesIO()
    data.write(pack.compress(f"{served.url}/a\n".encode()))
    for _ in range(300):
        data.write(pack.compress(b" " * (1 << 20) + b"\n"))
    start = served.put("/sitemap.xml.gz", data.getvalue() + pack.flush())
    with pytest.raises(SourceError, match="unpacks to more than 256 MiB"):
        list(web(tmp_path, start).list())


def test_indexes_in_indexes_have_an_end(tmp_path, served):
    for depth in range(6):
        served.sitemap_index(f"{served.url}/{depth + 1}.xml", at=f"/{depth}.xml")
    with pytest.raises(SourceError, match="deeper than 3 levels"):
        list(web(tmp_path, f"{served.url}/0.xml").list())


@pytest.mark.parametrize("data", [b"<rss version='2.0'><channel><item><link>/a</link></item>", b'{"version": "https://jsonfeed.org/version/1", "it', b"<html>sorry</html>"])  # fmt: skip
def test_a_broken_feed_ends_the_listing_with_an_error(tmp_path, served, data):
    start = served.put("/feed.xml", data)
    with pytest.raises(SourceError):
        list(web(tmp_path, start).list())


def test_nothing_is_read_while_robots_txt_cannot_be(tmp_path, served):
    start = filled(served)
    served.answers["/robots.txt"] = Answer(b"", 503)
    with pytest.raises(SourceError, match=r"robots\.txt: .* Without robots\.txt nothing is read"):
        list(web(tmp_path, start, patience_s=0).list())
    assert "/a" not in served.paths
    served.answers["/robots.txt"] = Answer(b"", 403)
    assert len(list(web(tmp_path, start).list())) == 3


def test_a_crawl_delay_counts(tmp_path, served, monkeypatch):
    start = filled(served)
    served.put("/robots.txt", b"User-agent: *\nCrawl-delay: 0.2\n")
    asked = []
    monkeypatch.setattr("relance.fetch.Fetcher.slow_down", lambda _, url, pause: asked.append((url, pause)))
    list(web(tmp_path, start).list())
    list(web(tmp_path, start, delay_s=0.5).list())
    assert asked == [(f"{served.url}/robots.txt", 0.2)], "ours is longer the second time"
    served.put("/robots.txt", b"User-agent: *\nCrawl-delay: 86400\n")
    with pytest.raises(SourceError, match="86400 s between two requests"):
        list(web(tmp_path, start).list())


def test_a_site_that_goes_away_ends_the_listing(tmp_path):
    with site() as served:
        names = [f"/{number}" for number in range(40)]
        served.put("/robots.txt", b"")
        for name in names:
            served.answers[name] = Answer(b"", 500)
        start = served.sitemap(*names)
        found = []
        with pytest.raises(SourceError, match="20 addresses in a row could not be had"):
            for each in web(tmp_path, start).list():
                found.append(each)  # noqa: PERF402  # the last of them count
        assert all(isinstance(each, DocumentError) for each in found)
        crawled = served.put("/", "Home")
    for address in (start, crawled):
        with pytest.raises(SourceError, match="cannot connect"):
            list(web(tmp_path, address).list())


def test_more_pages_than_wanted_end_the_listing(tmp_path, served):
    start = filled(served)
    found = []
    with pytest.raises(SourceError, match=r"more than max_pages \(2\) addresses"):
        for each in web(tmp_path, start, max_pages=2).list():
            found.append(each)  # noqa: PERF402  # as above
    assert len(found) == 2
    assert len(list(web(tmp_path, start, max_pages=3).list())) == 3
    assert len(list(web(tmp_path, start, max_pages=2, exclude=["c"]).list())) == 3


def test_a_crawl_that_lost_a_page_is_not_complete_unless_its_links_are_known(tmp_path, served):
    served.put("/", "Home", links=("/a",))
    served.put("/a", "Alpha", links=("/b",))
    served.put("/b", "Beta")
    source = web(tmp_path, served.url)
    first = list(source.list())
    served.answers["/a"] = Answer(b"", 500)
    source.recall(remembered(first))
    found = list(source.list())
    assert [type(each) for each in found] == [Item, DocumentError, Item]
    with pytest.raises(SourceError, match=r"/a could not be read, so what it links to is not known"):
        list(web(tmp_path, served.url).list())


@pytest.mark.parametrize("find", ["auto", "sitemap", "feed", "crawl"])
def test_a_start_that_is_not_there_is_never_taken_for_an_empty_site(tmp_path, served, find):
    with pytest.raises(ConfigurationError, match="start: "):
        list(web(tmp_path, f"{served.url}/nowhere.xml", find=find).list())


def test_a_start_that_robots_txt_forbids_or_that_leads_elsewhere(tmp_path, served):
    served.put("/robots.txt", b"User-agent: *\nDisallow: /\n")
    served.put("/", "Home")
    with pytest.raises(ConfigurationError, match=r"leads nowhere: by robots\.txt"):
        list(web(tmp_path, served.url).list())


def test_addresses_inside_are_refused_unless_they_are_allowed(tmp_path, served):
    start = filled(served)
    with pytest.raises(ConfigurationError, match=r"name it under sources\[0\]\.allow"):
        list(web(tmp_path, start, allow=[]).list())
    with pytest.raises(SourceError, match=r"sources\[0\]\.allow"):
        list(web(tmp_path, f"{served.url}/a", allow=[]).list())


def test_wrong_credentials_end_the_listing_and_are_not_shown(tmp_path, served):
    start = filled(served)
    served.answers["/sitemap.xml"] = Answer(b"", 401)
    with pytest.raises(SourceError, match="the server wants a login") as caught:
        list(web(tmp_path, start, user="me", password="hush-hush").list())
    assert "hush-hush" not in str(caught.value)


def test_a_page_that_is_no_page_any_more(tmp_path, served):
    start = filled(served)
    source = web(tmp_path, start)
    first = list(source.list())
    served.put("/a", "Alpha", head="<meta name='robots' content='noindex'>")
    served.put("/b", "", validator="")
    served.put("/b", b"", validator="")
    served.put("/c", "Sorry, we have no such page")  # a soft 404 says 200, and is taken at its word
    source.recall(remembered([each for each in first if isinstance(each, Item)]))
    found = list(source.list())
    assert [(type(each), getattr(each, "reason", "")) for each in found] == [
        (Ignored, "noindex"),
        (Ignored, "empty"),
        (Item, ""),
    ]


def test_who_stops_reading_a_listing_leaves_nothing_behind(tmp_path, served):
    names = [f"/{number}" for number in range(50)]
    for name in names:
        served.put(name, name)
    listing = web(tmp_path, served.sitemap(*names)).list()
    assert isinstance(next(listing), Item)
    assert isinstance(listing, Generator)
    listing.close()
    assert len(served.paths) < 50


def test_other_memories_are_passed_over(tmp_path, served):
    source = web(tmp_path, filled(served))
    first = list(source.list())
    odd = [
        each._replace(memory=memory)
        for each, memory in zip(remembered(first), ['{"links": "&&&"}', "[]", "{"], strict=True)
    ]
    source.recall([*odd, remembered(first)[0]._replace(uri="docs/a.md")])
    assert [each.version for each in source.list()] == [each.version for each in first]


def test_the_rules_of_a_site_are_asked_once(tmp_path, served):
    list(web(tmp_path, filled(served), at_once=8).list())
    assert served.paths.count("/robots.txt") == 1
