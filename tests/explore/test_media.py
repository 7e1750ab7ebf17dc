"""Pictures and films: thumbnails, players, and what is behind addresses stays there."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.explore.conftest import Visitor

from relance.config.load import load_spec
from relance.documents import document_id
from relance.errors import DocumentError
from relance.explore.pictures import SIZES, Pictures, shown_as
from relance.index import Index
from relance_emulator import EmulatorConfig, running

GALLERY = Path(__file__).parents[2] / "examples" / "gallery"


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """The example."""
    folder = tmp_path_factory.mktemp("example") / "gallery"
    shutil.copytree(GALLERY, folder, ignore=shutil.ignore_patterns("lancedb"))
    with running(EmulatorConfig(files=folder)) as url:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GALLERY_URL", f"{url}/files")
            spec = load_spec(folder)
        here = {"base_url": f"{url}/api/v1"}
        assert spec.media is not None
        media = spec.media.model_copy(update={"embedding": spec.media.embedding.model_copy(update=here)})
        embedding = spec.embedding.model_copy(update=here)
        index = Index(spec.model_copy(update={"embedding": embedding, "media": media}))
        index.ingest()
        yield index


@pytest.fixture(scope="module")
def visitor(open_page: Callable[[Index], Visitor], gallery: Index) -> Visitor:
    return open_page(gallery)


def barn(gallery: Index) -> str:
    assert gallery.table(media=True).count_rows("uri = 'catalog.csv#barn'") == 1
    return f"/media/{document_id('catalog.csv#barn')}"


def test_words_find_texts_and_pictures(visitor: Visitor) -> None:
    page = visitor.page("/?q=a red building in white snow")
    assert "Pictures and films" in page.words
    assert page.all("img")
    assert all((image["src"] or "").startswith("/media/") and image["alt"] for image in page.all("img"))


def test_a_found_picture_says_where_it_is_and_which_list_found_it(visitor: Visitor, gallery: Index) -> None:
    (hit, *_) = gallery.search_media("a red building in white snow", k=1)
    page = visitor.page("/?q=a red building in white snow&kind=media")
    assert hit.caption in page.words
    assert f"{hit.score:.3f} · {', '.join(hit.found_by)}" in page.words
    assert hit.url in page.words
    assert f"also in {len(hit.also)} place" in page.words


def test_pictures_alone_are_paged(visitor: Visitor) -> None:
    first = visitor.page("/?q=snow&kind=media")
    assert not [link for link in first.links() if link.startswith("/documents/")]


def test_something_like_a_picture_is_a_picture(visitor: Visitor) -> None:
    page = visitor.page("/?like=catalog.csv%23barn")
    links = [link for link in page.links() if link.startswith("/media/")]
    assert links
    assert f"/media/{document_id('catalog.csv#barn')}" not in links


def test_a_picture_has_a_page(visitor: Visitor, gallery: Index) -> None:
    page = visitor.page(barn(gallery))
    assert "The barn at Hollin after the first snow" in page.words
    assert "2019" in page.words
    assert "The same in 2 other places" in page.words
    shown = visitor.page(f"/media/{document_id('docs/journal.md#../pictures/barn.jpg')}")
    assert f"/documents/{document_id('docs/journal.md')}" in shown.links()


@pytest.mark.parametrize(("size", "side"), list(SIZES.items()))
def test_pictures_are_drawn_anew(visitor: Visitor, gallery: Index, size: str, side: int) -> None:
    response = visitor.get(f"{barn(gallery)}/picture?size={size}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(response.content)) as image:
        assert image.format == "WEBP"
        assert max(image.size) <= side
        assert not image.getexif()
    assert visitor.get(f"{barn(gallery)}/picture?size=huge").status_code == 400


def test_a_film_is_played_in_parts(visitor: Visitor) -> None:
    film = f"/media/{document_id('catalog.csv#sunrise')}"
    assert visitor.page(film).all("video")[0]["src"] == f"{film}/video"
    whole = visitor.get(f"{film}/video")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    part = visitor.get(f"{film}/video", headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole.content[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert visitor.get(f"{film}/video", headers={"Range": "bytes=99999999-"}).status_code == 416
    frame = visitor.get(f"{film}/picture?t=1")
    assert frame.headers["content-type"] == "image/webp", "a key frame of it"


def test_a_picture_is_no_film(visitor: Visitor, gallery: Index) -> None:
    assert visitor.get(f"{barn(gallery)}/video").status_code == 404


def test_the_original_is_a_download(visitor: Visitor, gallery: Index) -> None:
    response = visitor.get(f"{barn(gallery)}/file")
    assert response.content == (GALLERY / "pictures" / "barn.jpg").read_bytes()
    assert response.headers["content-disposition"].startswith("attachment")


def test_the_list_shows_pictures(visitor: Visitor) -> None:
    page = visitor.page("/documents?kind=media")
    assert len(page.all("img")) > 20
    assert "catalog.csv#tram" in visitor.page("/documents?kind=media&find=tram").words


def test_a_picture_whose_file_is_gone_says_so(visitor: Visitor, gallery: Index) -> None:
    path = gallery.spec.path("pictures/tea.jpg")
    content = path.read_bytes()
    path.unlink()
    try:
        page = visitor.page(f"/media/{document_id('catalog.csv#tea')}")
        assert "not where it was" in page.words
        assert visitor.get(f"/media/{document_id('catalog.csv#tea')}/picture").status_code == 404
    finally:
        path.write_bytes(content)


def test_pictures_are_remembered_until_the_file_is_another(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (900, 300), "red").save(path)
    pictures = Pictures()
    first = pictures.webp(path, "small")
    assert pictures.webp(path, "small") is first
    Image.new("RGBA", (30, 30), (0, 0, 255, 100)).save(path)
    with Image.open(io.BytesIO(pictures.webp(path, "small"))) as image:
        assert (image.size, image.mode) == ((30, 30), "RGBA")


@pytest.mark.parametrize(
    "content", [b"", b"text", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\nbroken"]
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DocumentError):
        Pictures().webp(tmp_path / "a.png", "small")


def test_a_bomb_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    import struct
    import zlib

    def part(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = part(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + head + part(b"IDAT", zlib.compress(b"\0")) + part(b"IEND", b"")
    )
    with pytest.raises(DocumentError, match="pixels"):
        Pictures().webp(tmp_path / "bomb.png", "small")


def test_an_upright_picture_is_shown_upright(tmp_path: Path) -> None:
    image, exif = Image.new("RGB", (60, 20), "red"), Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif)
    with Image.open(io.BytesIO(Pictures().webp(tmp_path / "a.jpg", "small"))) as drawn:
        assert drawn.size == (20, 60)


def test_browsers_load_nothing_from_other_hosts(visitor: Visitor, gallery: Index, monkeypatch: Any) -> None:
    """The browser is given no address of another host to load from; a host that cannot be reached shows nothing."""
    from relance.explore.index_reader import IndexReader

    row = IndexReader(gallery).medium(document_id("catalog.csv#barn"))
    assert row is not None
    monkeypatch.setattr(IndexReader, "medium", lambda *_: row | {"url": "https://media.invalid/barn.jpg"})
    page = visitor.page(barn(gallery))
    assert all((image["src"] or "").startswith("/media/") for image in page.all("img"))
    assert "media.invalid" in page.words
    (link,) = [attributes for attributes in page.all("a") if (attributes.get("href") or "").startswith("http")]
    assert link["href"] == "https://media.invalid/barn.jpg"
    assert link["rel"] == "noopener noreferrer nofollow"
    for what in ("picture", "video", "file"):
        assert visitor.get(f"{barn(gallery)}/{what}").status_code == 404


@pytest.mark.parametrize(
    ("url", "uri", "kind", "media_type", "how"),
    [
        ("a.png", "a.png", "image", "image/png", "picture"),
        ("a.png", "doc.md#a.png", "image", "image/png", "picture"),
        ("a.mp4", "rows.csv#1", "video", "video/mp4", "film"),
        ("a.avi", "a.avi", "video", "video/x-msvideo", "frame"),
        ("https://media.example/a.mp4", "rows.csv#1", "video", "video/mp4", "frame"),
        ("doc.md#data:1", "doc.md#data:1", "image", "image/png", "inside the document"),
    ],
)
def test_what_browsers_get_of_a_medium(url: str, uri: str, kind: str, media_type: str, how: str) -> None:
    assert shown_as(url, uri, kind, media_type) == how
