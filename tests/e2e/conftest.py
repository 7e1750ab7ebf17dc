"""A real server and worker, brought up once by `relance up` in a home of its own."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.stack import Stack

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip


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
def declare(tmp_path: Path) -> Callable[..., Path]:
    """Write a spec over the folder `docs`; returns its path."""

    def write(name: str, *, documents: int = 12, **sections: Any) -> Path:
        docs = tmp_path / "docs"
        docs.mkdir(exist_ok=True)
        for number in range(documents):
            (docs / f"note-{number:04}.md").write_text(
                f"# Note {number}\n\nOn river gauge {number}.\n", encoding="utf-8"
            )
        declared = {
            "name": name,
            "sources": [{"type": "files", "root": "docs"}],
            "embedding": {"model": "fake/hash"},
            "store": {"uri": "db"},
        }
        path = tmp_path / "index.yaml"
        path.write_text(yaml.safe_dump(declared | sections), encoding="utf-8")
        return path

    return write
