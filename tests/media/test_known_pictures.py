"""A picture whose vector is there, or on its way, is neither decoded nor written again, whatever its address."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from media_rows import media_rows, reasons
from PIL import Image, ImageFile

from relance.documents import Media
from relance.embedding.providers.dashscope.models import MODELS
from relance.fetch import FetchPolicy
from relance.media.known import Known
from relance.media.loader import MediaLoader
from relance.media.request import MediaInfo, MediaRequest
from relance.media.sending import Sending

SIDE = MODELS["tongyi-embedding-vision-plus"].media
assert SIDE is not None
RULES = replace(SIDE.rules, views=8)
POLICY = FetchPolicy(allow=("127.0.0.1",), max_bytes=20 << 20, timeout_s=5)


class Work:
    """Counts what Pillow decodes and writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.decoded = self.written = 0
        load, save = ImageFile.ImageFile.load, Image.Image.save

        def counted_load(image: Any) -> Any:
            self.decoded += 1
            return load(image)

        def counted_save(image: Any, *values: Any, **named: Any) -> Any:
            self.written += 1
            return save(image, *values, **named)

        monkeypatch.setattr(ImageFile.ImageFile, "load", counted_load)
        monkeypatch.setattr(Image.Image, "save", counted_save)

    def take(self) -> tuple[int, int]:
        """Return what was decoded and written since the last time."""
        taken = self.decoded, self.written
        self.decoded = self.written = 0
        return taken


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    return Work(monkeypatch)


