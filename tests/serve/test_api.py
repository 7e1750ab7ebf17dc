"""The HTTP API: the options and answers of `Index`, and problems that say what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serve.conftest import Serve

from relance.errors import UnreachableError
from relance.index import Index
from relance.serve import ServeConfig, ServeLimits, running
from relance.serve.problem import problem_of

SEARCH = "/v1/indexes/small/search"


@pytest.fixture(scope="module")
def client(serve: Serve, small: Index) -> httpx.Client:
    return serve(small)


@pytest.mark.parametrize(
    "asked",
    [
        {"query": "ferry"}, {"query": "ferry", "mode": "full-text", "k": 2}, {"query": "ferry", "mode": "dense", "offset": 3},
        {"query": "water", "filter": "year < 2020"}, {"query": "ferry", "group": True}, {"like": "docs/ferry.md", "k": 1},
        {"query": "ferry", "rerank": "none"},
    ],
)  # fmt: skip
def test_a_search_answers_what_the_index_does(client: httpx.Client, small: Index, asked: dict[str, Any]) -> None:
    expected = small.search(**asked)
    assert expected
    answer = client.post(SEARCH, json=asked)
    assert answer.status_code == 200
    assert answer.json()["hits"] == expected.to_list()
    assert answer.json()["more"] == expected.more
    flat = {name: json.dumps(value) if isinstance(value, bool) else value for name, value in asked.items()}
    assert client.get(SEARCH, params=flat).json() == answer.json()


def test_an_explanation_comes_where_it_is_asked_for(client: httpx.Client) -> None:
    answer = client.post(SEARCH, json={"query": "ferry", "explain": True, "k": 1}).json()
    assert answer["explanations"][0]["indexes"]
    assert answer["hits"][0]["explained"]["ranks"]
    assert client.post(SEARCH, json={"query": "ferry", "k": 1}).json()["explanations"] == []


def test_what_is_like_a_document(client: httpx.Client, small: Index) -> None:
    answer = client.get("/v1/indexes/small/like", params={"uri": "docs/ferry.md", "k": 2})
    assert answer.json()["hits"] == small.search(like="docs/ferry.md", k=2).to_list()


def test_recommendations(client: httpx.Client) -> None:
    history = [{"uri": "docs/ferry.md"}, {"text": "water", "weight": -1, "when": "2026-01-01T00:00:00"}]
    answer = client.post("/v1/indexes/small/recommend", json={"history": history, "k": 2})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["liked"], found["disliked"]) == (1, 1)
    assert "docs/ferry.md" not in {item["uri"] for item in found["items"]}


def test_documents_are_listed_page_by_page(client: httpx.Client) -> None:
    pages = [client.get("/v1/indexes/small/documents", params={"limit": 2, "offset": at}).json() for at in (0, 2, 4)]
    uris = [row["uri"] for page in pages for row in page["documents"]]
    assert uris == sorted(uris) == ["docs/deep/valve.md", "docs/ferry.md", "docs/水位.txt"]
    assert [(page["total"], page["more"]) for page in pages] == [(3, True), (3, False), (3, False)]
    named = client.get("/v1/indexes/small/documents", params={"words": "VALVE"}).json()
    assert [row["uri"] for row in named["documents"]] == ["docs/deep/valve.md"]


def test_a_document_is_read_around_a_hit_and_from_its_beginning(client: httpx.Client, small: Index) -> None:
    address = "/v1/indexes/small/document"
    whole = client.get(address, params={"uri": "docs/ferry.md"}).json()
    text = (Path(str(small.spec.folder)) / "docs/ferry.md").read_text(encoding="utf-8").partition("---\n# ")[2]
    assert whole["text"].split() == f"# {text}".split(), "what chunks share stands once"
    assert whole["total"] == len(whole["chunks"]) > 3
    hit = small.search("part 3", mode="full-text", k=1)[0]
    near = client.get(address, params={"uri": hit.uri, "around": hit.id, "before": 1, "after": 0}).json()
    assert [chunk["seq"] for chunk in near["chunks"]] == [hit.seq - 1, hit.seq]
    assert (near["first"], near["more"]) == (hit.seq - 1, hit.seq + 1 < whole["total"])
    by_line = client.get(address, params={"uri": hit.uri, "line": hit.line, "before": 0, "after": 0}).json()
    assert [chunk["id"] for chunk in by_line["chunks"]] == [hit.id]
    rest = client.get(address, params={"uri": hit.uri, "first": 2, "count": 1}).json()
    assert [chunk["seq"] for chunk in rest["chunks"]] == [2]
    assert client.get(address, params={"uri": "docs/no.md"}).status_code == 404
    assert client.get(address, params={"uri": hit.uri, "around": "no such chunk"}).status_code == 404


def test_indexes_and_their_state(client: httpx.Client) -> None:
    (index,) = client.get("/v1/indexes").json()["indexes"]
    assert index == client.get("/v1/indexes/small").json()
    assert (index["documents"], index["sources"]) == (3, [{"type": "files", "documents": 3, "below": "docs/"}])
    assert client.get("/v1/indexes/small/status").json()["documents"] == 3
    assert client.get("/health/live").json()["status"] == "ok"
    assert client.get("/health/ready").json() == {"status": "ok", "indexes": {"small": "ok"}}


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({}, 400, "the query is empty"), ({"query": "a", "like": "docs/ferry.md"}, 400, "one of them"),
        ({"query": "a", "filter": "year >"}, 400, "year >\n"), ({"like": "docs/fery.md"}, 404, "docs/ferry.md"),
        ({"query": "a", "k": 0}, 422, "k: must be at least 1, got the number 0"),
        ({"query": "a", "ofset": 3}, 422, "ofset: unknown key 'ofset'; did you mean 'offset'?"),
        ({"query": 3}, 422, "query: expected text, got the number 3"),
        ({"query": "a", "mode": "full_text"}, 422, "did you mean 'full-text'?"), ({"query": "a", "where": "true"}, 403, "filter"),
        ({"query": "a", "rerank": "lancedb/mrr"}, 403, "owner"), ({"query": "a", "instruct": "to find ferries quickly"}, 409, "instruct"),
        ({"query": "a", "what": "media"}, 409, "media"), ({"image": "/etc/passwd", "what": "media"}, 422, "http://"),
        ({"image": "file:///etc/passwd"}, 422, "http://"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_problem_that_says_what_to_do(client: httpx.Client, asked: Any, status: int, said: str) -> None:
    answer = client.post(SEARCH, json=asked)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in problem["detail"]
    assert "Traceback" not in answer.text


def test_a_problem_says_what_works_without_what_failed() -> None:
    away = UnreachableError("Cannot reach openai/x")
    away.add_note("A search with mode full-text needs no model.")
    said = json.loads(bytes(problem_of(away).body))["detail"]
    assert said == "Cannot reach openai/x. A search with mode full-text needs no model."


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status"),
    [
        ("GET", "/nowhere", b"", "", 404), ("GET", "/v1/indexes/smal", b"", "", 404), ("DELETE", SEARCH, b"", "", 405),
        ("GET", "/mcp", b"", "", 405),
        ("POST", SEARCH, b"{", "application/json", 400), ("POST", SEARCH, b'{"query": "a"}', "text/plain", 415),
        ("POST", SEARCH, b"[" * 100_000, "application/json", 400), ("POST", SEARCH, b"[1]", "application/json", 422),
        ("POST", SEARCH, b'{"query": "\\ud800"}', "application/json", 422),
        ("POST", SEARCH, b'{"query": "' + b"a" * 300_000 + b'"}', "application/json", 413),
    ],
)  # fmt: skip
def test_what_is_no_question_is_a_problem(
    client: httpx.Client, method: str, path: str, body: bytes, kind: str, status: int
) -> None:
    answer = client.request(method, path, content=body, headers={"content-type": kind} if kind else {})
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_without_a_length_is_bounded_too(client: httpx.Client) -> None:
    answer = client.post(
        SEARCH, content=(b"a" * 100_000 for _ in range(4)), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413


def test_pages_of_others_and_names_made_up_are_refused(client: httpx.Client) -> None:
    assert client.get("/v1/indexes", headers={"host": "evil.example"}).status_code == 421
    assert client.get("/v1/indexes", headers={"origin": "https://evil.example"}).status_code == 403
    assert client.get("/v1/indexes", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.get("/v1/indexes", headers={"host": "localhost:1"}).status_code == 200


def test_the_document_of_the_api_describes_it(client: httpx.Client) -> None:
    schema = client.get("/openapi.json").json()
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert operation["description"], path
            assert all(each.get("description") for each in operation.get("parameters", [])), path
    search = schema["paths"]["/v1/indexes/{index}/search"]["post"]["responses"]
    assert {"200", "400", "401", "404", "422", "429", "503"} <= set(search)
    assert search["400"]["content"].keys() == {"application/problem+json"}


def test_metrics_count_requests_and_describe_the_indexes(client: httpx.Client) -> None:
    client.post(SEARCH, json={"query": "ferry"})
    page = client.get("/metrics").text
    assert 'relance_serve_requests_total{index="small",operation="search",status="200"}' in page
    assert 'relance_index_documents{index="small"' in page
    assert "relance_serve_seconds_bucket" in page


def test_a_new_version_is_found_without_a_restart(serve: Serve, make_index: Callable[..., Index], docs: Path) -> None:
    (docs / "a.md").write_text("# A\n\nThe ferry.\n")
    index = make_index()
    with running([index], ServeConfig(port=0)) as address, httpx.Client(base_url=address, trust_env=False) as client:
        before = client.get("/health/ready")
        assert (
            before.status_code,
            client.post(f"/v1/indexes/{index.spec.name}/search", json={"query": "ferry"}).status_code,
        ) == (503, 409)
        for count in (1, 2):
            index.ingest()
            found = client.post(f"/v1/indexes/{index.spec.name}/search", json={"query": "ferry"}).json()["hits"]
            listed = client.get(f"/v1/indexes/{index.spec.name}/documents").json()
            assert len(found) == listed["total"] == count
            (docs / "b.md").write_text("# B\n\nThe other ferry.\n")


def test_what_takes_too_long_and_what_is_too_much_is_refused(small: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading
    from concurrent.futures import ThreadPoolExecutor

    free = threading.Event()
    monkeypatch.setattr(Index, "search", lambda *_, **__: free.wait(30))
    limits = ServeLimits(answer_s=1.0, threads=1, waiting=1)
    with (
        running([small], ServeConfig(port=0, limits=limits)) as address,
        httpx.Client(base_url=address, trust_env=False) as client,
        ThreadPoolExecutor(4) as threads,
    ):
        try:
            asked = [threads.submit(client.post, SEARCH, json={"query": "a"}) for _ in range(4)]
            answers = [each.result() for each in asked]
        finally:
            free.set()
    assert sorted(answer.status_code for answer in answers) == [503, 503, 504, 504]
    assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 503)


def test_a_defect_is_a_problem_without_a_traceback(
    small: Index, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("secret of the house")

    monkeypatch.setattr(Index, "search", broken)
    with running([small], ServeConfig(port=0)) as address:
        answer = httpx.post(f"{address}{SEARCH}", json={"query": "a"}, trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text
    assert "secret of the house" in caplog.text


def test_a_hurt_store_is_not_now_and_strangers_read_no_path(small: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(*_: Any, **__: Any) -> Any:
        raise RuntimeError(
            "lance error: LanceError(IO): /var/secret/data.lance: No such file or directory (os error 2)"
        )

    monkeypatch.setattr(Index, "search", torn)
    with running([small], ServeConfig(port=0)) as address:
        answer = httpx.post(f"{address}{SEARCH}", json={"query": "a"}, trust_env=False)
    assert answer.status_code == 503
    assert "/var" not in answer.text
