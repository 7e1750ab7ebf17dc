"""The page as somebody sees it who may not see everything: nothing that is hidden is served, at any address."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.explore.conftest import Visitor

import relance
from relance.analysis.cluster import cluster
from relance.config import IndexSpec
from relance.documents import document_id
from relance.explore.app import build
from relance.explore.explorer import Explorer
from relance.explore.serve import ExploreConfig
from relance.index import Index

SECRET = "Xanthippe"
TEXT, TABLE, PICTURE, ROW = f"secret/{SECRET}.md", "secret/t.jsonl", f"secret/{SECRET}.png", "secret/m.csv"
HIDDEN = [TEXT, f"{TABLE}#1", PICTURE, f"{ROW}#1", f"{TEXT}#{SECRET}.png", "secret/broken.docx"]
SHOWN = ["open/a.md", "open/b.md", "open/c.md", "open/d.md", "open/red.png"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, emulator_server: Any) -> Index:
    emulator_server.reset()
    folder = tmp_path_factory.mktemp("principals")
    for name in ("secret", "open"):
        (folder / name).mkdir()
    said = f"---\nreaders: [group:owners]\nkeeper: {SECRET}\n---\n# {SECRET}\n\nThe ferry of {SECRET}.\n\n"
    (folder / TEXT).write_text(f"{said}![{SECRET} at night]({SECRET}.png)\n")
    row = {"id": 1, "text": f"A ferry row of {SECRET}", "title": SECRET, "readers": ["group:owners"], "keeper": SECRET}
    (folder / TABLE).write_text(json.dumps(row))
    (folder / ROW).write_text(f"id,url,caption,readers\n1,{SECRET}.png,ferry {SECRET},group:owners\n")
    (folder / "secret/broken.docx").write_bytes(b"no office document")
    Image.new("RGB", (24, 16), "blue").save(folder / PICTURE)
    Image.new("RGB", (24, 16), "red").save(folder / "open/red.png")
    for n, name in enumerate("abcd"):
        (folder / f"open/{name}.md").write_text(f"---\nyear: 200{n}\n---\n# Note {name}\n\nThe ferry leaves at {n}.\n")
    rows = {"url": "url", "caption": "caption", "text": "text", "title": "title", "metadata": ["keeper"]}
    declared = {
        "name": "ferry",
        "sources": [
            {"type": "files", "root": "secret", "access": {"field": "readers"}, "rows": rows},
            {"type": "files", "root": "open"},
        ],
        "embedding": {"model": "fake/hash"},
        "media": {
            "embedding": {
                "model": "dashscope/tongyi-embedding-vision-plus",
                "base_url": f"{emulator_server.url}/api/v1",
            },
        },
        "store": {"uri": "db"},
        "folder": folder,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DASHSCOPE_API_KEY", "sk-of-the-emulator")
        index = Index(IndexSpec.model_validate(declared))
        report = index.ingest()
    assert report.media is not None
    pytest.importorskip("sklearn")
    cluster(index.for_principals(relance.OWNER), k=2, projection="pca")
    return index


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-of-the-emulator")


@pytest.fixture(scope="module")
def anybody(open_page: Callable[[Index], Visitor], index: Index) -> Visitor:
    return open_page(index)


@pytest.fixture(scope="module")
def other(open_page: Callable[[Index], Visitor], index: Index) -> Visitor:
    return open_page(index.for_principals(["group:others"]))


@pytest.fixture(scope="module")
def owner(open_page: Callable[[Index], Visitor], index: Index) -> Visitor:
    return open_page(index.for_principals(relance.OWNER))


@pytest.fixture(scope="module")
def named(open_page: Callable[[Index], Visitor], index: Index) -> Visitor:
    return open_page(index.for_principals(["group:owners"]))


def addresses(index: Index) -> list[str]:
    """List an address for each route of the page and each hidden thing, from the routes themselves."""
    app = build(Explorer(index), ExploreConfig().token, 1)._app
    assert isinstance(app, Starlette)
    runs = [run.run_id for run in index.runs()]
    found = ["/?q=ferry", f"/?q={SECRET}", f"/?q={SECRET}&mode=full-text&explain=1", "/?q=ferry&show=passages&kind=media",
             "/?q=ferry&folder=secret", "/?q=ferry&type=application/x-ndjson", f"/documents?find={SECRET}",
             f"/failures?find={SECRET}", "/documents?kind=media", "/documents?order=tokens", "/failures?find=broken"]  # fmt: skip
    found += [f"/?like={quote(uri, safe='')}" for uri in HIDDEN]
    found += [f"/?q=ferry&filter={quote(text, safe='')}" for text in
              (f"keeper = '{SECRET}'", "exists access", "readers = 'group:owners'", 'uri ~ "secret/*" or year > 1')]  # fmt: skip
    for route in app.routes:
        if isinstance(route, Mount):
            continue  # the style, which is the same for everybody
        path = route.path  # ty: ignore[missing-attribute]
        filled = [path]
        for parameter, values in {
            "{doc_id}": [document_id(uri) for uri in HIDDEN],
            "{run_id}": runs,
            "{seq}": ["0", "1"],
        }.items():
            filled = [each.replace(parameter, value) for each in filled for value in values]
        assert not any("{" in each for each in filled), "every parameter of a route has values"
        found += [each for each in dict.fromkeys(filled) if each != path]
        if "{" not in path:
            found += [
                path,
                *(f"{path}?{name}={quote(uri, safe='')}" for uri in HIDDEN for name in ("uri", "like", "find")),
            ]
    assert any("{" in route.path for route in app.routes)  # ty: ignore[missing-attribute]
    return found


def asked(visitor: Visitor, address: str) -> httpx.Response:
    return visitor.get(address, follow_redirects=True)


def test_nothing_hidden_is_served_at_any_address(index: Index, anybody: Visitor, other: Visitor) -> None:
    for visitor in (anybody, other):
        for address in addresses(index):
            answer = asked(visitor, address)
            assert answer.status_code in {200, 400, 404}, (address, answer.text)
            text = answer.text
            for said in (*HIDDEN, SECRET):  # what was asked for is shown in the form
                if said in httpx.URL(address).params.values():
                    text = text.replace(f'value="{said}"', "").replace(f"“{said}”", "")
            for said in httpx.URL(address).params.values():
                text = text.replace(str(said).replace("'", "&#39;"), "").replace(str(said), "")
            text = text.replace(quote(httpx.URL(address).params.get("like", "-"), safe=""), "")
            assert SECRET not in text.replace(quote(SECRET), SECRET), address
            assert "broken" not in text, address


def test_a_row_and_its_neighbours_are_of_what_is_seen(anybody: Visitor, owner: Visitor) -> None:
    path = f"/documents/{document_id('open/a.md')}/chunks/0"
    assert SECRET not in anybody.get(path).text
    assert "access" not in anybody.page(path).words, "whom a document is for is not said"
    assert SECRET in owner.get(path).text, "the owner's neighbours are others"
    assert "access" in owner.page(path).words


def test_a_page_of_what_is_hidden_is_the_one_of_what_is_unknown(anybody: Visitor) -> None:
    for part in ("documents", "media"):
        for tail in ("", "/file", "/picture", "/video"):
            unknown = anybody.get(f"/{part}/{document_id('unknown')}{tail}")
            for uri in HIDDEN:
                hidden = anybody.get(f"/{part}/{document_id(uri)}{tail}")
                assert (hidden.status_code, hidden.text) == (
                    404,
                    unknown.text.replace(document_id("unknown"), document_id(uri)),
                )
    unknown = anybody.get("/open?uri=unknown")
    assert all(anybody.get(f"/open?uri={quote(uri, safe='')}").text == unknown.text for uri in HIDDEN)


def test_counts_are_of_what_is_seen(anybody: Visitor, owner: Visitor) -> None:
    def total(visitor: Visitor, kind: str) -> str:
        return visitor.page(f"/documents?kind={kind}").words

    assert "1–4 of 4" in total(anybody, "text").replace("\n", " ") or "4 documents" in total(anybody, "text")
    assert total(anybody, "text") != total(owner, "text")
    assert "secret" not in anybody.page("/").words
    assert "application/x-ndjson" not in anybody.get("/?q=ferry").text
    assert "application/x-ndjson" in owner.get("/?q=ferry").text
    assert "keeper" not in anybody.get("/?q=ferry").text


@pytest.mark.parametrize("address", ["/runs", "/status", "/map/view", "/map/picture"])
def test_what_tells_of_all_documents_is_for_the_owner(anybody: Visitor, owner: Visitor, address: str) -> None:
    assert anybody.get(address).status_code == 404
    # The first picture of a process loads matplotlib, which lists the fonts of the machine: more than the 5 s that a
    # client waits where there are few cores.
    assert owner.get(address, timeout=120).status_code == 200
    assert f'href="{address}"' not in anybody.get("/").text


def test_who_may_see_them_and_the_owner_do(index: Index, owner: Visitor, named: Visitor) -> None:
    for visitor in (owner, named):
        assert SECRET in visitor.get("/?q=ferry").text
        assert visitor.get(f"/documents/{document_id(TEXT)}").status_code == 200
        assert visitor.get(f"/documents/{document_id(TEXT)}/file").status_code == 200
    assert owner.get(f"/media/{document_id(PICTURE)}/picture").status_code == 200
    assert named.get(f"/media/{document_id(f'{TEXT}#{SECRET}.png')}/picture").status_code == 200
    assert named.get(f"/media/{document_id(PICTURE)}/picture").status_code == 404, "a file of its own says nothing"
    assert {row.uri for row in index.failures()} >= {PICTURE, "secret/broken.docx"}
