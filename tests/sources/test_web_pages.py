"""What a page is called, and what it says of itself."""

import pytest
from sites import Answer, again, listed, page, paths, site, web

from relance.errors import DocumentError
from relance.sources import Location


@pytest.fixture
def served():
    with site() as server:
        yield server


# -- one uri per page ---------------------------------------------------------------------------------------------


def test_the_canonical_address_names_a_page(tmp_path, served):
    served.put("/real", "The page itself", head=f"<link rel='canonical' href='{served.url}/real'>")
    served.put("/print", "The page to print", head="<link rel='canonical' href='/real'>")
    items, ignored, _ = listed(web(tmp_path, served.sitemap("/print", "/real")))
    assert [each.uri for each in items] == [f"{served.url}/real"]
    assert ignored == {f"{served.url}/real": "same page as another address"}
    served.put("/real", "Now without")
    source = web(tmp_path, served.sitemap("/print"))
    (item,), _, _ = listed(source)
    assert item.uri == f"{served.url}/real"
    assert b"Now without" in source.read(item).data, "what is indexed is what is at that address"


def test_a_canonical_address_that_leads_nowhere_or_elsewhere_is_not_believed(tmp_path, served):
    served.put("/a", "Alpha", head="<link rel='canonical' href='/gone'>")
    served.put("/b", "Beta", head="<link rel='canonical' href='https://other.example/b'>")
    served.put("/c", "Gamma", headers={"Link": f'<{served.url}/c2>; rel="canonical"'})
    served.put("/c2", "Gamma, the right one")
    assert paths(web(tmp_path, served.sitemap("/a", "/b", "/c")), served)[0] == ["/a", "/b", "/c2"]


def test_a_page_that_was_moved_has_its_new_address(tmp_path, served):
    served.put("/old", "", status=301, headers={"Location": "/new?utm_campaign=x#part"})
    served.put("/new?utm_campaign=x", "The page")
    served.put("/new", "The page")
    source = web(tmp_path, served.sitemap("/old", "/new"))
    items, ignored, _ = listed(source)
    assert [each.uri for each in items] == [f"{served.url}/new"]
    assert ignored == {f"{served.url}/new": "same page as another address"}
    second, _, _ = again(source, items, served)
    assert served.statuses[304] >= 1
    assert [(each.uri, each.version) for each in second] == [(each.uri, each.version) for each in items]


def test_a_known_page_that_moves_is_found_at_its_new_address(tmp_path, served):
    served.put("/a", "Alpha")
    source = web(tmp_path, served.sitemap("/a"))
    first, _, _ = listed(source)
    served.put("/b", "Alpha")  # the same bytes, so the same validator: the answer is "not modified"
    served.put("/a", "", status=301, headers={"Location": "/b"}, validator="")
    second, _, _ = again(source, first, served)
    assert [each.uri for each in second] == [f"{served.url}/b"]


def test_a_final_slash_makes_no_other_page(tmp_path, served):
    served.put("/a", "Alpha")
    served.put("/a/", "Alpha")
    served.put("/b", "Beta")
    served.put("/b/", "Another page")
    found, ignored = paths(web(tmp_path, served.sitemap("/a", "/a/", "/b", "/b/")), served)
    assert found == ["/a", "/b", "/b/"]
    assert ignored == {"/a/": "same page as another address"}


# -- what pages say -----------------------------------------------------------------------------------------------


def test_what_is_not_to_be_indexed_is_ignored(tmp_path, served):
    served.put("/a", "Alpha", head="<meta name='ROBOTS' content='NOINDEX, follow'>")
    served.put("/b", "Beta", headers={"X-Robots-Tag": "noindex"})
    served.put("/c", "Gamma", headers={"X-Robots-Tag": "googlebot: noindex, nofollow"})
    served.put("/d", "Delta", head="<meta name='relance' content='none'>")
    served.put("/e", "Epsilon", head="<meta name='googlebot' content='noindex'>")
    source = web(tmp_path, served.sitemap("/a", "/b", "/c", "/d", "/e"))
    assert paths(source, served) == (["/c", "/e"], {"/a": "noindex", "/b": "noindex", "/d": "noindex"})
    own = web(tmp_path, f"{served.url}/sitemap.xml", obey_robots=False)
    served.forget()
    assert paths(own, served)[0] == ["/a", "/b", "/c", "/d", "/e"]
    assert "/robots.txt" not in served.paths


def test_robots_txt_is_obeyed_with_its_wildcards_and_for_our_name(tmp_path, served):
    for path in ("/a", "/private/b", "/c.pdf?x=1", "/only/d"):
        served.put(path, path)
    rules = b"User-agent: *\nDisallow: /private/\nDisallow: /*.pdf\n\nUser-agent: other-bot\nDisallow: /only\n"
    served.put("/robots.txt", rules)
    start = served.sitemap("/a", "/private/b", "/c.pdf?x=1", "/only/d")
    ours, ignored = paths(web(tmp_path, start), served)
    assert ours == ["/a", "/only/d"]
    assert ignored == {"/private/b": "by robots.txt", "/c.pdf?x=1": "by robots.txt"}
    theirs = web(tmp_path, start, user_agent="Other-Bot/2.0 (+https://x.example)")
    assert paths(theirs, served)[0] == ["/a", "/private/b", "/c.pdf?x=1"]
    assert served.asked[-1][1]["user-agent"] == "Other-Bot/2.0 (+https://x.example)"


