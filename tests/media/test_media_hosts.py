"""Hosts that are down, busy, or of no use: requests that a run makes, and rows that stay in the index."""

from __future__ import annotations

import io
import threading
import time
from typing import Any

import pytest
from media_rows import media_rows, reasons, versions


def table(gallery: Any, urls: list[str]) -> None:
    gallery.write("m.csv", "id,url,caption\n" + "".join(f"{n},{url},\n" for n, url in enumerate(urls)))


def test_rows_of_a_host_that_is_down_stay_and_it_is_asked_a_few_times(gallery: Any, web: Any) -> None:
    urls = [web.put(f"/{n}.png", gallery.png("red", size=(20 + n, 20))) for n in range(100)]
    table(gallery, urls)
    index = gallery.index()
    assert index.ingest().media.added == 100
    before = media_rows(index)
    web.take()
    for n in range(100):
        web.put(f"/{n}.png", b"", status=500)
    report = index.ingest()
    assert (report.media.removed, report.media.failed) == (0, 100)
    assert len(web.take()) <= 50
    assert media_rows(index) == before
    assert any("was given up for this run after failures in a row" in reason for reason in reasons(index).values())


@pytest.mark.long
def test_pictures_that_a_host_makes_when_they_are_asked_for_come_in_one_run(gallery: Any, web: Any) -> None:
    """It refuses each address once (503, `Retry-After`), whatever the pace."""
    urls = [
        web.put(f"/{n}.png", gallery.png("red", size=(20 + n, 20)), status=503, retry_after="0.2") for n in range(40)
    ]
    ready: set[str] = set()

    def make(path: str) -> None:
        if path in ready:
            web.pages[path].status = 200
        ready.add(path)

    web.before = make
    table(gallery, urls)
    index = gallery.index()
    began = time.monotonic()
    assert index.ingest().media.added == 40
    assert time.monotonic() - began < 15, "and not a pause of all for each"
    asked = web.take()
    assert [status for _, status in asked] == [200, 503] * 40


@pytest.mark.long
def test_a_new_entity_tag_in_every_answer_is_no_change(gallery: Any, web: Any, emulator: Any) -> None:
    urls = [web.put(f"/{n}.png", gallery.png("red", size=(20 + n, 20)), validator="unstable") for n in range(4)]
    table(gallery, urls)
    index = gallery.index()
    assert index.ingest().media.added == 4
    bought, was = emulator.stats()["texts"], index.table(media=True).version
    for _ in range(2):
        report = index.ingest()
        assert (report.media.unchanged, report.media.changed, report.media.embedded) == (4, 0, 0)
    assert (emulator.stats()["texts"], index.table(media=True).version) == (bought, was)


def test_known_pictures_are_asked_for_side_by_side(gallery: Any, web: Any) -> None:
    """They have the size they had; as long as each might have been a large photograph, there were never more than two."""
    table(gallery, [web.put(f"/{n}.png", gallery.png("red", size=(20 + n, 20))) for n in range(40)])
    index = gallery.index()
    assert index.ingest().media.added == 40
    lock, now, peak = threading.Lock(), 0, 0

    def count(_: str) -> None:
        nonlocal now, peak
        with lock:
            now += 1
            peak = max(peak, now)
        time.sleep(0.02)
        with lock:
            now -= 1

    web.before = count
    assert index.ingest().media.unchanged == 40
    assert peak >= 4


def test_many_rows_of_one_address_are_one_request(gallery: Any, web: Any, emulator: Any) -> None:
    url = web.put("/1.png", gallery.png("red"))
    table(gallery, [url] * 150)
    index = gallery.index()
    assert index.ingest().media.added == 150
    assert web.take() == [("/1.png", 200)]
    assert emulator.stats()["texts"] == 1
    assert index.ingest().media.unchanged == 150
    assert web.take() == [("/1.png", 304)]


@pytest.mark.long
def test_what_was_refused_for_good_is_asked_for_conditionally_until_it_changes(gallery: Any, web: Any) -> None:
    table(gallery, [web.put("/small.png", gallery.png(size=(5, 5))), web.put("/page.png", b"<html>Log in</html>")])
    index = gallery.index()
    assert index.ingest().media.failed == 2
    told, was = reasons(index), versions(index)
    web.take()
    report = index.ingest()
    assert (report.media.failed, reasons(index)) == (2, told)
    assert web.take() == [("/page.png", 304), ("/small.png", 304)]
    assert versions(index) == was, "nothing is written"

    web.put("/small.png", gallery.png(size=(50, 50)))
    assert index.ingest().media.added == 1
    assert list(reasons(index)) == ["m.csv#1"]

    other = gallery.index(media=gallery.media(oversize="scale"))
    web.take()
    other.ingest()
    assert ("/page.png", 200) in web.take(), "under other rules it is looked at again"


def test_what_is_too_large_is_not_downloaded_again(gallery: Any, web: Any) -> None:
    table(gallery, [web.put("/large.png", bytes(300_000))])
    index = gallery.index(media=gallery.media(fetch={"max_size": 200_000}))
    index.ingest()
    web.take()
    index.ingest()
    assert web.take() == [("/large.png", 304)]
    assert "more than the limit" in reasons(index)["m.csv#0"]
    assert gallery.index(media=gallery.media(fetch={"max_size": 400_000})).ingest().media.failed == 1
    assert web.take() == [("/large.png", 200)]


def test_a_large_picture_over_the_limits_of_pixels_is_refused_by_its_beginning(gallery: Any, web: Any) -> None:
    from PIL import Image

    stream = io.BytesIO()
    Image.effect_noise((6000, 20), 90).save(stream, "PNG")  # one side is 300 times the other
    picture = stream.getvalue() + bytes(1 << 20)
    table(gallery, [web.put("/long.png", picture)])
    index = gallery.index()
    assert index.ingest().media.failed == 1
    assert "one side may be 200 times the other" in reasons(index)["m.csv#0"]


def test_what_is_fresh_is_not_asked_for_and_a_full_run_asks(gallery: Any, web: Any) -> None:
    table(gallery, [web.put(f"/{n}.png", gallery.png("red", size=(20 + n, 20))) for n in range(3)])
    index = gallery.index(media=gallery.media(fetch={"recheck": "7d"}))
    index.ingest()
    web.take()
    was = versions(index)
    assert index.ingest().media.unchanged == 3
    assert (web.take(), versions(index)) == ([], was)
    index.ingest(full=True)
    assert len(web.take()) == 3
    assert gallery.index(media=gallery.media(fetch={"recheck": "always"})).ingest().media.unchanged == 3
    assert len(web.take()) == 3


def test_a_new_promise_is_written_down(gallery: Any, web: Any) -> None:
    table(gallery, [web.put("/1.png", gallery.png())])
    gallery.index(media=gallery.media(fetch={"recheck": "always"})).ingest()
    index = gallery.index(media=gallery.media(fetch={"recheck": "2d"}))
    web.take()
    report = index.ingest()
    assert (report.media.unchanged, web.take()) == (1, [("/1.png", 304)])
    assert (index.ingest().media.unchanged, web.take()) == (1, [])
