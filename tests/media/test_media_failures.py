"""What is wrong with an image is one failure with its reason; everything else goes through."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any

from media_rows import media_rows, reasons


def noise(gallery: Any, side: int) -> bytes:
    """Draw a picture that no format makes smaller."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(stream, "BMP")
    return stream.getvalue()


BAD: dict[str, tuple[Callable[[Any, Any], str], str]] = {
    "gone": (lambda gallery, web: web.url + "/gone.png", r"nothing at this address \(404\)"),
    "login": (lambda gallery, web: web.put("/login.png", b"", status=403), "login"),
    "private": (lambda gallery, web: "http://10.0.0.7/a.png", "10.0.0.7"),
    "metadata": (lambda gallery, web: "http://169.254.169.254/latest/meta-data", "169.254.169.254"),
    "lying": (lambda gallery, web: web.put("/lie.png", b"<html><body>Log in</body></html>"), "named like image/png"),
    "huge": (lambda gallery, web: web.put("/huge.png", bytes(300_000)), "more than"),
    "missing": (lambda gallery, web: "pics/missing.png", "pics/missing.png: there is no such file"),
    "outside": (lambda gallery, web: "../../secret.png", "no path below"),
    "scheme": (lambda gallery, web: "ftp://example.com/a.png", "no http address"),
    "nothing": (lambda gallery, web: "", "no address in column 'url'"),
    "small": (lambda gallery, web: str(gallery.paint("pics/small.png", size=(8, 9)).relative_to(gallery.folder)),
              "at least 10"),
    "long": (lambda gallery, web: str(gallery.paint("pics/long.png", size=(2200, 10)).relative_to(gallery.folder)),
             "200 times"),
    "film": (lambda gallery, web: str(gallery.write("pics/film.mp4", gallery.mp4()).relative_to(gallery.folder)),
             "public_url"),
    "unknown": (lambda gallery, web: web.put("/notes.txt", b"Dear diary", media_type="image/png"), "no image or video"),
}  # fmt: skip


def test_each_fault_is_one_failure_with_its_reason_and_everything_else_goes_through(
    gallery: Any, web: Any, emulator: Any
) -> None:
    good = {"one": web.put("/1.png", gallery.png("blue")), "two": "pics/a.png"}
    gallery.paint("pics/a.png")
    good["converted"] = str(gallery.paint("pics/w.webp", form="WEBP").relative_to(gallery.folder))
    places = good | {name: make(gallery, web) for name, (make, _) in BAD.items()}
    gallery.write("m.csv", "id,url,caption\n" + "".join(f"{name},{place},\n" for name, place in places.items()))
    source = {"type": "files", "root": str(gallery.folder), "include": ["m.csv"], "rows": {"url": "url"}}
    index = gallery.index(sources=[source], media=gallery.media(fetch={"max_size": 200_000}))
    report = index.ingest()
    assert report.status == "completed with failures"
    assert set(media_rows(index)) == {f"m.csv#{name}" for name in good}
    found = reasons(index)
    assert set(found) == {f"m.csv#{name}" for name in BAD}
    assert report.media.failed == len(BAD)
    for name, (_, words) in BAD.items():
        reason = found[f"m.csv#{name}"]
        assert re.search(words, reason), reason
        assert len(reason.splitlines()) == 1
        assert "Error" not in reason
    assert emulator.stats()["texts"] == len(good)
    assert emulator.stats()["by_status"] == {"200": 1}, "nothing is sent that would be refused"


def test_an_inward_address_is_refused_unless_its_host_is_allowed(gallery: Any, web: Any) -> None:
    gallery.write("m.csv", f"id,url,caption\n1,{web.put('/1.png', gallery.png())},\n")
    closed = gallery.index(media=gallery.media(fetch={"allow": []}))
    assert closed.ingest().media.failed == 1
    assert "127.0.0.1" in reasons(closed)["m.csv#1"]
    assert web.take() == [], "not even asked"
    assert gallery.index().ingest().media.added == 1
    assert reasons(closed) == {}


