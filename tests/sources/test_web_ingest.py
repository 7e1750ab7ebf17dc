"""Pages in an index: what a run asks, embeds and removes; served by nginx."""

import os
from contextlib import suppress

import pytest
from sites import NGINX, Answer, nginx, page, section, site

from relance.errors import ConfigurationError, RelanceError, SourceError

needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@pytest.fixture
def server(tmp_path):
    with nginx(tmp_path / "nginx") as served:
        yield served


@pytest.fixture
def served():
    with site() as made:
        yield made


def uris(index):
    table = index.table().search().where("active").select(["uri"]).limit(10_000).to_arrow()
    return sorted(set(table["uri"].to_pylist()))


def filled(server, number=30, dates=False):
    """A sitemap of so many pages; with dates, each second page has one."""
    names = [f"/docs/{each:03}.html" for each in range(number)]
    for each in names:
        server.put(each, f"This page is about subject {each}, and about nothing else in the world.")
    named = [(each, "2026-01-01") if dates and at % 2 else each for at, each in enumerate(names)]
    return server.sitemap(*named)


@needs_nginx
def test_an_unchanged_run_costs_conditional_requests_only(server, make_index, log):
    index = make_index(sources=[section(filled(server))])
    first = index.ingest()
    assert (first.added, first.failed) == (30, 0)
    assert server.statuses() == {200: 31, 404: 1}  # pages and sitemap; robots.txt
    bought = len(log())
    second = index.ingest()
    assert server.statuses() == {304: 30, 200: 1, 404: 1}
    assert (second.unchanged, second.added, second.changed, second.removed) == (30, 0, 0, 0)
    assert len(log()) == bought


@needs_nginx
def test_exactly_what_changed_is_embedded_and_what_is_gone_removed(server, make_index, log):
    index = make_index(sources=[section(filled(server))])
    index.ingest()
    server.statuses()
    bought = len(log())
    server.put("/docs/007.html", "Now this page is about something else entirely.")
    (server.root / "docs/003.html").unlink()
    server.put("/docs/new.html", "A page that was not here before.")
    server.sitemap(*[f"/docs/{each:03}.html" for each in range(30) if each != 5], "/docs/new.html")
    report = index.ingest()
    assert (report.changed, report.added, report.removed, report.unchanged) == (1, 1, 2, 27)
    assert log()[bought:] == ["Now this page is about something else entirely.", "A page that was not here before."]
    assert server.statuses() == {304: 27, 200: 3, 404: 2}  # the sitemap and two pages; robots.txt and the page
    names = {each.rpartition("/")[2] for each in uris(index)}
    assert names == {f"{each:03}.html" for each in range(30)} - {"003.html", "005.html"} | {"new.html"}


@needs_nginx
def test_pages_with_dates_are_not_asked_at_all(server, make_index, log):
    index = make_index(sources=[section(filled(server, dates=True))])
    index.ingest()
    server.statuses()
    bought = len(log())
    index.ingest()
    assert server.statuses() == {304: 15, 200: 1, 404: 1}
    server.sitemap(*[(f"/docs/{each:03}.html", "2026-03-03") for each in range(30)])
    moved = index.ingest()
    assert server.statuses() == {304: 30, 200: 1, 404: 1}, "another date, the same page: it is asked, and not sent"
    assert moved.unchanged == 30
    index.ingest()
    assert server.statuses() == {200: 1, 404: 1}, "the new dates are remembered"
    assert len(log()) == bought


@needs_nginx
def test_a_touched_page_is_sent_and_not_embedded(server, make_index, log):
    index = make_index(sources=[section(filled(server, 5))])
    index.ingest()
    server.statuses()
    bought = len(log())
    os.utime(server.root / "docs/001.html", (1_700_000_000, 1_700_000_000))
    report = index.ingest()
    assert server.statuses() == {304: 4, 200: 2, 404: 1}
    assert (report.unchanged, report.changed) == (5, 0)
    index.ingest()
    assert server.statuses() == {304: 5, 200: 1, 404: 1}
    assert len(log()) == bought


def test_other_rules_read_pages_again_and_remember_them(served, make_index, log):
    start = filled(served, 4)
    make_index(sources=[section(start)]).ingest()
    bought = len(log())
    served.forget()
    other = make_index(sources=[section(start)], chunking={"max_tokens": 32})
    report = other.ingest()
    assert report.changed + report.unchanged == 4
    assert served.statuses == {304: 4, 200: 5, 404: 1}, "asked whether they changed, then read for the new rules"
    served.forget()
    other.ingest()
    assert served.statuses == {304: 4, 200: 1, 404: 1}
    assert len(log()) == bought


