"""What attacks do to the page to look at an index, in a real browser: nothing."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.e2e.look import AUDIT, Looked

from relance.config import IndexSpec
from relance.documents import document_id
from relance.explore import running
from relance.index import Index
from relance_emulator import EmulatorConfig
from relance_emulator import running as emulating

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@contextmanager
def neighbour(page: str) -> Generator[str]:
    """Serve a page on another port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_page_of_another_port_asks_nothing_and_may_link_here(
    look: Callable[..., Looked], handbook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, home = look("desktop").page, handbook.partition("/?")[0]
    page.goto(handbook)
    asked: list[Any] = []
    monkeypatch.setattr(Index, "search", lambda *given, **_: asked.append(given))
    links = f'<a id="away" href="{home}/?q=pump">a question</a> <a id="in" href="{handbook}">the printed address</a>'
    with neighbour(f'<!doctype html><title>x</title><img src="{home}/?q=pump" alt="x">{links}') as elsewhere:
        page.goto(elsewhere)
        page.wait_for_load_state("networkidle")
        page.click("#away")
        page.get_by_role("heading", name="Locked").wait_for()
        assert asked == []
        page.goto(elsewhere)
        page.click("#in")
        page.get_by_role("heading", name="Locked").wait_for()
        page.get_by_role("link", name="go on").click()
        page.get_by_role("combobox", name="Search").first.wait_for()


BAD = "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)><svg onload=alert(3)>"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Index]]:
    """An index of what attacks whoever shows it, being looked at."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("hostile")
    docs = folder / "docs"
    docs.mkdir()
    (docs / "<img src=x onerror=alert(4)>.md").write_text(
        f'---\ntitle: "{BAD}"\nhome: "javascript:alert(5)"\n---\n# {BAD}\n\nwater [x](javascript:alert(6)) {BAD}\n\n'
        "![far](https://evil.example/track.png)\n\n"
        '<iframe src="javascript:alert(7)"></iframe><meta http-equiv="refresh" content="0;url=https://evil.example">'
        '<link rel="stylesheet" href="https://evil.example/x.css"><base href="https://evil.example/"></main>'
    )
    (docs / "page.html").write_text(f"<h1>water</h1><p>{BAD.replace('<', '&lt;')} water</p>{BAD}")
    (docs / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(8)"/>')
    stream = io.BytesIO()
    Image.new("RGB", (90, 60), "red").save(stream, "PNG")
    (docs / "red.png").write_bytes(stream.getvalue())
    row = {"id": BAD, "url": "red.png", "caption": f"red {BAD}", "text": f"water {BAD}"}
    (docs / "rows.jsonl").write_text(json.dumps(row))
    rows = {"id": "id", "url": "url", "text": ["text"], "caption": "caption"}
    with emulating(EmulatorConfig()) as url:
        media = {"model": "dashscope/tongyi-embedding-vision-plus", "base_url": f"{url}/api/v1"}
        declared = {
            "name": "hostile",
            "description": BAD,
            "sources": [{"type": "files", "root": str(docs), "rows": rows}],
            "embedding": {"model": "local/wordllama"},
            "media": {"embedding": media},
            "store": {"uri": str(folder / "db")},
            "folder": folder,
        }
        index = Index(IndexSpec.model_validate(declared))
        index.ingest()
        with running(index) as address:
            yield address, index


def test_hostile_documents_do_nothing(look: Callable[..., Looked], hostile: tuple[str, Index]) -> None:
    address, index = hostile
    looked = look("desktop")
    page, home = looked.page, address.partition("/?")[0]
    page.goto(address)
    uris = [row["uri"] for row in index.table().search().where("active").select(["uri"]).limit(None).to_list()]
    media = [
        row["uri"] for row in index.table(media=True).search().where("active").select(["uri"]).limit(None).to_list()
    ]
    assert len(uris) >= 3
    assert len(media) >= 2
    paths = ["/?q=water", "/?q=red&explain=1", "/documents", "/documents?kind=media", "/failures", "/runs", "/status"]
    paths += [f"/documents/{document_id(uri)}" for uri in uris] + [f"/media/{document_id(uri)}" for uri in media]
    for path in paths:
        page.goto(home + path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate(AUDIT) == [], path
        for link in page.locator("a").all():
            assert not (link.get_attribute("href") or "").lower().startswith(("javascript", "data", "//"))
        assert page.url == home + path, "nothing led away"
    page.goto(home + f"/documents/{document_id(uris[0])}")
    looked.keep("hostile")
    looked.stayed_here()
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=https://evil.example/y>')")
    page.wait_for_timeout(300)
    assert any("Content Security Policy" in error for error in looked.errors), "and the policy would hold it back"
