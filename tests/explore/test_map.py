"""The map: drawn when asked for, kept until the index is another, and what analysis found is said where documents are."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.explore.conftest import Visitor

from relance.analysis.cluster import cluster, read_clusters
from relance.analysis.results import write_results
from relance.documents import document_id
from relance.errors import InputError
from relance.explore.map_job import MapJob
from relance.index import Index

HERE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def index(make_index: Callable[..., Index], docs: Path) -> Index:
    for n in range(6):
        (docs / f"river{n}.md").write_text(f"# River {n}\n\nWater flows down the river to the sea, number {n}.")
        (docs / f"shop{n}.md").write_text(f"# Shop {n}\n\nBread and cheese are sold in the market hall, stall {n}.")
    index = make_index(embedding={"model": "local/wordllama"})
    index.ingest()
    return index


@pytest.fixture
def visitor(open_page: Callable[[Index], Visitor], index: Index) -> Visitor:
    return open_page(index)


def drawn(visitor: Visitor) -> str:
    """Press the button, and wait as the page does."""
    answer = visitor.client.post("/map", headers=HERE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/map")
    for _ in range(600):
        text = visitor.get("/map").text
        if 'http-equiv="refresh"' not in text:
            return text
        time.sleep(0.1)
    raise AssertionError("the map was not drawn within a minute")


def test_the_map_is_drawn_shown_and_drawn_anew(visitor: Visitor, index: Index, docs: Path) -> None:
    pytest.importorskip("sklearn")
    assert "Draw the map" in visitor.page("/map").words
    for path in ("/map/view", "/map/picture"):
        assert visitor.get(path).status_code == 404
    text = drawn(visitor)
    assert "Groups" in text
    assert "has changed since" not in text
    assert any(link.startswith("/open?uri=docs") for link in visitor.page("/map").links())

    view = visitor.get("/map/view")
    policy = view.headers["content-security-policy"]
    assert "script-src 'sha256-" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "River" in view.text
    picture = visitor.get("/map/picture", timeout=120)  # the first one loads matplotlib
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert visitor.get("/map/view").text == view.text

    assert 'class="badge cluster"' in visitor.get("/documents").text, "documents say which group they are in"
    (docs / "river9.md").write_text("# River 9\n\nAnother river.")
    index.ingest()
    assert "has changed since" in visitor.page("/map").words
    assert "has changed since" not in drawn(visitor)
    assert "River 9" in visitor.get("/map/view").text


def test_it_is_drawn_anew_as_it_was_asked_for(visitor: Visitor, index: Index) -> None:
    pytest.importorskip("sklearn")
    cluster(index, k=3, level="chunks", seed=5)
    assert "Groups" in drawn(visitor)
    found = read_clusters(index)
    assert found is not None
    assert (found.k, found.level, found.seed) == (3, "chunks", 5)


def test_a_stranger_starts_nothing(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    monkeypatch.setattr(MapJob, "draw", lambda _: started.append(1))
    assert visitor.client.post("/map").status_code == 403
    assert visitor.client.post("/map", headers={"Sec-Fetch-Site": "same-site"}).status_code == 403
    assert visitor.stranger.post("/map", headers=HERE).status_code == 403
    assert started == []
    assert visitor.client.post("/map", headers=HERE).status_code == 303
    assert started == [1]


def test_what_is_not_installed_is_said(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relance.explore.map_job.find_spec", lambda _: None)
    assert "pip install 'relance[analysis]'" in visitor.page("/map").words
    assert visitor.client.post("/map", headers=HERE).status_code == 303
    assert "pip install" in visitor.page("/map").words


def test_what_went_wrong_is_said(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")

    def fail(*_: Any, **__: Any) -> None:
        raise InputError("too few documents <b>here</b>")

    monkeypatch.setattr("relance.analysis.cluster.cluster", fail)
    text = drawn(visitor)
    assert "too few documents &lt;b&gt;here&lt;/b&gt;" in text
    assert "Draw the map" in text


def test_results_are_said_where_documents_are(visitor: Visitor, index: Index) -> None:
    uri = "docs/river1.md"
    rows = {"id": [document_id(uri)], "uri": [uri]}
    write_results(index, "anomalies", pa.table(rows | {"anomalous": [True]}), {})
    write_results(index, "classes", pa.table(rows | {"label": ["<i>rivers</i>"]}), {})
    for path in ("/documents", f"/documents/{document_id(uri)}", "/?q=river"):
        text = visitor.get(path).text
        assert "unusual" in text
        assert "&lt;i&gt;rivers&lt;/i&gt;" in text
    assert "unusual" not in visitor.get(f"/documents/{document_id('docs/shop1.md')}").text.partition("Similar")[0]
