"""Videos in an index: sent by their address, or lent to the service."""

from __future__ import annotations

from typing import Any

from media_rows import media_rows, reasons


def test_a_video_is_sent_by_its_address_and_has_a_length(gallery: Any, web: Any, emulator: Any) -> None:
    film = gallery.mp4(seconds=2)
    url = web.put("/film.mp4", film, media_type="video/mp4")
    gallery.write("m.csv", f"id,url,caption\n1,{url},a red wall\n")
    gallery.write("films/my film.mp4", film)
    other = {"type": "files", "root": str(gallery.folder / "films"), "public_url": f"{web.url}/cdn"}
    web.put("/cdn/my%20film.mp4", film, media_type="video/mp4")
    rows = {"type": "files", "root": str(gallery.folder), "include": ["m.csv"], "rows": {"url": "url"}}
    index = gallery.index(sources=[other, rows])
    report = index.ingest().media
    assert (report.added, report.embedded, report.failed) == (2, 1, 0)
    for row in media_rows(index).values():
        assert (row["kind"], row["duration_s"], row["width"], row["height"]) == ("video", 2.0, 32, 32)
    body = emulator.requests()[-1]["body"]
    assert f"{web.url}/cdn/my%20film.mp4" in body or url in body
    assert "base64" not in body


def test_a_video_that_a_document_of_another_folder_shows_is_sent_by_the_address_of_its_own(
    gallery: Any, web: Any
) -> None:
    gallery.write("films/a.mp4", gallery.mp4())
    web.put("/a.mp4", gallery.mp4(), media_type="video/mp4")
    gallery.write("docs/j.html", "<h1>Films</h1><p>Look at it.</p><video src='../films/a.mp4'></video>")
    films = {"type": "files", "root": str(gallery.folder / "films"), "public_url": web.url}
    docs = {"type": "files", "root": str(gallery.folder / "docs")}
    index = gallery.index(sources=[films, docs])
    report = index.ingest().media
    assert (report.added, report.embedded, reasons(index)) == (2, 1, {})


def test_a_video_over_the_limit_is_refused_before_it_is_sent(gallery: Any, web: Any, emulator: Any) -> None:
    free = b"\0\xa8\0\0free" + bytes((0xA80000) - 8)  # a box of 10.5 MiB that says nothing
    url = web.put("/film.mp4", gallery.mp4() + free, media_type="video/mp4")
    gallery.write("m.csv", f"id,url,caption\n1,{url},\n")
    index = gallery.index()
    assert index.ingest().media.failed == 1
    assert "the model takes 10 MiB" in reasons(index)["m.csv#1"]
    assert emulator.stats()["requests"] == 0


def test_a_local_film_is_lent_to_the_service_where_that_is_asked_for(gallery: Any, emulator: Any) -> None:
    gallery.write("films/a.mp4", gallery.mp4())
    section = gallery.media(embedding={"region": "beijing", "upload": True})
    media = gallery.index(media=section).ingest().media
    assert (media.added, media.failed) == (1, 0)
    assert emulator.stats()["by_path"]["/api/v1/uploads"] == 1
    elsewhere = gallery.index("other", media=gallery.media(embedding={"upload": True})).ingest().media
    assert "Beijing only" in elsewhere.failures[0].reason
