"""An address that was signed anew is the same picture: nothing is bought, and hits have the address of today."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from media_rows import media_rows, reasons, versions

from relance.documents import Item, digest
from relance.embedding.providers.dashscope.models import MODELS
from relance.errors import BudgetError, SourceError
from relance.fetch import FetchPolicy
from relance.media.loader import MediaLoader
from relance.media.request import MediaInfo, MediaRequest
from relance.sources.files import Files

SIGNED = "?X-Amz-Date=202611{0:02}T000000Z&X-Amz-Expires=999999999&X-Amz-Signature={0:064}"


def _sign(gallery: Any, web: Any, day: int, *, many: int = 3, ids: bool = True, caption: str = "a mill") -> list[str]:
    """Let a table name pictures by addresses that were signed on a day; those of other days have expired."""
    web.pages.clear()
    colours = ["red", "green", "blue", "white"]
    urls = []
    for number in range(many):
        path = f"/{number}.png{SIGNED.format(day)}"
        urls.append(web.put(path, gallery.png(colours[number % 4]), validator="date"))
        web.pages[path].version = number  # one validator, whatever the signature
    head = "id,url,caption\n" if ids else "url,caption\n"
    gallery.write("m.csv", head + "".join(f"{f'{n},' if ids else ''}{url},{caption}\n" for n, url in enumerate(urls)))
    return urls


def test_new_signatures_buy_nothing_and_are_what_a_hit_shows(gallery: Any, web: Any, emulator: Any) -> None:
    for ids in (True, False):  # without ids, rows are named by what they say
        index = gallery.index(store=f"db-{ids}")
        _sign(gallery, web, 1, ids=ids)
        index.ingest()
        before, bought = media_rows(index), emulator.stats()["requests"]
        web.take()
        urls = _sign(gallery, web, 2, ids=ids)
        report = index.ingest().media
        assert (report.added, report.changed, report.removed, report.embedded, report.failed) == (0, 3, 0, 0, 0)
        assert [status for _, status in web.take()] == [304] * 3, "asked by its validators, though it has a new address"
        after = media_rows(index)
        assert after.keys() == before.keys()
        assert sorted(row["url"] for row in after.values()) == sorted(urls)
        for uri, row in after.items():
            assert row | {"url": ""} == before[uri] | {"url": ""}
        assert emulator.stats()["requests"] == bought
        was = versions(index)
        assert index.ingest().media.unchanged == 3
        assert versions(index) == was


def test_a_document_shows_one_picture_whatever_its_signature(gallery: Any, web: Any, emulator: Any) -> None:
    index = gallery.index()
    for day in (1, 2):
        web.pages.clear()
        url = web.put("/a.png" + SIGNED.format(day), gallery.png(), validator="date")
        gallery.write("docs/a.md", f"# Mill\n\nIt turns.\n\n![the mill]({url})\n")
        report = index.ingest()
    assert (report.embedded, report.reused) == (0, 1), "an address is no part of the text that is embedded"
    assert (report.media.changed, report.media.removed, report.media.embedded) == (1, 0, 0)
    (uri,) = media_rows(index)
    assert "Signature" not in uri
    (hit,) = index.search_media("the mill", mode="full-text")
    assert hit.url == url
    (text,) = index.search("turns", mode="full-text")
    assert url in text.text, "what is shown is what was written"


def test_a_budget_and_a_plan_know_what_the_rows_had(gallery: Any, web: Any, emulator: Any) -> None:
    """agentscope-java#2700: "needs $0.0048", though nothing had to be bought."""
    _sign(gallery, web, 1, many=4)
    gallery.index().ingest()
    _sign(gallery, web, 2, many=4, caption="a windmill")
    index = gallery.index(limits={"max_cost_usd": 0.0000001})
    plan = index.plan().media
    assert (plan.changed, plan.chunks, plan.reused, plan.tokens, plan.cost_usd) == (4, 4, 4, 0, 0.0)
    report = index.ingest().media
    assert (report.changed, report.unchanged, report.failed) == (4, 0, 0)
    report = index.ingest().media
    assert (report.changed, report.unchanged) == (0, 4), "what the plan guessed is not counted once more"
    assert {row["text"] for row in media_rows(index).values()} == {"a windmill"}