def saved(form: str, colour: Any = "red", size: tuple[int, int] = (32, 24), **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new("RGBA" if isinstance(colour, tuple) else "RGB", size, colour).save(stream, form, **options)
    return stream.getvalue()


def moving(count: int) -> bytes:
    frames = [Image.new("RGB", (32, 24), (9 * n, 0, 0)) for n in range(1, count)]
    return saved("GIF", save_all=True, append_images=frames, duration=50)


def table(gallery: Any, *urls: str) -> None:
    gallery.write("m.csv", "id,url,caption\n" + "".join(f"{n},{url},picture {n}\n" for n, url in enumerate(urls)))


def test_the_same_bytes_at_other_addresses_are_written_once_in_a_run_and_never_again(
    gallery: Any, web: Any, work: Work
) -> None:
    data = saved("WEBP")
    table(gallery, *[web.put(f"/{n}.webp", data) for n in range(4)])
    index = gallery.index()
    work.take()
    report = index.ingest().media
    assert (report.added, report.embedded, report.failed) == (4, 1, 0)
    assert work.take()[1] == 1
    gallery.write("pics/here.webp", data)
    table(gallery, *[web.put(f"/{n}.webp", data) for n in range(4, 8)])
    report = index.ingest().media
    assert (report.added, report.changed, report.embedded, report.failed) == (1, 4, 0, 0)
    assert work.take() == (0, 0)
    assert media_rows(index) == media_rows(gallery.fresh(index))


def test_views_are_known_together(gallery: Any, web: Any, work: Work) -> None:
    pictures = [saved("WEBP", colour) for colour in ("red", "green")]
    source = {"type": "files", "root": str(gallery.folder), "include": ["m.csv"],
              "rows": {"url": "url", "url_separator": "|"}}  # fmt: skip
    index = gallery.index(sources=[source])
    for run, written in ((1, 2), (2, 0)):
        table(gallery, "|".join(web.put(f"/{run}/{n}", data) for n, data in enumerate(pictures)))
        work.take()
        assert index.ingest().media.failed == 0
        assert work.take()[1] == written
    assert media_rows(index)["m.csv#0"]["kind"] == "images"


@pytest.mark.parametrize("animated", ["first", "frames"])
@pytest.mark.parametrize("scale", [False, True])
def test_what_is_known_is_described_as_if_it_had_been_made(gallery: Any, *, animated: Any, scale: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {
        "png": gallery.png(), "turned": saved("JPEG", exif=exif), "avif": saved("AVIF"), "clear": saved("PNG", (1, 2, 3, 0)),
        "few": moving(3), "many": moving(20), "film": gallery.mp4(seconds=3),
    }  # fmt: skip
    requests = [MediaRequest(name, (name,), files.__getitem__, lambda _: "", {}, caption="a mill") for name in files]
    requests.append(MediaRequest("set", ("png", "many"), files.__getitem__, lambda _: "", {}, caption=""))
    sending = Sending(scale=scale, animated=animated)
    with MediaLoader(POLICY, RULES, sending) as loader:
        made = loader.load(requests)
    bought = {
        Media(each.kind, content_hash=each.content_hash, caption=request.caption or "").identity
        for each, request in zip(made, requests, strict=True)
        if isinstance(each, MediaInfo)
    }
    known = Known(lambda things: [each.identity in bought for each in things])
    with MediaLoader(POLICY, RULES, sending, known=known) as loader:
        found = loader.load(requests)
    assert len(bought) == len(requests) - (not scale), "without scale a film is refused"
    for was, now in zip(made, found, strict=True):
        if isinstance(was, MediaInfo):
            assert now == replace(was, data=(), files=(), media_types=())
        else:
            assert str(now) == str(was)


def test_another_caption_fused_with_it_is_another_vector(gallery: Any, web: Any, work: Work) -> None:
    data = saved("PNG", (1, 2, 3, 0))
    table(gallery, *[web.put(f"/{n}.png", data) for n in range(2)])
    media = gallery.media(embedding={"model": "dashscope/qwen3-vl-embedding", "region": "beijing", "fuse": True})
    work.take()
    report = gallery.index(media=media).ingest().media
    assert (report.added, report.embedded, report.failed) == (2, 2, 0)
    assert work.take()[1] == 2


def test_what_the_spec_refuses_stays_refused_though_its_vector_is_there(gallery: Any, web: Any) -> None:
    stream = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (1100, 1100, 3), np.uint8)
    Image.fromarray(noise).save(stream, "BMP")  # 3.5 MiB; the model takes 3
    for n in (1, 2):
        web.put(f"/{n}.bmp", stream.getvalue(), media_type="image/bmp")
    table(gallery, f"{web.url}/1.bmp")
    assert gallery.index(media=gallery.media(oversize="scale")).ingest().media.failed == 0
    table(gallery, f"{web.url}/2.bmp")
    index = gallery.index()
    assert index.ingest().media.failed == 1
    assert "the model takes" in reasons(index)["m.csv#0"]


def _forget_vectors(gallery: Any) -> None:
    for folder in (gallery.folder / "db").glob("relance__vectors__*"):
        shutil.rmtree(folder)
    shutil.rmtree(gallery.folder / "db" / ".relance" / "vectors")


def test_a_row_that_is_written_again_is_looked_at_again_where_its_vector_is_gone(
    gallery: Any, web: Any, emulator: Any
) -> None:
    url = web.put("/1.avif", saved("AVIF"), media_type="image/avif")
    table(gallery, url)
    gallery.index().ingest()
    was = media_rows(gallery.index())["m.csv#0"]
    _forget_vectors(gallery)
    gallery.write("m.csv", f"id,url,caption\n0,{url},a mill\n1,{web.put('/2.png', gallery.png())},well\n")
    index = gallery.index()
    report = index.ingest().media
    assert (report.added, report.changed, report.embedded, report.failed) == (1, 1, 2, 0), reasons(index)
    assert media_rows(index)["m.csv#0"]["vector"] == was["vector"]


def test_a_row_whose_vector_and_picture_are_gone_stays_and_the_rest_of_its_batch_is_indexed(
    gallery: Any, web: Any
) -> None:
    url = web.put("/1.avif", saved("AVIF"), media_type="image/avif")
    table(gallery, url)
    gallery.index().ingest()
    was = media_rows(gallery.index())["m.csv#0"]
    _forget_vectors(gallery)
    web.pages.clear()
    gallery.write("m.csv", f"id,url,caption\n0,{url},a mill\n1,{web.put('/2.png', gallery.png())},well\n")
    index = gallery.index()
    report = index.ingest().media
    assert (report.added, report.changed, report.embedded) == (1, 0, 1)
    assert "404" in reasons(index)["m.csv#0"]
    assert media_rows(index)["m.csv#0"] == was


def test_a_picture_that_was_known_is_looked_at_again_where_its_vector_has_gone_meanwhile(
    gallery: Any, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Known, "find", lambda *_: 0)
    table(gallery, *[web.put(f"/{n}.webp", saved("WEBP", colour)) for n, colour in enumerate(("red", "green"))])
    index = gallery.index()
    report = index.ingest().media
    assert (report.added, report.embedded, report.failed) == (2, 2, 0), reasons(index)
    monkeypatch.undo()
    assert media_rows(index) == media_rows(gallery.fresh(index))


def _warnings(index: Any) -> dict[str, str]:
    return {row.uri: row.reason for row in index.failures() if row.indexed}


def test_what_of_a_picture_is_not_embedded_is_said_as_long_as_it_is_so(gallery: Any, web: Any) -> None:
    said = "it moves: the first of 4 frames is embedded"
    url = web.put("/1.gif", moving(4), media_type="image/gif")
    table(gallery, url)
    index = gallery.index()
    report = index.ingest().media
    assert [each.reason for each in report.warnings] == [said]
    report = index.ingest().media
    assert (report.unchanged, report.warned, _warnings(index)) == (1, 0, {"m.csv#0": said}), "as of texts: said once"
    gallery.write("m.csv", f"id,url,caption\n0,{url},another caption\n")
    assert [each.reason for each in gallery.index().plan().media.warnings] == [said]
    report = index.ingest().media
    assert (report.changed, [each.reason for each in report.warnings]) == (1, [said])
    assert _warnings(index) == {"m.csv#0": said}
    web.put("/1.gif", moving(1), media_type="image/gif")
    assert index.ingest().media.changed == 1
    assert _warnings(index) == {}


def test_a_view_that_is_left_out_and_one_that_moves_are_both_said_in_every_run(gallery: Any, web: Any) -> None:
    source = {"type": "files", "root": str(gallery.folder), "include": ["m.csv"],
              "rows": {"url": "url", "url_separator": "|"}}  # fmt: skip
    table(gallery, f"{web.put('/1.gif', moving(4))}|{web.url}/gone.png")
    index = gallery.index(sources=[source])
    for _ in range(2):
        (warning,) = index.ingest().media.warnings
        assert warning.reason.startswith("1 of 2 views left out: ")
        assert warning.reason.endswith("; it moves: the first of 4 frames is embedded")
