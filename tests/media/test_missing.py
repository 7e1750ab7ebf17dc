"""Pictures that are gone: 404 and 410 by the rule of the spec, and what their tables say meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import by_hand
from media_rows import media_rows, reasons, versions


def _table(gallery: Any, url: str, caption: str = "the mill") -> None:
    gallery.write("m.csv", f"id,url,caption\n1,{url},{caption}\n2,pics/a.png,a barn\n")


@pytest.fixture
def mill(gallery: Any, web: Any) -> str:
    """A picture on the web in a table, beside one that stays."""
    gallery.paint("pics/a.png", "green")
    url = web.put("/1.png", gallery.png("blue"))
    _table(gallery, url)
    return url


def _hits(index: Any) -> list[str]:
    return [hit.uri for hit in index.search_media("mill", mode="full-text")]


@pytest.mark.parametrize("status", [404, *by_hand(410)])
def test_it_stays_and_says_since_when_it_is_gone(gallery: Any, web: Any, mill: str, emulator: Any, status: int) -> None:
    index = gallery.index()
    index.ingest()
    (hit,) = index.search_media("mill", mode="full-text")
    assert hit.last_seen == ""
    seen = str(index.runs()[-1].started_at)[:10]
    web.pages["/1.png"].status = status
    report = index.ingest().media
    assert (report.changed, report.failed, report.embedded) == (1, 1, 0)
    (hit,) = index.search_media("mill", mode="full-text")
    assert hit.last_seen[:10] == seen
    assert hit.as_dict()["last_seen"] == hit.last_seen
    assert reasons(index)["m.csv#1"].startswith(f"{mill}: there is nothing at this address")
    assert f"({status}); last seen on {seen}, it stays in the index" in reasons(index)["m.csv#1"]
    was = versions(index)
    for _ in range(3):
        assert index.ingest().media.changed == 0
    assert versions(index) == was, "however long it is gone"
    web.pages["/1.png"].status = 200
    assert index.ingest().media.changed == 1
    (hit,) = index.search_media("mill", mode="full-text")
    assert (hit.last_seen, reasons(index)) == ("", {})
    assert emulator.stats()["texts"] == 2


@pytest.mark.parametrize("status", [410, *by_hand(403, 500)])
def test_what_its_table_says_is_written_meanwhile_with_the_old_vector(
    gallery: Any, web: Any, mill: str, emulator: Any, status: int
) -> None:
    index = gallery.index(media=gallery.media(missing={"rule": "keep"}))
    index.ingest()
    before = media_rows(index)["m.csv#1"]
    web.pages["/1.png"].status = status
    _table(gallery, mill, "a windmill by the sea")
    report = index.ingest().media
    assert (report.changed, report.failed) == (1, 1)
    row = media_rows(index)["m.csv#1"]
    assert row["text"] == "a windmill by the sea"
    assert row["vector"] == before["vector"]
    moved = web.put("/2.png", b"", status=status)
    _table(gallery, moved, "a windmill by the sea")
    assert index.ingest().media.changed == 1
    row = media_rows(index)["m.csv#1"]
    assert (row["url"], row["vector"] == before["vector"]) == (moved, True)
    assert emulator.stats()["texts"] == 2


def test_it_is_hidden_after_so_many_runs_until_it_is_there_again(
    gallery: Any, web: Any, mill: str, emulator: Any
) -> None:
    index = gallery.index(media=gallery.media(missing={"rule": "hide", "after": 2}))
    index.ingest()
    before = media_rows(index)["m.csv#1"]
    web.pages["/1.png"].status = 404
    index.ingest()
    assert _hits(index) == ["m.csv#1"], "one run may be an accident"
    index.ingest()
    assert _hits(index) == []
    assert reasons(index)["m.csv#1"].endswith("media.missing: hide")
    was = versions(index)
    assert index.ingest().media.removed == 0
    assert versions(index) == was
    web.pages["/1.png"].status = 200
    web.take()
    report = index.ingest().media
    assert ("/1.png", 304) in web.take(), "its validators were kept"
    assert (report.failed, report.embedded) == (0, 0)
    assert media_rows(index)["m.csv#1"] == before
    assert emulator.stats()["texts"] == 2


@pytest.mark.long
def test_runs_that_find_it_begin_the_count_again(gallery: Any, web: Any, mill: str) -> None:
    index = gallery.index(media=gallery.media(missing={"rule": "hide", "after": 2}))
    for status in (200, 404, 200, 404):
        web.pages["/1.png"].status = status
        index.ingest()
    assert _hits(index) == ["m.csv#1"]


def test_it_is_removed_after_so_many_runs_and_new_when_it_is_back(gallery: Any, web: Any, mill: str) -> None:
    index = gallery.index(media=gallery.media(missing={"rule": "remove", "after": 2}))
    index.ingest()
    web.pages["/1.png"].status = 410
    assert index.ingest().media.removed == 0
    report = index.ingest().media
    assert (report.removed, report.failed) == (1, 1)
    assert list(media_rows(index)) == ["m.csv#2", "pics/a.png"]
    assert index.ingest().media.removed == 0
    web.pages["/1.png"].status = 200
    report = index.ingest().media
    assert (report.added, report.embedded) == (1, 0), "its vector was paid for"
    assert _hits(index) == ["m.csv#1"]


def test_a_server_that_is_down_hides_nothing(gallery: Any, web: Any, mill: str) -> None:
    index = gallery.index(media=gallery.media(missing={"rule": "hide", "after": 1}))
    index.ingest()
    web.pages["/1.png"].status = 500
    index.ingest()
    assert _hits(index) == ["m.csv#1"]


def test_one_word_is_the_rule(gallery: Any) -> None:
    spec = gallery.index(media=gallery.media(missing="hide")).spec.media
    assert (spec.missing.rule, spec.missing.after) == ("hide", 3)
