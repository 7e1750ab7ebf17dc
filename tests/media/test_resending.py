"""What the service could not fetch and relance could is sent itself, or the limit that forbids it is named."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from media_rows import media_rows, reasons
from PIL import Image

from relance.documents import Media, digest
from relance.embedding.providers.dashscope.models import MODELS
from relance.fetch import FetchPolicy
from relance.http.event_loop import event_loop
from relance.media.loader import MediaLoader
from relance.media.request import MediaInfo, MediaRequest
from relance.media.sending import Sending

SIDE = MODELS["tongyi-embedding-vision-plus"].media
assert SIDE is not None
RULES = SIDE.rules
POLICY = FetchPolicy(allow=("127.0.0.1",), max_bytes=1 << 20, timeout_s=5)


def _rows(gallery: Any, *urls: str) -> None:
    gallery.write("m.csv", "id,url,caption\n" + "".join(f"{n},{url},picture {n}\n" for n, url in enumerate(urls)))


@pytest.mark.parametrize("folder", ["ours", "login"])
@pytest.mark.usefixtures("public")
def test_a_picture_that_the_service_may_not_fetch_is_sent_itself(
    gallery: Any, web: Any, emulator: Any, folder: str
) -> None:
    """dify#29706: a failure in every run."""
    _rows(gallery, web.put(f"/{folder}/1.png", gallery.png()), web.put("/2.png", gallery.png("blue")))
    index = gallery.index()
    report = index.ingest().media
    assert (report.added, report.embedded, report.failed) == (2, 2, 0), reasons(index)
    assert web.url in media_rows(index)["m.csv#0"]["url"]
    assert media_rows(index)["m.csv#0"]["vector"] == media_rows(gallery.fresh(index))["m.csv#0"]["vector"]
    bodies = [request["body"] for request in emulator.requests()]
    assert any("data:image/png;base64," in body for body in bodies)


def test_after_a_few_the_others_of_such_a_host_are_not_tried(gallery: Any, web: Any) -> None:
    data = gallery.png()
    things = [Media("image", (web.put(f"/ours/{n}.png", data),), content_hash=digest("file", data)) for n in range(4)]
    with MediaLoader(POLICY, RULES) as loader, event_loop() as portal:
        assert loader.prepared(things) == things
        for thing in things[:3]:
            assert portal.call(loader.instead, thing).data == (data,)
        (last,) = loader.prepared(things[3:])
        assert (last.urls, last.data, last.identity) == ((), (data,), things[3].identity)
        elsewhere = Media("image", ("http://other.example/1.png",), content_hash="0")
        assert loader.prepared([elsewhere]) == [elsewhere]