def test_a_plan_says_what_of_it_is_a_guess_and_knows_the_pictures_of_other_rows(gallery: Any, web: Any) -> None:
    urls = _sign(gallery, web, 1, many=2)
    gallery.index().ingest()
    new = [web.put(f"/new{n}.png", gallery.png(colour)) for n, colour in enumerate(("red", "pink"))]
    rows = [("a", urls[0]), ("b", urls[1]), ("c", new[0]), ("d", new[1]), ("e", new[1])]
    gallery.write("m.csv", "id,url,caption\n" + "".join(f"{name},{url},\n" for name, url in rows))
    plan = gallery.index().plan().media
    assert (plan.added, plan.removed, plan.guessed) == (5, 2, 3)
    assert (plan.reused, plan.tokens) == (3, 2 * 896), "two of known pictures, and one address that is named twice"
    with pytest.raises(BudgetError, match=r"needs up to \$0.0002 .*3 pictures are at addresses that nobody has asked"):
        gallery.index(limits={"max_cost_usd": 0.0000001}).ingest()


def test_a_rule_of_the_spec_names_what_only_signs(gallery: Any, web: Any, emulator: Any) -> None:
    media = gallery.media(identity=[{"host": "127.0.0.1", "ignore": ["X-Sig"]}])
    index = gallery.index(media=media)
    for sign in ("a", "b"):
        web.pages.clear()
        gallery.write("m.csv", f"url,caption\n{web.put(f'/1.png?w=9&X-Sig={sign}', gallery.png())},mill\n")
        report = index.ingest().media
    assert (report.added, report.changed, report.embedded) == (0, 1, 0)


def test_what_expired_since_it_was_listed_is_asked_by_the_address_its_table_has_now(
    gallery: Any, web: Any, emulator: Any
) -> None:
    old = web.put("/1.png" + SIGNED.format(1), gallery.png(), status=403)
    new = web.put("/1.png" + SIGNED.format(2), gallery.png())
    table = gallery.write("m.csv", f"id,url,caption\n1,{old},mill\n")
    index = gallery.index()
    # The table is written again while the first address is asked.
    web.before = lambda _: table.write_text(f"id,url,caption\n1,{new},mill\n")
    report = index.ingest().media
    assert (report.added, report.failed) == (1, 0)
    assert media_rows(index)["m.csv#1"]["url"] == new
    assert reasons(index) == {}


