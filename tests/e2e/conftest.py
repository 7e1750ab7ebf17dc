"""What is brought up once and slowly: a browser, an index it looks at, and a server with a worker in a home of its own."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from files import put
from tests.e2e.look import EXAMPLES, SIZES, Looked
from tests.e2e.stack import Stack

from relance.explore import running
from relance.index import Index

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of a file, and all that need the same server, share a worker and so what was brought up for them."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            shared = "stack" if "stack" in getattr(item, "fixturenames", ()) else item.path.stem
            item.add_marker(pytest.mark.xdist_group(shared))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, one for the tests of a file."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A server on SQLite, a worker, and the deployments of prefect.yaml."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stack = Stack(tmp_path_factory.mktemp("home"), port)
    try:
        stack.up()
        yield stack
        assert stack.down() == 0, stack.said()
    finally:
        stack.close()
        if stack.process and stack.process.poll() is None:
            stack.process.terminate()
            stack.process.wait(60)


@pytest.fixture
def declare(declare: Callable[..., Path], docs: Path) -> Callable[..., Path]:
    """Write a spec over some documents in the folder `docs`; returns its path."""

    def declared(name: str, *, documents: int = 12, **sections: Any) -> Path:
        for number in range(documents):
            put(docs / f"note-{number:04}.md", f"# Note {number}\n\nOn river gauge {number}.\n")
        return declare(name, **sections)

    return declared


@pytest.fixture
def look(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Looked]]:
    """Open a browser of a size, as often as a test likes: `look("phone", color_scheme="dark")`."""
    pictures = Path(os.environ.get("RELANCE_SCREENSHOTS") or tmp_path / "screenshots")
    pictures.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:

        def open_one(size: str, **options: Any) -> Looked:
            width, height = SIZES[size]
            context = browser.new_context(viewport={"width": width, "height": height}, **options)
            stack.callback(context.close)
            return Looked(context, pictures, size + ("-dark" if options.get("color_scheme") == "dark" else ""))

        yield open_one


@pytest.fixture(scope="module")
def handbook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example with one file that cannot be read, being looked at."""
    folder = tmp_path_factory.mktemp("example") / "handbook"
    shutil.copytree(EXAMPLES / "handbook", folder, ignore=shutil.ignore_patterns("lancedb"))
    (folder / "docs" / "scan.docx").write_bytes(b"torn")
    index = Index(folder)
    index.ingest()
    with running(index) as address:
        yield address
