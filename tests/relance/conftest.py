"""Fixtures for indexes with images and videos: a folder, a web server whose pages change, an emulator that embeds."""

from __future__ import annotations

import io
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from relance.emulator import EmulatorConfig, running
from relance.index import Index
from relance.spec import IndexSpec

Validator = Literal["etag", "date", "none", "unstable"]


@dataclass(slots=True)
class Page:
    """What an address answers; `unstable` is a server that makes up a new entity tag for every answer."""

    data: bytes
    media_type: str
    validator: Validator
    version: int
    status: int = 200


@dataclass(slots=True)
class Web:
    """A web server.

    Attributes:
        asked: path and status of every answer since the list was last emptied.
    """

    url: str = ""
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    versions: int = 0

    def put(
        self,
        path: str,
        data: bytes,
        *,
        media_type: str = "image/png",
        validator: Validator = "etag",
        status: int = 200,
    ) -> str:
        """Let an address answer with something new; returns the address."""
        self.versions += 1
        self.pages[path] = Page(data, media_type, validator, self.versions, status)
        return self.url + path

    def take(self) -> list[tuple[str, int]]:
        """Return what was asked since the last time, sorted."""
        asked, self.asked = sorted(self.asked), []
        return asked


def _handler(web: Web) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = web.pages.get(self.path, Page(b"", "text/plain", "none", 0, 404))
            status, headers = page.status, {}
            if page.validator == "etag":
                headers["ETag"] = f'"{page.version}"'
            elif page.validator == "date":
                headers["Last-Modified"] = formatdate(1_700_000_000 + page.version, usegmt=True)
            elif page.validator == "unstable":
                headers["ETag"] = f'"{len(web.asked)}-{page.version}"'
            asked = {"ETag": self.headers.get("If-None-Match"), "Last-Modified": self.headers.get("If-Modified-Since")}
            if status == 200 and any(headers.get(name, "") == value for name, value in asked.items()):
                status = 304
            web.asked.append((self.path, status))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            body = page.data if status == 200 else b""
            if status != 304:
                self.send_header("Content-Type", page.media_type)
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class has it so
            pass

    return Handler


@pytest.fixture
def web() -> Generator[Web]:
    """A web server that has nothing yet."""
    web = Web()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(web)) as server:
        web.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield web
        server.shutdown()
        thread.join()


class Gallery:
    """A folder with `pics` and `docs`, and indexes of it."""

    def __init__(self, folder: Path, embed_url: str, fresh_url: str) -> None:
        self.folder = folder
        self.embed_url = embed_url
        self._fresh_url = fresh_url
        self._fresh = 0
        for name in ("pics", "docs"):
            (folder / name).mkdir()

    @staticmethod
    def png(colour: str = "red", size: tuple[int, int] = (24, 16), form: str = "PNG") -> bytes:
        """Draw a picture of one colour; the same arguments give the same bytes."""
        from PIL import Image

        stream = io.BytesIO()
        Image.new("RGB", size, colour).save(stream, form)
        return stream.getvalue()

    @staticmethod
    def mp4(colour: str = "red", seconds: int = 1) -> bytes:
        """Film a colour, ten frames a second, 32 × 32."""
        import av
        import numpy as np
        from PIL import ImageColor

        frame = np.full((32, 32, 3), ImageColor.getrgb(colour)[:3], np.uint8)
        stream = io.BytesIO()
        with av.open(stream, "w", format="mp4") as output:
            track = output.add_stream("libx264", rate=10)
            track.width, track.height, track.pix_fmt = 32, 32, "yuv420p"
            for _ in range(10 * seconds):
                output.mux(track.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            output.mux(track.encode())
        return stream.getvalue()

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def paint(self, name: str, colour: str = "red", **options: Any) -> Path:
        """Write a picture of one colour."""
        return self.write(name, self.png(colour, **options))

    def embedding(self, **fields: Any) -> dict[str, Any]:
        """Declare a model at the emulator, without the published limits."""
        return {
            "model": "dashscope/tongyi-embedding-vision-plus",
            "base_url": f"{self.embed_url}/api/v1",
            "requests_per_minute": 1_000_000,
            "tokens_per_minute": 1_000_000_000,
        } | fields

    def media(
        self, *, fetch: dict[str, Any] | None = None, embedding: dict[str, Any] | None = None, **fields: Any
    ) -> Any:
        """Declare the `media` section; this machine may be fetched from."""
        fetch = {"allow": ["127.0.0.1"], "timeout_s": 5} | (fetch or {})
        return {"embedding": self.embedding(**(embedding or {})), "fetch": fetch} | fields

    def index(self, store: str = "db", **sections: Any) -> Index:
        """Declare an index of the whole folder; keywords replace sections."""
        source = {
            "type": "files",
            "root": str(self.folder),
            "exclude": ["db", "fresh*"],
            "rows": {"url": "url", "caption": "caption"},
        }
        declared = {
            "name": "gallery",
            "sources": [source],
            "embedding": {"model": "fake/hash"},
            "media": self.media(),
            "store": {"uri": str(self.folder / store)},
            "folder": self.folder,
        }
        return Index(IndexSpec.model_validate(declared | sections))

    def fresh(self, index: Index) -> Index:
        """Build the same index anew in another store, with vectors of another emulator."""
        self._fresh += 1
        spec: dict[str, Any] = index.spec.model_dump(exclude_unset=True) | {"folder": index.spec.folder}
        spec["store"]["uri"] = str(self.folder / f"fresh{self._fresh}")
        if spec["media"] is not None:
            spec["media"]["embedding"]["base_url"] = f"{self._fresh_url}/api/v1"
        fresh = Index(IndexSpec.model_validate(spec))
        fresh.ingest()
        return fresh


@pytest.fixture(scope="session")
def other_emulator_url() -> Generator[str]:
    """A second emulator, so that what comparisons buy is not counted; both make the same vectors."""
    with running(EmulatorConfig()) as url:
        yield url


@pytest.fixture
def gallery(tmp_path: Path, emulator: Any, other_emulator_url: str) -> Gallery:
    """An empty gallery, and an emulator that has counted nothing yet."""
    httpx.post(f"{other_emulator_url}/_emulator/reset", trust_env=False).raise_for_status()
    return Gallery(tmp_path, emulator.url, other_emulator_url)


@pytest.fixture
def four_colours(gallery: Gallery) -> Gallery:
    """Four colours; the red one is in a table and in a document as well, with words."""
    for name, colour in {"a": "red", "b": "green", "c": "blue", "d": "yellow"}.items():
        gallery.paint(f"pics/{name}.png", colour)
    gallery.write("m.csv", "id,url,caption\n1,pics/a.png,an old barn\n2,pics/b.png,a meadow in May\n")
    gallery.write("docs/j.md", "# Journal\n\n## Morning\n\nThe lake was calm.\n\n![our house](../pics/a.png)\n")
    return gallery
