"""What the service could not fetch and relance could is sent itself, or the limit that forbids it is named."""

from __future__ import annotations

from typing import Any

import pytest
from media_rows import media_rows, reasons

from relance.documents import Media, digest
from relance.embedding.providers.dashscope.models import MODELS
from relance.http.event_loop import event_loop
from relance.media.fetch import FetchPolicy
from relance.media.loader import MediaLoader


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the test's server for a public one, whose addresses the service is sent."""
    monkeypatch.setattr("relance.media.fetch.FetchPolicy.allows_url", lambda *_: False)


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
    side = MODELS["tongyi-embedding-vision-plus"].media
    assert side is not None
    data = gallery.png()
    things = [Media("image", (web.put(f"/ours/{n}.png", data),), content_hash=digest("file", data)) for n in range(4)]
    policy = FetchPolicy(allow=("127.0.0.1",), max_bytes=1 << 20, timeout_s=5)
    with MediaLoader(policy, side.rules) as loader, event_loop() as portal:
        assert loader.prepared(things) == things
        for thing in things[:3]:
            assert portal.call(loader.instead, thing).data == (data,)
        (last,) = loader.prepared(things[3:])
        assert (last.urls, last.data, last.identity) == ((), (data,), things[3].identity)
        elsewhere = Media("image", ("http://other.example/1.png",), content_hash="0")
        assert loader.prepared([elsewhere]) == [elsewhere]


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
    import io

    import numpy as np
    from PIL import Image

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
