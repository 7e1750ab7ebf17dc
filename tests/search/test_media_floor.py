"""Hits among images that stand out, copies that change nobody's score, and what is like a picture from elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from relance.errors import ConfigurationError, InputError
from relance.index import Index
from relance.search.hit import moment

GREYS = [f"rgb({level},{level},{level})" for level in range(70, 190, 3)]


def only_pictures(gallery: Any, rows: str = "", store: str = "db") -> Index:
    """Index the folder `pics`, and rows of a table."""
    gallery.write("m.csv", f"id,url,caption\n{rows}")
    index = gallery.index(store)
    index.ingest()
    return index


@pytest.fixture
def greys(gallery: Any) -> Index:
    """Forty grey pictures, and two red ones."""
    for number, grey in enumerate(GREYS):
        gallery.paint(f"pics/{number:02}.png", grey)
    gallery.paint("pics/red.png", "red")
    gallery.paint("pics/crimson.png", "crimson")
    return only_pictures(gallery)


def test_what_stands_out_is_found_and_the_rest_is_counted(greys: Index) -> None:
    hits = greys.search_media("red", k=50, mode="dense", explain=True)
    assert {hit.url for hit in hits} == {"pics/red.png", "pics/crimson.png"}
    assert hits.cut == len(GREYS)
    assert not hits.more
    assert hits.explanation is not None
    assert (hits.explanation.floor, hits.explanation.cut) == (1.0, len(GREYS))
    assert all(hit.explained and hit.explained.deviations["dense"] >= 1 for hit in hits)
    everything = greys.search_media("red", k=50, mode="dense", floor=0)
    assert (len(everything), everything.cut) == (len(GREYS) + 2, 0)
    assert [hit.score for hit in everything[:2]] == [hit.score for hit in hits]
    like = greys.search_media(like="pics/red.png", k=50)
    assert [hit.url for hit in like] == ["pics/crimson.png"]


def test_the_spec_says_how_far_a_picture_has_to_stand_out(greys: Index, gallery: Any) -> None:
    everyone = gallery.index(search={"media_floor": 0})
    assert len(everyone.search_media("red", k=50, mode="dense")) == len(GREYS) + 2
    with pytest.raises(InputError, match="floor is between 0"):
        greys.search_media("red", floor=-1)


def test_copies_change_no_score_and_are_named(gallery: Any) -> None:
    for name, colour in {"a": "red", "b": "green", "c": "blue", "d": "yellow"}.items():
        gallery.paint(f"pics/{name}.png", colour)
    plain = only_pictures(gallery, store="plain")
    copied = only_pictures(gallery, "".join(f"{n},pics/b.png,\n" for n in range(30)), "copied")
    for mode in ("dense", "hybrid"):
        before, after = (index.search_media("red", mode=mode, explain=True) for index in (plain, copied))
        told = [[(hit.url, hit.score, hit.explained and hit.explained.deviations) for hit in each]
                for each in (before, after)]  # fmt: skip
        assert told[0] == told[1]
        (hit,) = (hit for hit in after if hit.url == "pics/b.png")
        assert len(hit.also) == 30


def test_hits_name_the_lists_that_they_stand_out_of(four_colours: Any) -> None:
    index = four_colours.index()
    index.ingest()
    found = {hit.url: hit.found_by for hit in index.search_media("an old barn", mode="hybrid")}
    assert found["pics/a.png"][0] == "full-text"
    assert all(lists for lists in found.values())
    assert index.search_media("barn", mode="full-text")[0].found_by == ["full-text"]
    assert index.search("lake", mode="full-text")[0].found_by == ["full-text"]
    assert index.search("the lake was calm")[0].found_by


def test_a_picture_of_the_index_is_named_by_its_address_too(four_colours: Any, emulator: Any, web: Any) -> None:
    url = web.put("/d.png", four_colours.png("orange"))
    four_colours.write("m.csv", f"id,url,caption\n1,{url},an orange\n")
    index = four_colours.index()
    index.ingest()
    bought = len(emulator.requests())
    by_uri, by_address = (index.search_media(like=name) for name in ("m.csv#1", url))
    assert [hit.uri for hit in by_uri] == [hit.uri for hit in by_address]
    assert "m.csv#1" not in {hit.uri for hit in by_address}
    texts, media = index.search_both(like=url)
    assert (len(texts), [hit.uri for hit in media]) == (0, [hit.uri for hit in by_uri])
    assert len(emulator.requests()) == bought


def test_like_opens_no_file_of_its_own(four_colours: Any) -> None:
    """It may come from a page: only the command line reads what is named."""
    index = four_colours.index()
    index.ingest()
    with pytest.raises(InputError, match="there is no document"):
        index.search_media(like=str(four_colours.folder / "pics/a.png"))


def test_a_part_of_a_film_says_the_moment(gallery: Any) -> None:
    gallery.paint("pics/a.png", "red")
    rows = [{"id": "1", "url": "pics/a.png", "moment_s": 42.5}, {"id": "2", "url": "pics/a.png", "moment_s": "soon"}]
    gallery.write("m.jsonl", "\n".join(map(json.dumps, rows)))
    source = {"type": "files", "root": str(gallery.folder), "include": ["m.jsonl"],
              "rows": {"url": "url", "metadata": ["moment_s"]}}  # fmt: skip
    index = gallery.index(sources=[source])
    index.ingest()
    hits = [index.search_media("red", mode="dense", filter=f"uri = 'm.jsonl#{row}'")[0] for row in (1, 2)]
    assert [(hit.moment_s, hit.moment_end_s) for hit in hits] == [(42.5, None), (None, None)]


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [(42.9, None, "at 0:42"), (42, 65, "0:42–1:05"), (3725, None, "at 1:02:05"), (None, None, ""), (7, 7.4, "at 0:07")],
)
def test_moments_are_said_as_clocks_show_them(start: float | None, end: float | None, said: str) -> None:
    assert moment(start, end) == said


def test_without_media_nothing_is_like_a_picture(four_colours: Any) -> None:
    source = {"type": "files", "root": str(four_colours.folder / "docs")}
    plain = four_colours.index(media=None, sources=[source])
    plain.ingest()
    with pytest.raises(ConfigurationError, match="add a `media` section"):
        plain.search_both(image=four_colours.folder / "pics/a.png")