def test_what_robots_txt_forbids_later_is_no_item_though_its_date_is_the_same(tmp_path, served):
    served.put("/a", "Alpha")
    served.put("/b", "Beta")
    source = web(tmp_path, served.sitemap(("/a", "2026-01-01"), ("/b", "2026-01-01")))
    first, _, _ = listed(source)
    served.put("/robots.txt", b"User-agent: *\nDisallow: /a\n")
    second, ignored, _ = again(source, first, served)
    assert [each.uri for each in second] == [f"{served.url}/b"]
    assert ignored == {f"{served.url}/a": "by robots.txt"}


def test_a_page_made_by_scripts_is_a_failure_that_says_so(tmp_path, served):
    served.put(
        "/app", b"<html><body><div id='root'></div><noscript>Enable JavaScript</noscript><script src='a.js'></script>"
    )
    served.put(
        "/ok", b"<html><body><script>x()</script><p>Enough words to be read by anybody at all.</p></body></html>"
    )
    items, _, errors = listed(web(tmp_path, served.sitemap("/app", "/ok")))
    assert [each.uri for each in items] == [f"{served.url}/ok"]
    assert "made by JavaScript" in errors[f"{served.url}/app"]


def test_the_type_is_as_the_server_says_unless_that_says_nothing(tmp_path, served):
    kinds = {
        "/report": "application/pdf", "/notes.md": "text/plain; charset=utf-8", "/page.php": "text/html; charset=utf-8",
        "/a.docx": "application/octet-stream", "/plain": "text/plain",
    }  # fmt: skip
    for path, kind in kinds.items():
        served.put(path, b"some bytes", media_type=kind)
    items, _, _ = listed(web(tmp_path, served.sitemap(*kinds)))
    docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    assert [each.media_type for each in items] == ["application/pdf", "text/markdown", "text/html", docx, "text/plain"]


def test_the_encoding_that_the_server_names_is_used(tmp_path, served):
    text = "<html><body><p>中文网页，没有说明编码。</p></body></html>"
    served.put("/a", text.encode("gb18030"), media_type="text/html; charset=gb18030")
    source = web(tmp_path, served.sitemap("/a"))
    (item,), _, _ = listed(source)
    assert source.read(item).data == b"\xef\xbb\xbf" + text.encode()
    assert source.read(item).content_hash == item.version


def test_a_page_is_fetched_once_and_read_with_what_is_known_of_it(tmp_path, served):
    served.put("/a", "Alpha", headers={"Last-Modified": "Fri, 02 Jan 2026 10:00:00 GMT"})
    source = web(tmp_path, served.sitemap("/a"))
    (item,), _, _ = listed(source)
    content = source.read(item)
    assert content.data == page("Alpha")
    assert content.metadata == {"url": item.uri, "mtime": "2026-01-02T10:00:00Z"}
    assert served.paths.count("/a") == 1
    elsewhere = web(tmp_path, f"{served.url}/sitemap.xml")
    assert elsewhere.read(item) == content, "a process that has not listed fetches it"


def test_headers_and_passwords_go_to_the_hosts_of_the_source_only(tmp_path, served):
    with site() as other:
        other.put("/b", "Beta")
        served.put("/a", "", status=302, headers={"Location": f"{other.url}/b"})
        start = served.sitemap("/a")
        source = web(tmp_path, start, user="me", password="hush", headers={"X-Key": "secret-key"})
        items, ignored, _ = listed(source)
        assert not items
        assert list(ignored.values()) == ["moved: on another host (hosts)"]
        assert {headers["x-key"] for _, headers in served.asked} == {"secret-key"}
        assert {headers["authorization"] for _, headers in served.asked} == {"Basic bWU6aHVzaA=="}
        assert [set(headers) & {"x-key", "authorization"} for _, headers in other.asked] == [set()] * len(other.asked)
        assert other.asked
    shown = repr(source.spec) + str(source.location()) + repr(items)
    assert "hush" not in shown
    assert "secret-key" not in shown


def test_many_addresses_keep_their_order_whatever_comes_first(tmp_path, served):
    names = [f"/{number}" for number in range(40)]
    for name in names:
        served.put(name, name * 3)
    served.put("/7", "", status=404)
    served.answers["/3"] = lambda _: Answer(b"broken", 500)
    items, _, errors = listed(web(tmp_path, served.sitemap(*names), at_once=16))
    assert [each.uri.removeprefix(served.url) for each in items] == [each for each in names if each not in {"/3", "/7"}]
    assert list(errors) == [f"{served.url}/3"]
    assert all(isinstance(each, DocumentError) is False for each in items)


def test_the_place_as_a_whole_is_its_start(tmp_path, served):
    assert web(tmp_path, "https://x.example/docs#top").location() == Location(
        "https://x.example/docs", link="https://x.example/docs"
    )
