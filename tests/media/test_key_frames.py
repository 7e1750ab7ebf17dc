"""Films by key frames: each has a vector of its own, and a search finds the film at its moment, once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from media_rows import reasons
from PIL import Image

from relance.media.films import key_frames
from relance.media.inspect import inspect
from relance.pipeline.doctor import check_up

# It takes neither films by their bytes nor sets of pictures.
ONE_BY_ONE = {"model": "dashscope/multimodal-embedding-v1", "region": "beijing"}

A_PICTURE = 896  # tokens


def rows_of(index: Any, *columns: str) -> list[tuple[Any, ...]]:
    """Return columns of the active rows of media, by uri and place."""
    table = index.table(media=True)
    found = table.search().where("active").select(sorted({"uri", "seq", *columns})).limit(None).to_list()
    return [tuple(row[name] for name in columns) for row in sorted(found, key=lambda row: (row["uri"], row["seq"]))]


def key_framed(gallery: Any, sources: Any = None, **fields: Any) -> Any:
    others = {"sources": sources} if sources else {}
    return gallery.index(media=gallery.media(**({"films": "key-frames"} | fields)), **others)


@pytest.fixture
def trip(gallery: Any) -> Callable[..., Any]:
    """An index of a table with a film of three colours and a picture, in words; keywords are of its media."""
    gallery.write("films/trip.mp4", gallery.film("red", "blue", "yellow"))
    gallery.paint("pics/meadow.png", "green")
    gallery.write("m.csv", "id,url,caption\n1,films/trip.mp4,our trip\n2,pics/meadow.png,a meadow\n")
    rows = {"url": "url", "caption": "caption"}
    source = {"type": "files", "root": str(gallery.folder), "include": ["m.csv"], "rows": rows}
    return partial(key_framed, gallery, [source])


@pytest.mark.parametrize("embedding", [{}, ONE_BY_ONE])
def test_each_key_frame_is_a_row_of_the_film_with_its_moment(
    trip: Callable[..., Any], embedding: dict[str, Any]
) -> None:
    index = trip(embedding=embedding)
    report = index.ingest().media
    assert (report.added, report.embedded, report.chunks, report.failures, report.warned) == (2, 4, 4, [], 0)
    found = rows_of(index, "uri", "kind", "url", "text", "moment_s", "duration_s")
    film = ("m.csv#1", "video", "films/trip.mp4", "our trip")
    assert found[:3] == [(*film, at, 3.0) for at in (0.0, 1.0, 2.0)]
    assert found[3][4:] == (None, None)
    assert (index.status().media.documents, index.status().media.chunks) == (2, 4)
    again = index.ingest().media
    assert (again.unchanged, again.embedded, again.chunks) == (2, 0, 0)


@pytest.mark.parametrize(("colour", "at"), [("red", 0.0), ("blue", 1.0), ("yellow", 2.0)])
def test_a_hit_is_the_film_once_at_the_best_moment(trip: Callable[..., Any], colour: str, at: float) -> None:
    index = trip()
    index.ingest()
    for question in (colour, f"our trip {colour}"):  # the words are found in the first row
        hits = index.search_media(question, floor=0)
        assert [hit.uri for hit in hits] == ["m.csv#1", "m.csv#2"]
        assert (hits[0].kind, hits[0].moment_s, hits[0].also, hits[1].moment_s) == ("video", at, [], None)
        assert json.loads(json.dumps(hits[0].as_dict()))["moment_s"] == at
        ids = dict(rows_of(index, "id", "moment_s"))
        assert ids[hits[0].id] == at
    (hit,) = index.search_media("trip", mode="full-text")
    assert (hit.uri, hit.moment_s) == ("m.csv#1", None), "of words nobody knows the moment"


def test_a_filter_may_ask_for_moments(trip: Callable[..., Any]) -> None:
    index = trip()
    index.ingest()
    (hit,) = index.search_media("red", mode="dense", floor=0, filter="moment_s >= 1")
    assert hit.moment_s in {1.0, 2.0}
    assert [hit.uri for hit in index.search_media("red", mode="dense", filter="not exists moment_s")] == ["m.csv#2"]


def test_a_film_in_several_places_is_one_hit_and_each_frame_is_bought_once(gallery: Any) -> None:
    film = gallery.film("red", "blue")
    for name in ("a", "b"):
        gallery.write(f"films/{name}.mp4", film)
    index = key_framed(gallery)
    report = index.ingest().media
    assert (report.added, report.embedded, report.chunks) == (2, 2, 4)
    (hit,) = index.search_media("blue")
    assert (hit.moment_s, len(hit.also)) == (1.0, 1)
    assert hit.also[0] != hit.uri


def test_of_a_film_that_changed_only_the_new_frames_are_there(gallery: Any) -> None:
    path = gallery.write("a.mp4", gallery.film("red", "blue", "yellow"))
    gallery.paint("b.png")
    index = key_framed(gallery)
    index.ingest()
    path.write_bytes(gallery.film("white", "blue"))
    report = index.ingest().media
    assert (report.changed, report.embedded, report.reused) == (1, 1, 1), "the blue frame was bought"
    assert rows_of(index, "uri", "moment_s") == [("a.mp4", 0.0), ("a.mp4", 1.0), ("b.png", None)]
    path.unlink()
    assert index.ingest().media.removed == 1
    assert rows_of(index, "uri", "moment_s") == [("b.png", None)]
    assert index.status().media.documents == 1


def test_the_number_of_frames_is_declared_and_frames_of_another_number_are_not_bought_again(gallery: Any) -> None:
    gallery.write("a.mp4", gallery.film("red", "blue", "yellow", "green"))
    index = key_framed(gallery, films={"embed": "key-frames", "frames": 2})
    assert index.ingest().media.embedded == 2
    assert rows_of(index, "moment_s") == [(0.0,), (2.0,)]
    more = key_framed(gallery)
    report = more.ingest().media
    assert (report.changed, report.embedded, report.reused) == (1, 2, 2)
    assert rows_of(more, "moment_s") == [(0.0,), (1.0,), (2.0,), (3.0,)]


def test_a_plan_counts_each_frame_and_a_run_buys_what_was_planned(gallery: Any, web: Any) -> None:
    gallery.write("a.mp4", gallery.film("red", "blue", "yellow"))
    index = key_framed(gallery)
    plan = index.plan().media
    assert (plan.added, plan.chunks, plan.tokens, plan.guessed) == (1, 3, 3 * A_PICTURE, 0)
    report = index.ingest().media
    assert (report.embedded, report.tokens) == (3, pytest.approx(plan.tokens, rel=0.01))
    assert index.plan().media.tokens == 0
    url = web.put("/b.mp4", gallery.film("green"), media_type="video/mp4")
    gallery.write("m.csv", f"id,url,caption\n1,{url},\n")
    plan = index.plan().media
    assert (plan.guessed, plan.tokens) == (1, 8 * A_PICTURE), "up to: nobody has seen it"


def test_a_film_by_address_keeps_its_frames_while_it_cannot_be_had(gallery: Any, web: Any, emulator: Any) -> None:
    url = web.put("/film.mp4", gallery.film("red", "blue"), media_type="video/mp4")
    gallery.write("m.csv", f"id,url,caption\n1,{url},the mill\n")
    index = key_framed(gallery)
    assert index.ingest().media.embedded == 2
    assert "film.mp4" not in str([each["body"] for each in emulator.requests()]), "pictures are sent, not the film"
    before = rows_of(index, "moment_s", "vector")
    assert index.ingest().media.unchanged == 1
    web.pages["/film.mp4"].status = 404
    gallery.write("m.csv", f"id,url,caption\n1,{url},an old mill\n")
    report = index.ingest().media
    assert (report.changed, report.embedded, report.failed) == (1, 0, 1)
    assert rows_of(index, "moment_s", "vector") == before
    assert {text for (text,) in rows_of(index, "text")} == {"an old mill"}
    web.pages["/film.mp4"].status = 200
    assert index.ingest().media.embedded == 0
    assert reasons(index) == {}


def test_a_film_whose_vectors_the_cache_has_lost_is_fetched_again(gallery: Any, web: Any) -> None:
    url = web.put("/film.mp4", gallery.film("red", "blue"), media_type="video/mp4")
    gallery.write("m.csv", f"id,url,caption\n1,{url},the mill\n")
    index = key_framed(gallery)
    index.ingest()
    for lost in (*(gallery.folder / "db").glob("relance__vectors__*"), gallery.folder / "db/.relance/vectors"):
        shutil.rmtree(lost)
    gallery.write("m.csv", f"id,url,caption\n1,{url},an old mill\n")
    web.take()
    report = index.ingest().media
    assert (report.changed, report.embedded, report.failures) == (1, 2, [])
    assert web.take()[0] == ("/film.mp4", 200)
    assert {text for (text,) in rows_of(index, "text")} == {"an old mill"}


@pytest.mark.long
def test_a_hidden_film_is_back_with_the_vectors_it_had(gallery: Any, web: Any) -> None:
    url = web.put("/film.mp4", gallery.film("red", "blue"), media_type="video/mp4")
    gallery.write("m.csv", f"id,url,caption\n1,{url},the mill\n")
    index = key_framed(gallery, missing={"rule": "hide", "after": 1})
    index.ingest()
    web.pages["/film.mp4"].status = 404
    index.ingest()
    assert rows_of(index, "moment_s") == []
    web.pages["/film.mp4"].status = 200
    assert index.ingest().media.embedded == 0
    assert rows_of(index, "moment_s") == [(0.0,), (1.0,)]


def test_films_of_any_size_and_kind_are_taken(gallery: Any) -> None:
    gallery.write("a.mkv", gallery.film("red", "blue", form="matroska"))
    gallery.write("b.mp4", gallery.film("red", "blue") + b"\0\xa8\0\0free" + bytes(0xA80000 - 8))
    index = key_framed(gallery, embedding=ONE_BY_ONE)
    report = index.ingest().media
    assert (report.added, report.failures) == (2, [])
    assert [at for (at,) in rows_of(index, "moment_s")] == [0.0, 1.0, 0.0, 1.0]


def test_moments_are_those_of_a_player_where_a_film_begins_late(gallery: Any) -> None:
    data = gallery.film("red", "lime", "blue", form="mpegts")  # its clock begins at 1.4 s
    frames = key_frames(data, inspect(data, "a"), 3)
    assert frames[0].moment_s == 0.0
    assert frames[-1].moment_s == 2.0
    for moment_s, picture in frames:
        shown = np.asarray(Image.open(BytesIO(picture)).convert("RGB"))
        assert shown[9, 9].argmax() == moment_s, "red, green, blue"


@pytest.mark.long
def test_switching_between_both_ways_writes_the_films_anew(gallery: Any) -> None:
    gallery.write("a.mp4", gallery.film("red", "blue"))
    gallery.paint("b.png")
    whole = gallery.media(embedding={"region": "beijing", "upload": True})
    assert gallery.index(media=whole).ingest().media.added == 2
    framed = gallery.index(media=whole | {"films": "key-frames"})
    report = framed.ingest().media
    assert (report.changed, report.embedded) == (1, 2), "the picture stays"
    assert rows_of(framed, "moment_s") == [(0.0,), (1.0,), (None,)]
    back = gallery.index(media=whole)
    report = back.ingest().media
    assert (report.changed, report.embedded) == (1, 0)
    assert rows_of(back, "kind", "moment_s") == [("video", None), ("image", None)]


def test_a_run_rolled_back_and_a_doctor_find_films_whole(gallery: Any) -> None:
    path = gallery.write("a.mp4", gallery.film("red", "blue", "yellow"))
    index = key_framed(gallery)
    first = index.ingest()
    path.write_bytes(gallery.film("green"))
    index.ingest()
    index.rollback(first.run_id)
    assert rows_of(index, "moment_s") == [(0.0,), (1.0,), (2.0,)]
    assert [each.code for each in check_up(index.spec).findings if each.level != "note"] == []
    index.ingest()
    assert rows_of(index, "moment_s") == [(0.0,)]


def test_a_frame_that_somebody_deleted_is_written_again(gallery: Any) -> None:
    gallery.write("a.mp4", gallery.film("red", "blue", "yellow"))
    index = key_framed(gallery)
    index.ingest()
    index.table(media=True).delete("moment_s = 1.0")
    report = index.ingest().media
    assert (report.embedded, report.changed) == (0, 1)
    assert rows_of(index, "moment_s") == [(0.0,), (1.0,), (2.0,)]


def test_a_table_of_an_earlier_version_is_read_and_gets_the_column(gallery: Any) -> None:
    gallery.paint("pics/a.png", "red")
    index = gallery.index()
    index.ingest()
    index.table(media=True).drop_columns(["moment_s"])
    (hit,) = index.search_media("red")
    assert hit.moment_s is None
    gallery.write("a.mp4", gallery.film("red", "blue"))
    framed = key_framed(gallery)
    report = framed.ingest().media
    assert (report.added, report.failed) == (1, 0)
    assert rows_of(framed, "moment_s") == [(0.0,), (1.0,), (None,)]


@pytest.mark.parametrize("table", ["m.csv", "m.jsonl"])
def test_a_moment_that_a_table_says_is_in_the_column_too(gallery: Any, table: str) -> None:
    gallery.paint("pics/a.png", "red")
    gallery.paint("pics/b.png", "blue")
    rows = [{"url": "pics/a.png", "caption": "a barn", "moment_s": 12.5}, {"url": "pics/b.png", "caption": "a barn"}]
    lines = ["url,caption,moment_s", *(f"{row['url']},{row['caption']},{row.get('moment_s', '')}" for row in rows)]
    gallery.write(table, "\n".join(lines if table == "m.csv" else map(json.dumps, rows)))
    declared = {"url": "url", "caption": "caption", "metadata": ["moment_s"]}
    source = {"type": "files", "root": str(gallery.folder), "include": [table], "rows": declared}
    index = gallery.index(sources=[source])
    index.ingest()
    for colour in ("green", "white"):
        assert sorted(rows_of(index, "moment_s"), key=str) == [(12.5,), (None,)]
        for mode in ("full-text", "dense"):
            hits = index.search_media("barn", mode=mode, floor=0, filter="moment_s > 10")
            assert [hit.moment_s for hit in hits] == [12.5]
        index.table(media=True).drop_columns(["moment_s"])  # as an earlier version made it
        gallery.write("pics/b.png", gallery.png(colour))
        assert index.ingest().media.changed == 1


def test_an_analysis_takes_a_film_for_one_point(gallery: Any) -> None:
    from relance.analysis.duplicates import find_duplicates
    from relance.analysis.points import count_points

    gallery.write("a.mp4", gallery.film("red", "red", "red"))
    gallery.paint("b.png", "green")
    index = key_framed(gallery)
    index.ingest()
    assert len(rows_of(index, "id")) == 4
    assert count_points(index, level="media") == 2
    assert find_duplicates(index, level="media").groups == []


def test_key_frames_that_could_not_be_sent_are_refused_in_the_spec(gallery: Any) -> None:
    with pytest.raises(ValueError, match="key frames of films have no address"):
        gallery.index(media=gallery.media(films="key-frames", send="url"))


@pytest.mark.parametrize("films", ["frames", {"embed": "key-frames", "frames": 0}, {"frames": 65}, {"most": 8}])
def test_what_films_may_say_is_bounded(gallery: Any, films: Any) -> None:
    with pytest.raises(ValueError, match=r"media\.films"):
        gallery.index(media=gallery.media(films=films))


def test_a_film_that_cannot_be_decoded_is_a_failure(gallery: Any) -> None:
    data = gallery.film("red", "blue")
    begins, ends = data.index(b"mdat") + 4, data.index(b"moov") - 4
    gallery.write("a.mp4", data[:begins] + bytes(ends - begins) + data[ends:])
    index = key_framed(gallery)
    assert index.ingest().media.failed == 1
    assert "convert it to MP4 with H.264" in reasons(index)["a.mp4"]
