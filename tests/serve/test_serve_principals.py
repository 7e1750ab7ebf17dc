"""What a token may not see is not there, at any address and for any tool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from PIL import Image
from tests.serve.conftest import Serve, bearer, tokens

from relance.config import IndexSpec
from relance.index import Index

SECRET = "Xanthippe"
TEXT, TABLE, PICTURE = f"secret/{SECRET}.md", "secret/t.jsonl", f"secret/{SECRET}.png"
HIDDEN = [TEXT, f"{TABLE}#1", PICTURE, f"{TEXT}#{SECRET}.png"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, emulator_server: Any) -> Iterator[Index]:
    emulator_server.reset()
    folder = tmp_path_factory.mktemp("principals")
    for name in ("secret", "open"):
        (folder / name).mkdir()
    said = f"---\nreaders: [group:owners]\nkeeper: {SECRET}\n---\n# {SECRET}\n\nThe ferry of {SECRET}.\n\n"
    (folder / TEXT).write_text(f"{said}![{SECRET} at night]({SECRET}.png)\n")
    row = {"id": 1, "text": f"A ferry row of {SECRET}", "title": SECRET, "readers": ["group:owners"], "keeper": SECRET}
    (folder / TABLE).write_text(json.dumps(row))
    Image.new("RGB", (24, 16), "blue").save(folder / PICTURE)
    Image.new("RGB", (24, 16), "red").save(folder / "open/red.png")
    for n, name in enumerate("ab"):
        (folder / f"open/{name}.md").write_text(f"---\nyear: 200{n}\n---\n# Note {name}\n\nThe ferry leaves at {n}.\n")
    declared = {
        "name": "ferry",
        "sources": [
            {"type": "files", "root": "secret", "access": {"field": "readers"}, "rows": {"metadata": ["keeper"]}},
            {"type": "files", "root": "open"},
        ],
        "embedding": {"model": "fake/hash"},
        "media": {"embedding": {"model": "dashscope/tongyi-embedding-vision-plus",
                                "base_url": f"{emulator_server.url}/api/v1"}},
        "store": {"uri": "db"},
        "folder": folder,
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DASHSCOPE_API_KEY", "sk-of-the-emulator")
        index = Index(IndexSpec.model_validate(declared))
        index.ingest()
        yield index


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-of-the-emulator")


@pytest.fixture(scope="module")
def client(serve: Serve, index: Index) -> httpx.Client:
    return serve(index, tokens=tokens(anybody={}, others={"principals": ["group:others"]},
                                      owners={"principals": ["group:owners"]}, boss={"owner": True}))  # fmt: skip


def requests(client: httpx.Client) -> list[tuple[str, str, dict[str, Any]]]:
    """List a request for each address of the API's own document and each hidden thing."""
    of = "/v1/indexes/ferry"
    searches: list[dict[str, Any]] = [
        {"query": "ferry", "k": 100, "mode": mode} for mode in ("dense", "full-text", "hybrid")
    ]
    searches += [{"query": SECRET, "what": what, "explain": True} for what in ("texts", "media", "both")]
    searches += [{"query": "ferry", "group": True}, {"query": "ferry", "floor": 0, "what": "media", "k": 100}]
    searches += [{"like": uri, "what": what} for uri in HIDDEN for what in ("texts", "media", "both")]
    searches += [{"query": "ferry", "filter": text} for text in
                 (f"keeper = '{SECRET}'", "exists access", "readers = 'group:owners'", 'uri ~ "secret/*" or year > 1')]  # fmt: skip
    found = [("POST", f"{of}/search", {"json": asked}) for asked in searches]
    found += [("GET", f"{of}/search", {"params": {"query": "ferry", "k": 100}}), ("GET", "/v1/indexes", {}), ("GET", of, {}),
              ("GET", f"{of}/status", {}), ("GET", "/health/ready", {}), ("GET", "/metrics", {})]  # fmt: skip
    found += [("GET", f"{of}/documents", {"params": {"words": words, "media": media}})
              for words in ("", SECRET, "secret") for media in (True, False)]  # fmt: skip
    for uri in HIDDEN:
        found += [("GET", f"{of}/document", {"params": {"uri": uri}}), ("GET", f"{of}/like", {"params": {"uri": uri}}),
                  ("GET", f"{of}/document", {"params": {"uri": uri, "line": 1}}),
                  ("POST", f"{of}/recommend", {"json": {"history": [{"uri": uri}, {"text": "ferry"}]}}),
                  ("POST", f"{of}/recommend", {"json": {"history": [{"uri": uri}], "level": "media"}})]  # fmt: skip
    covered = {(method.lower(), path.replace("/v1/indexes/ferry", "/v1/indexes/{index}")) for method, path, _ in found}
    schema = client.get("/openapi.json", headers=bearer("boss")).json()
    declared = {(method, path) for path, methods in schema["paths"].items() for method in methods} - {
        ("get", "/health/live")
    }
    assert declared <= covered, "each address there is is tried"
    return found


