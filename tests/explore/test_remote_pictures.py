"""Pictures and films behind addresses: fetched by this machine under the rules of the spec, once, and drawn anew."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from tests.explore.conftest import Visitor

from relance.documents import document_id
from relance.errors import DocumentError
from relance.explore.pictures import Pictures
from relance.explore.remote_pictures import RemotePictures
from relance.index import Index

Open = Callable[[Index], Visitor]


def colour(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "WEBP"
        pixel = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
    assert isinstance(pixel, tuple)
    return max(zip(pixel, ("red", "green", "blue"), strict=True))[1]


def test_pictures_and_frames_of_films_are_shown(gallery: Any, web: Any, open_page: Open) -> None:
    picture = web.put("/blue.png", gallery.png("blue"))
    film = web.put("/film.mp4", gallery.film("red", "blue", seconds=2), media_type="video/mp4")
    gallery.write("m.csv", f"id,url,caption\n1,{picture},a picture\n2,{film},a film\n")
    index = gallery.index(media=gallery.media(films="key-frames"), search={"media_floor": 0})
    index.ingest()
    visitor = open_page(index)
    one, two = (f"/media/{document_id(f'm.csv#{n}')}" for n in (1, 2))
    for path in ("/documents?kind=media", "/?q=blue&kind=media"):
        images = [image["src"] or "" for image in visitor.page(path).all("img")]
        assert {image.partition("/picture")[0] for image in images} == {one, two}
    before = len(web.asked)
    shown = visitor.get(f"{one}/picture")
    assert (colour(shown.content), shown.headers["content-type"]) == ("blue", "image/webp")
    assert "sandbox" in shown.headers["content-security-policy"]
    assert colour(visitor.get(f"{two}/picture").content) == "red"
    assert colour(visitor.get(f"{two}/picture?t=2.5").content) == "blue", "the frame at the moment"
    assert visitor.page(two).all("img")[0]["src"] == f"{two}/picture?size=large"
    assert not visitor.page(two).all("video"), "browsers load nothing from there"
    asked = len(web.asked) - before
    assert asked <= 3
    for path in (f"{one}/picture", f"{two}/picture", f"{two}/picture?t=2.5"):
        assert visitor.get(path).status_code == 200
    assert len(web.asked) - before == asked, "what was drawn is remembered"


@pytest.mark.parametrize("content", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<script>alert(1)</script>", b""])
def test_what_is_no_picture_is_not_sent_and_not_asked_for_again(gallery: Any, web: Any, content: bytes) -> None:
    url = web.put("/x.png", content, media_type="image/png")
    spec = gallery.index(media=gallery.media()).spec.media

    async def look() -> None:
        remote = RemotePictures(spec, Pictures())
        for _ in range(3):
            with pytest.raises(DocumentError):
                await remote.webp(url, "small")
        await remote.aclose()

    before = len(web.asked)
    asyncio.run(look())
    assert len(web.asked) - before <= 1


def test_inward_addresses_are_refused_as_in_a_run(gallery: Any, web: Any) -> None:
    url = web.put("/blue.png", gallery.png("blue"))
    spec = gallery.index(media=gallery.media(fetch={"allow": []})).spec.media

    async def look() -> None:
        remote = RemotePictures(spec, Pictures())
        with pytest.raises(DocumentError, match=r"127\.0\.0\.1"):
            await remote.webp(url, "small")
        await remote.aclose()

    asyncio.run(look())
    assert not web.asked


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, gallery: Any) -> None:
    monkeypatch.setattr("relance.explore.pictures._MOST", 3)
    pictures = Pictures()
    for n in range(5):
        pictures.draw(n, gallery.png("red"), "a.png", "small")
    assert [pictures.known(n) is not None for n in range(5)] == [False, False, True, True, True]