def test_a_page_that_says_noindex_later_is_removed_and_one_that_fails_stays(served, make_index):
    index = make_index(sources=[section(filled(served, 3))])
    index.ingest()
    served.put("/docs/000.html", "Hidden now", head="<meta name='robots' content='noindex'>")
    served.answers["/docs/001.html"] = Answer(b"", 500)
    report = index.ingest()
    assert (report.removed, report.failed) == (1, 1)
    assert report.ignored == {"noindex": 1} or "noindex" in str(report.ignored)
    assert [each.rpartition("/")[2] for each in uris(index)] == ["001.html", "002.html"]


def test_a_page_that_moves_keeps_its_vectors(served, make_index, log):
    index = make_index(sources=[section(filled(served, 3))])
    index.ingest()
    bought = len(log())
    served.answers["/new.html"] = served.answers["/docs/000.html"]
    served.put("/docs/000.html", "", status=301, headers={"Location": "/new.html"}, validator="")
    report = index.ingest()
    assert (report.added, report.removed) == (1, 1)
    assert [each.removeprefix(served.url) for each in uris(index)] == ["/docs/001.html", "/docs/002.html", "/new.html"]
    assert len(log()) == bought


@pytest.mark.parametrize("fault", ["away", "robots", "child", "cut", "too many"])
def test_nothing_is_removed_by_a_listing_that_fails(served, make_index, fault):
    filled(served, 6)
    one = served.sitemap(*[f"/docs/{each:03}.html" for each in range(3)], at="/1.xml")
    two = served.sitemap(*[f"/docs/{each:03}.html" for each in range(3, 6)], at="/2.xml")
    start = served.sitemap_index(one, two)
    index = make_index(sources=[section(start)])
    index.ingest()
    before = uris(index)
    assert len(before) == 6
    match fault:
        case "away":
            served.answers.clear()
        case "robots":
            served.answers["/robots.txt"] = Answer(b"", 500)
        case "child":
            del served.answers["/2.xml"]
        case "cut":
            served.answers["/1.xml"] = Answer(b"<urlset><url>")
    again = make_index(sources=[section(start, max_pages=4 if fault == "too many" else 100)])
    with suppress(SourceError, ConfigurationError):
        again.ingest()
    assert uris(index) == before


def test_an_item_that_appears_while_the_site_is_listed_is_not_removed(served, make_index):
    start = filled(served, 3)
    index = make_index(sources=[section(start)])

    def appears(_: dict[str, str]) -> Answer:
        served.put("/docs/late.html", "This page came while the others were listed.")
        served.sitemap("/docs/000.html", "/docs/001.html", "/docs/002.html", "/docs/late.html")
        return Answer(page("This page is about subject two."))

    served.answers["/docs/002.html"] = appears
    index.ingest()
    index.ingest()
    assert f"{served.url}/docs/late.html" in uris(index)


def test_a_pdf_and_a_table_behind_addresses(served, make_index):
    served.put("/t.csv", b"id,text\n1,The first row is here.\n2,The second row is here.\n", media_type="text/csv")
    served.put("/n.md", b"# Notes\n\nSome notes in Markdown.\n", media_type="text/plain")
    index = make_index(sources=[section(served.sitemap("/t.csv", "/n.md"), rows={})])
    assert index.ingest().added == 3
    assert uris(index) == [f"{served.url}/n.md", f"{served.url}/t.csv#1", f"{served.url}/t.csv#2"]
    served.forget()
    report = index.ingest()
    assert served.statuses == {304: 2, 200: 1, 404: 1}
    assert report.unchanged == 3


def test_a_full_run_reads_everything_and_buys_nothing(served, make_index, log):
    start = filled(served, 3, dates=True)
    index = make_index(sources=[section(start)])
    index.ingest()
    bought = len(log())
    served.forget()
    index.ingest(full=True)
    assert served.statuses[200] == 4
    assert not served.statuses[304]
    assert len(log()) == bought
    served.forget()
    index.ingest()
    assert served.statuses == {200: 1, 304: 2, 404: 1}


def test_secrets_of_a_site_are_shown_nowhere(served, make_index, tmp_path):
    start = filled(served, 2)
    more = {"user": "me", "password": "hush-hush", "headers": {"X-Key": "very-secret"}}
    index = make_index(sources=[section(start, **more)])
    report = index.ingest()
    shown = repr(index.spec) + str(report) + str(index.table().to_arrow().to_pylist())
    served.answers["/sitemap.xml"] = Answer(b"", 401)
    with suppress(RelanceError):
        shown += str(index.ingest())
    assert "hush-hush" not in shown
    assert "very-secret" not in shown
    stored = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    for secret in (b"hush-hush", b"very-secret", b"bWU6aHVzaC1odXNo"):
        assert secret not in stored