@pytest.mark.parametrize("who", ["anybody", "others"])
def test_nothing_hidden_is_answered_at_any_address(client: httpx.Client, who: str) -> None:
    for method, path, sent in requests(client):
        answer = client.request(method, path, headers=bearer(who), **sent)
        assert answer.status_code in {200, 400, 401, 403, 404}, (path, sent, answer.text)
        text = answer.text
        for value in json.loads(json.dumps(list(sent.values()) or [{}]))[0].values():  # what was sent is said again
            for each in (
                [value]
                if isinstance(value, str)
                else [entry.get("uri", "") for entry in value]
                if isinstance(value, list)
                else []
            ):
                text = text.replace(json.dumps(each)[1:-1], "") if each else text
        assert SECRET not in text, (path, sent, text)
        assert "secret/" not in text.replace("secret/*", ""), (path, sent, text)


@pytest.mark.parametrize("who", ["owners", "boss"])
def test_who_may_see_them_does(client: httpx.Client, who: str) -> None:
    of = "/v1/indexes/ferry"
    found = client.post(f"{of}/search", json={"query": "ferry", "k": 100}, headers=bearer(who)).json()
    assert {TEXT, f"{TABLE}#1"} <= {hit["uri"] for hit in found["hits"]}
    assert client.get(f"{of}/document", params={"uri": TEXT}, headers=bearer(who)).json()["title"] == SECRET
    listed = client.get(f"{of}/documents", headers=bearer(who)).json()
    assert listed["total"] == 4
    assert client.get(of, headers=bearer(who)).json()["documents"] == 4


def test_a_hidden_document_is_answered_like_one_that_is_not_there(client: httpx.Client) -> None:
    def said(uri: str) -> tuple[int, str]:
        answer = client.get("/v1/indexes/ferry/document", params={"uri": uri}, headers=bearer("anybody"))
        return answer.status_code, answer.text.replace(uri, "…")

    assert {said(uri) for uri in HIDDEN} == {said("secret/nothing.md")}
    assert said(TEXT)[0] == 404


def test_counts_are_of_what_is_seen(client: httpx.Client) -> None:
    (index,) = client.get("/v1/indexes", headers=bearer("anybody")).json()["indexes"]
    assert (index["documents"], index["chunks"]) == (2, 2)
    assert index["sources"] == [{"type": "files", "documents": 2, "below": "open/"}]
    assert client.get("/v1/indexes/ferry/status", headers=bearer("anybody")).status_code == 403
    assert client.get("/v1/indexes/ferry/status", headers=bearer("boss")).json()["documents"] == 4


@pytest.mark.parametrize(("who", "sees"), [("anybody", False), ("others", False), ("owners", True)])
def test_tools_of_an_assistant_see_what_its_token_does(client: httpx.Client, who: str, sees: bool) -> None:
    async def ask() -> list[str]:
        async with (
            httpx2.AsyncClient(headers=bearer(who), trust_env=False) as http,
            Client(streamable_http_client(f"{client.base_url}/mcp", http_client=http)) as assistant,
        ):
            answers = [await assistant.call_tool("search", {"query": "ferry", "k": 50}),
                       await assistant.call_tool("list_sources", {})]  # fmt: skip
            answers += [await assistant.call_tool("read_document", {"uri": uri}) for uri in (TEXT, f"{TABLE}#1")]
            return [json.dumps(answer.structured_content) for answer in answers]

    said = anyio.run(ask)
    assert [SECRET in said[0], "secret/" in said[1], SECRET in said[2], SECRET in said[3]] == [sees] * 4