def _saved(form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    top = Image.new("RGBA" if form == "WEBP" else "RGB", (32, 24), (250, 10, 10, 0) if form == "WEBP" else "red")
    top.save(stream, form, **options)
    return stream.getvalue()


def _moving() -> bytes:
    frames = [Image.new("RGB", (32, 24), (60 * n, 0, 0)) for n in range(4)]
    return _saved("GIF", save_all=True, append_images=frames, duration=50)


EXIF = Image.Exif()
EXIF[0x0112] = 6


@pytest.mark.parametrize(
    ("data", "size", "pixel"),
    [(_saved("AVIF"), (32, 24), "red"), (_saved("TIFF"), (32, 24), "red"), (_saved("GIF"), (32, 24), "red"),
     (_saved("JPEG", exif=EXIF), (24, 32), "red"), (_saved("WEBP", lossless=True), (32, 24), "white")],
    ids=["AVIF", "TIFF", "GIF", "turned", "transparent"],
)  # fmt: skip
def test_what_is_sent_in_place_of_an_address_is_what_would_be_sent_of_a_file(
    web: Any, data: bytes, size: tuple[int, int], pixel: str
) -> None:
    """A row that was written again has its address only; whatever is behind it, the model can read what is sent."""
    media = Media("image", (web.put("/1", data),), content_hash=digest("file", data))
    with MediaLoader(POLICY, RULES) as loader, event_loop() as portal:
        sent = portal.call(loader.instead, media)
        of_a_file = loader.load([MediaRequest("1", ("1",), lambda _: data, lambda _: "", {})])[0]
    assert isinstance(of_a_file, MediaInfo)
    assert (sent.data, sent.media_types, sent.identity) == (of_a_file.data, of_a_file.media_types, media.identity)
    assert sent.media_types[0] in RULES.image_formats
    image = Image.open(io.BytesIO(sent.data[0]))
    assert image.size == size
    there, wanted = (
        np.array(each.convert("RGB").getpixel((5, 5))) for each in (image, Image.new("RGB", (9, 9), pixel))
    )
    assert np.abs(there - wanted).max() < 8


def test_frames_and_key_frames_are_sent_in_place_of_an_address_too(gallery: Any, web: Any) -> None:
    sending = Sending(scale=True, animated="frames")
    rules = replace(RULES, views=8)
    for name, data in (("1.gif", _moving()), ("1.mp4", gallery.mp4())):
        request = MediaRequest(name, (name,), lambda _, data=data: data, lambda _: "", {})
        with MediaLoader(POLICY, rules, sending) as loader, event_loop() as portal:
            (found,) = loader.load([request])
            assert isinstance(found, MediaInfo)
            media = Media(found.kind, (web.put(f"/{name}", data),), content_hash=found.content_hash)
            assert portal.call(loader.instead, media).data == found.data


@pytest.mark.usefixtures("public")
def test_what_forbids_it_is_named(gallery: Any, web: Any) -> None:
    _rows(gallery, web.put("/ours/1.png", gallery.png()), web.put("/2.png", gallery.png("blue")))
    index = gallery.index(media=gallery.media(send="url"))
    report = index.ingest().media
    assert (report.added, report.failed) == (1, 1)
    assert "media.send: url forbids to send the file itself" in reasons(index)["m.csv#0"]
    assert "could not fetch" in reasons(index)["m.csv#0"]


@pytest.mark.usefixtures("public")
def test_what_was_looked_at_is_sent_though_its_address_has_something_else_by_then(gallery: Any, web: Any) -> None:
    _rows(gallery, web.put("/ours/1.png", gallery.png()), web.put("/2.png", gallery.png("blue")))
    colours = iter(["green", "white", "yellow", "black", "red", "purple", "orange"])
    web.before = lambda path: path == "/ours/1.png" and web.put(path, gallery.png(next(colours)), validator="none")
    report = gallery.index().ingest().media
    assert (report.added, report.failed) == (2, 0)


@pytest.mark.usefixtures("public")
def test_a_picture_of_some_megabytes_is_sent_itself(gallery: Any, web: Any) -> None:
    stream = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (1000, 900, 3), np.uint8)
    Image.fromarray(noise).save(stream, "BMP")  # 2.6 MiB
    _rows(gallery, web.put("/ours/1.bmp", stream.getvalue(), media_type="image/bmp"), web.put("/2.png", gallery.png()))
    index = gallery.index()
    assert index.ingest().media.failed == 0, reasons(index)


def test_a_film_is_lent_where_the_service_takes_uploads(gallery: Any, web: Any, emulator: Any) -> None:
    _rows(gallery, web.put("/ours/1.mp4", gallery.mp4(), media_type="video/mp4"), web.put("/2.png", gallery.png()))
    lent = gallery.index("lent", media=gallery.media(embedding={"region": "beijing", "upload": True}))
    assert (lent.ingest().media.failed, emulator.stats()["by_path"]["/api/v1/uploads"]) == (0, 1)
    index = gallery.index()
    assert index.ingest().media.failed == 1
    assert "with media.embedding.upload: true the service is lent the file" in reasons(index)["m.csv#0"]