def test_what_is_too_large_for_the_model_is_refused_or_scaled_as_the_spec_says(gallery: Any, emulator: Any) -> None:
    path = gallery.write("pics/a.bmp", noise(gallery, 1100))
    assert path.stat().st_size > 3 << 20
    index = gallery.index()
    assert index.ingest().media.failed == 1
    assert "the model takes 3 MiB" in reasons(index)["pics/a.bmp"]
    assert emulator.stats()["requests"] == 0
    scaled = gallery.index(media=gallery.media(oversize="scale"))
    assert scaled.ingest().media.added == 1
    row = media_rows(scaled)["pics/a.bmp"]
    assert (row["width"], row["height"], row["bytes"]) == (1100, 1100, path.stat().st_size), "the row is the original's"
    assert reasons(scaled) == {}


def test_what_cannot_be_had_keeps_its_last_good_version_and_is_repaired_when_it_is_mended(
    filled: Any, web: Any, emulator: Any
) -> None:
    index = filled.index()
    index.ingest()
    before, bought = media_rows(index), emulator.stats()["texts"]
    page = web.pages["/1.png"]
    filled.write("pics/b.png", b"<html>not a picture</html>")
    web.put("/1.png", b"", status=404)
    filled.write("docs/k.html", b"<img \xff\xfe\x00 \x81\x8d" * 9)
    assert index.ingest().media.failed == 4
    assert set(reasons(index)) == {"pics/b.png", "m.csv#2", f"docs/j.md#{web.url}/1.png", "docs/k.html"}
    assert media_rows(index) == before

    web.pages["/1.png"] = page
    filled.paint("pics/b.png", "green")
    filled.write("docs/k.html", f"<h1>Winter</h1><p>It was a long day.</p><img src='{web.url}/2.png' alt='snow'>")
    web.take()
    assert index.ingest().status == "completed"
    assert ("/1.png", 200) not in web.take(), "it was known"
    assert (reasons(index), media_rows(index), emulator.stats()["texts"]) == ({}, before, bought)


def test_a_picture_that_the_service_refuses_is_a_failure_and_its_neighbours_go_through(
    gallery: Any, emulator: Any
) -> None:
    import base64

    for number, colour in enumerate(["red", "green", "blue", "white", "black"]):
        gallery.paint(f"pics/{number}.png", colour)
    guilty = base64.b64encode(gallery.png("blue")).decode()
    emulator.faults([{"kind": "multimodal", "match": guilty, "action": "DataInspectionFailed"}])
    index = gallery.index()
    report = index.ingest().media
    assert (report.added, report.failed, report.embedded) == (4, 1, 4)
    assert list(reasons(index)) == ["pics/2.png"]
    emulator.faults([])
    assert index.ingest().media.added == 1
    assert (reasons(index), emulator.stats()["duplicates"]) == ({}, 0)


def test_several_views_with_a_model_that_takes_one_are_a_failure(gallery: Any) -> None:
    for name in "ab":
        gallery.paint(f"pics/{name}.png", {"a": "red", "b": "blue"}[name])
    gallery.write("m.jsonl", json.dumps({"id": 1, "url": ["pics/a.png", "pics/b.png"], "caption": ""}) + "\n")
    embedding = {"model": "dashscope/multimodal-embedding-v1", "region": "beijing"}
    index = gallery.index(media=gallery.media(embedding=embedding))
    assert index.ingest().media.added == 2
    assert "one image at a time" in reasons(index)["m.jsonl#1"]


def test_a_document_that_cannot_be_read_keeps_its_pictures(filled: Any, web: Any) -> None:
    index = filled.index()
    index.ingest()
    before = media_rows(index)
    filled.write("docs/j.md", b"![\xff\xfe\x00 \x81\x8d" * 9)
    filled.write("m.csv", bytes(range(256)))
    index.ingest()
    assert media_rows(index) == before


def test_a_caption_too_long_to_be_fused_is_refused_before_it_is_sent(gallery: Any, emulator: Any) -> None:
    gallery.paint("pics/a.png")
    rows = [{"id": "long", "url": "pics/a.png", "caption": "word " * 2000}, {"id": "short", "url": "pics/a.png"}]
    gallery.write("catalog.jsonl", "\n".join(json.dumps(row) for row in rows))
    fusing = {"model": "dashscope/tongyi-embedding-vision-plus-2026-03-06", "region": "beijing", "fuse": True}
    media = gallery.index(media=gallery.media(embedding=fusing)).ingest().media
    assert [failure.uri for failure in media.failures] == ["catalog.jsonl#long"]
    assert "caption" in media.failures[0].reason
    assert emulator.stats()["by_status"] == {"200": media.requests}
