"""Fixtures for the page: an index being looked at, over a real socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from relance.explore import running
from relance.index import Index


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a name."""
        return [attributes for name, attributes in self.elements if name == tag]

    def links(self) -> list[str]:
        """Return where its links lead."""
        return [attributes["href"] or "" for attributes in self.all("a") if "href" in attributes]


class Visitor:
    """A browser that has been let in."""

    def __init__(self, entrance: str) -> None:
        self.entrance = entrance
        self.address, _, self.token = entrance.partition("/?token=")
        self.client = httpx.Client(base_url=self.address, trust_env=False)
        self.stranger = httpx.Client(base_url=self.address, trust_env=False)
        assert self.client.get(entrance).status_code == 303

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask for a page."""
        return self.client.get(path, **options)

    def page(self, path: str, status: int = 200) -> Page:
        """Ask for a page and read it."""
        response = self.get(path)
        assert response.status_code == status, response.text
        return Page(response.text)

    def close(self) -> None:
        """Go away."""
        self.client.close()
        self.stranger.close()


@pytest.fixture(scope="module")
def open_page() -> Iterator[Callable[[Index], Visitor]]:
    """Serve an index and visit it, until the module is over."""
    with ExitStack() as stack:

        def visit(index: Index) -> Visitor:
            visitor = Visitor(stack.enter_context(running(index)))
            stack.callback(visitor.close)
            return visitor

        yield visit


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """An index of a few texts, one of them unreadable."""
    from relance.config import IndexSpec

    folder = tmp_path_factory.mktemp("notes")
    docs = folder / "docs"
    (docs / "deep").mkdir(parents=True)
    (docs / "pump.md").write_text("---\nyear: 2021\n---\n# Pump\n\nThe pump moves water.\n\n## Care\n\nOil it.\n")
    (docs / "deep" / "valve.md").write_text("---\nyear: 2019\n---\n# Valve\n\nThe valve stops water.\n")
    (docs / "水位.txt").write_text("水位传感器每小时测量一次水位。", encoding="utf-8")
    (docs / "table.csv").write_text("id,text\n1,A row about rivers\n")
    (docs / "empty.md").write_text("")
    (docs / "broken.docx").write_bytes(b"no office document")
    index = Index(
        IndexSpec.model_validate(
            {
                "name": "notes",
                "sources": [{"type": "files", "root": str(docs), "rows": {"id": "id"}}],
                "chunking": {"max_tokens": 64},
                "embedding": {"model": "fake/hash"},
                "store": {"uri": str(folder / "db")},
                "folder": folder,
            }
        )
    )
    index.ingest()
    return index


@pytest.fixture(scope="module")
def visitor(open_page: Callable[[Index], Visitor], notes: Index) -> Visitor:
    """Somebody who looks at `notes`."""
    return open_page(notes)
