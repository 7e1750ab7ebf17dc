"""Films by key frames on the pages: shown once, played from the moment that answers; texts and media in one question."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.explore.conftest import Visitor

from relance.documents import document_id
from relance.index import Index

Open = Callable[[Index], Visitor]


@pytest.fixture
def trip(gallery: Any, open_page: Open) -> Visitor:
    """A page over two films of the same content and a picture."""
    for name in ("trip", "copy"):
        gallery.write(f"{name}.mp4", gallery.film("red", "blue", "yellow", seconds=2))
    gallery.paint("meadow.png", "green")
    index = gallery.index(media=gallery.media(films="key-frames"), search={"media_floor": 0})
    index.ingest()
    return open_page(index)


def players(visitor: Visitor, path: str) -> list[str]:
    return [each["src"] or "" for each in visitor.page(path).all("video")]


def test_a_film_is_found_once_and_the_player_begins_at_the_moment(trip: Visitor) -> None:
    page = trip.page("/?q=yellow&kind=media")
    (player,) = [each["src"] or "" for each in page.all("video")]
    place, _, moment = player.partition("#")
    assert (place.endswith("/video"), moment) == (True, "t=4")
    assert "at 0:04" in page.words
    assert "also in 1 place" in page.words
    (film,) = [link for link in page.links() if "?t=" in link]
    assert players(trip, film)[0] == player, "its own page begins there, too"
    assert players(trip, "/?q=red&kind=media")[0].endswith("/video"), "the first moment is where players begin anyway"
    trip.page(f"/media/{document_id('trip.mp4')}?t=soon", status=400)


def test_lists_show_a_film_once(trip: Visitor) -> None:
    assert len(players(trip, "/")) == 1, "of the same content one"
    film = f"/media/{document_id('trip.mp4')}"
    page = trip.page(film)
    assert page.all("video")[0]["src"] == f"{film}/video"
    assert "The same in 1 other place" in page.words
    assert [link.partition("?")[0] for link in trip.page("/documents?kind=media").links()].count(film) == 1


def test_texts_and_media_are_sorted_in_one_request_of_a_reranker_that_sees(
    gallery: Any, web: Any, emulator: Any, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASHSCOPE_BASE_URL", f"{gallery.embed_url}/api/v1")
    url = web.put("/blue.png", gallery.png("blue"))
    film = web.put("/film.mp4", gallery.film("red", "blue"), media_type="video/mp4")
    gallery.write("m.csv", f"id,url,caption\n1,{url},lot 7\n2,{film},lot 8\n")
    gallery.write("docs/j.md", "The sky was blue that morning.\n")
    index = gallery.index(
        media=gallery.media(films="key-frames"),
        search={"rerank": {"model": "dashscope/qwen3-vl-rerank", "region": "beijing"}, "media_floor": 0},
    )
    index.ingest()
    page = open_page(index).page("/?q=blue sky")
    assert "The sky was blue that morning." in page.words
    assert "lot 7" in page.words
    (body,) = [json.loads(each["body"]) for each in emulator.requests() if "vl-rerank" in each["body"]]
    assert sorted(kind for document in body["input"]["documents"] for kind in document) == ["image", "text", "text"]
    assert {"text": "lot 8"} in body["input"]["documents"], "nobody has checked whether a service takes the film"