def test_what_expired_and_whose_table_is_away_is_a_failure_and_stays_and_the_others_go_on(
    gallery: Any, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = _sign(gallery, web, 1, many=2)
    index = gallery.index()
    index.ingest()
    web.pages[urls[0].removeprefix(web.url)].status = 404
    new = web.put("/new.png", gallery.png("pink"))
    gallery.write("m.csv", f"id,url,caption\n0,{urls[0]},a mill\n1,{urls[1]},a mill\n2,{new},new\n")

    @contextmanager
    def away(self: Files, item: Item) -> Generator[Any]:
        raise SourceError("the server does not answer")
        yield

    # The table is listed by then.
    web.before = lambda _: monkeypatch.setattr(Files, "open", away)
    report = index.ingest().media
    assert (report.added, report.removed, report.failed) == (1, 0, 1)
    assert set(media_rows(index)) == {"m.csv#0", "m.csv#1", "m.csv#2"}
    assert "could not be read again: the server does not answer" in reasons(index)["m.csv#0"]


@pytest.fixture
def expiring(gallery: Any, web: Any) -> Callable[..., list[str]]:
    """Let a table or page name a picture whose address expires as soon as relance has looked at it.

    Returns its addresses: the one that expires, one of the next day, and that of another picture.
    """

    def begin(write: Callable[[str], Any], now: int) -> list[str]:
        urls = [web.put("/1.png" + SIGNED.format(day), gallery.png()) for day in (1, 2)]
        urls.append(web.put("/other.png" + SIGNED.format(1), gallery.png("green")))
        web.put("/well.png", gallery.png("blue"))
        write(urls[0])
        old, asked = urls[0].removeprefix(web.url), []

        def expire(path: str) -> None:
            asked.append(path)
            if asked.count(old) == 2:  # now the service asks
                web.pages[old].status = 403
                write(urls[now])

        web.before = expire
        return urls

    return begin


def _bytes_sent(emulator: Any) -> int:
    return sum(request["body"].count("data:image/png;base64,") for request in emulator.requests())


@pytest.mark.parametrize("form", ["table", "page"])
@pytest.mark.usefixtures("public")
def test_what_expired_before_the_service_came_is_sent_by_the_address_of_today(
    gallery: Any, web: Any, emulator: Any, expiring: Any, form: str
) -> None:
    def write(url: str) -> None:
        if form == "table":
            gallery.write("m.csv", f"id,url,caption\n1,{url},mill\n2,{web.url}/well.png,well\n")
        else:
            gallery.write("docs/a.md", f"# A\n\n![mill]({url})\n\n![well]({web.url}/well.png)\n")

    urls = expiring(write, 1)
    index = gallery.index()
    report = index.ingest().media
    assert (report.added, report.failed, _bytes_sent(emulator)) == (2, 0, 0), reasons(index)
    assert (urls[1].removeprefix(web.url), 200) in web.take(), "the service has fetched it there"
    web.before = lambda _: None
    report = index.ingest().media
    assert (report.changed, report.embedded, report.failed) == (1, 0, 0)
    (row,) = [row for row in media_rows(index).values() if row["text"] == "mill"]
    assert row["url"] == urls[1], "the next run writes down the address of today"


@pytest.mark.parametrize("now", [0, 2], ids=["no newer address", "another picture"])
@pytest.mark.usefixtures("public")
def test_without_an_address_of_today_the_picture_that_was_looked_at_is_sent(
    gallery: Any, web: Any, emulator: Any, expiring: Any, now: int
) -> None:
    def write(url: str) -> None:
        gallery.write("m.csv", f"id,url,caption\n1,{url},mill\n2,{web.url}/well.png,well\n")

    expiring(write, now)
    index = gallery.index()
    report = index.ingest().media
    assert (report.added, report.failed, _bytes_sent(emulator)) == (2, 0, 1), reasons(index)
    assert media_rows(index)["m.csv#1"]["content_hash"] == digest("file", gallery.png())


@pytest.mark.usefixtures("public")
def test_with_neither_the_failure_says_what_was_tried(gallery: Any, web: Any, expiring: Any) -> None:
    def write(url: str) -> None:
        gallery.write("m.csv", f"id,url,caption\n1,{url},mill\n2,{web.url}/well.png,well\n")

    expiring(write, 0)
    index = gallery.index(media=gallery.media(send="url"))
    assert index.ingest().media.failed == 1
    reason = reasons(index)["m.csv#1"]
    assert "m.csv has no newer address of it, and media.send: url forbids to send the file itself" in reason
    assert "Signature" not in reason


class Public(FetchPolicy):
    """A policy to which the test's server is a public one."""

    def allows_url(self, url: str) -> bool:
        return False


def test_an_address_that_expires_soon_is_not_sent_but_its_picture(gallery: Any, web: Any) -> None:
    """By the time the service came for it, it would lead nowhere."""
    dated = "/1.png?X-Amz-Date=20250101T000000Z&X-Amz-Signature=0&X-Amz-Expires="
    soon, late = (web.put(dated + lasts, gallery.png()) for lasts in ("60", "9999999999"))
    side = MODELS["tongyi-embedding-vision-plus"].media
    assert side is not None
    with MediaLoader(Public(allow=("127.0.0.1",), max_bytes=1 << 20, timeout_s=5), side.rules) as loader:
        one, two = loader.load([MediaRequest("a", (url,), lambda _: b"", lambda _: "", {}) for url in (soon, late)])
    assert isinstance(one, MediaInfo)
    assert isinstance(two, MediaInfo)
    assert (one.urls, len(one.data)) == ((), 1)
    assert (two.urls, two.data) == ((late,), ())
