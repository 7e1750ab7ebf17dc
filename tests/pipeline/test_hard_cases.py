"""Cases in which doing the obvious would lose documents, money or the index that serves."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from relance.config import EmbeddingSpec, IndexSpec
from relance.embedding.budget import Budget, CostMeter
from relance.embedding.embedder import Embedder
from relance.embedding.providers import open_provider
from relance.embedding.providers.fake import FakeHash
from relance.errors import AccountError, BudgetError, ConfigurationError, InputError, RetryableError
from relance.index import Index

Make = Callable[..., Index]


def texts(index: Index) -> list[str]:
    return sorted(index.table().search().select(["text"]).limit(None).to_arrow()["text"].to_pylist())


def test_rolling_back_to_an_empty_index_empties_it_and_the_next_run_fills_it(make_index: Make, docs: Path) -> None:
    index = make_index()
    index.ingest()
    (docs / "a.md").write_text("Something.", encoding="utf-8")
    index.ingest()
    assert index.rollback().chunks == 0
    assert index.status().documents == 0
    index.ingest()
    assert texts(index) == ["Something."]


def test_rolling_back_never_serves_an_unfinished_rebuild(make_index: Make, docs: Path) -> None:
    from relance.pipeline.run_handle import RunHandle

    (docs / "a.md").write_text("One.", encoding="utf-8")
    index = make_index()
    index.ingest()
    table = index.status().table
    stopped = RunHandle()
    stopped.stop.set()
    other = make_index(embedding={"model": "fake/hash", "dimension": 32})
    run_id = other.ingest(handle=stopped).run_id
    (docs / "a.md").write_text("Two.", encoding="utf-8")
    index.ingest()
    index.rollback()
    assert (index.status().table, texts(index)) == (table, ["One."])
    with pytest.raises(InputError, match="no complete index"):
        index.rollback(run_id)


def test_a_run_over_named_documents_does_not_switch_the_model(make_index: Make, docs: Path) -> None:
    for name in ("a", "b"):
        (docs / f"{name}.md").write_text(f"Text of {name}.", encoding="utf-8")
    index = make_index()
    index.ingest()
    table = index.status().table
    other = make_index(embedding={"model": "fake/hash", "dimension": 32})
    report = other.ingest(only=["docs/a.md"])
    assert report.notes
    assert other.status().table == table
    other.ingest()
    assert other.status().table != table
    assert other.status().documents == 2


def test_a_document_that_becomes_a_file_of_rows_and_back(make_index: Make, docs: Path) -> None:
    lines = [json.dumps({"id": str(i), "text": f"Row {i}."}) for i in range(3)]
    (docs / "data.jsonl").write_text("\n".join(lines), encoding="utf-8")
    whole = make_index(sources=[{"type": "files", "root": str(docs), "include": ["*.jsonl"]}])
    rows = make_index(sources=[{"type": "files", "root": str(docs), "include": ["*.jsonl"], "rows": {}}])
    whole.ingest()
    as_one = texts(whole)
    rows.ingest()
    assert texts(rows) == ["Row 0.", "Row 1.", "Row 2."]
    whole.ingest()
    assert texts(whole) == as_one


def test_a_row_that_breaks_keeps_its_last_good_version(make_index: Make, docs: Path) -> None:
    good = [json.dumps({"id": str(i), "text": f"Row {i}."}) for i in range(3)]
    path = docs / "data.jsonl"
    path.write_text("\n".join(good), encoding="utf-8")
    index = make_index(sources=[{"type": "files", "root": str(docs), "rows": {}}])
    index.ingest()
    path.write_text("\n".join([good[0], good[1][:-3], good[2]]), encoding="utf-8")
    report = index.ingest()
    assert (report.failed, report.removed) == (1, 0)
    assert texts(index) == ["Row 0.", "Row 1.", "Row 2."]


def test_a_budget_without_a_price_is_refused(make_index: Make, docs: Path) -> None:
    (docs / "a.md").write_text("Some text.", encoding="utf-8")
    unknown = {"model": "openai/nobody-knows", "dimension": 8, "base_url": "http://127.0.0.1:9/v1"}
    with pytest.raises(ConfigurationError, match="price_per_million_tokens"):
        make_index(embedding=unknown, limits={"max_cost_usd": 1}).ingest()


def test_a_request_that_fails_gives_its_budget_back(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = EmbeddingSpec(model="fake/hash", batch_texts=2, max_attempts=1, price_per_million_tokens=1e6)
    budget = Budget(10.0)  # dollars, which is tokens at this price
    meter = CostMeter(open_provider(spec).info, budget)

    async def unavailable(*_: Any, **__: Any) -> None:
        raise RetryableError("away")

    async def embed(provider_texts: list[str]) -> Any:
        embedder = Embedder(open_provider(spec), spec)
        return await embedder.embed(provider_texts, input_type="document", meter=meter)

    for _ in range(5):
        with monkeypatch.context() as patch, pytest.raises(RetryableError):
            patch.setattr(FakeHash, "embed", unavailable)
            asyncio.run(embed(["one two three", "four five six"]))
    assert budget.reserved_usd == 0
    assert np.isfinite(asyncio.run(embed(["one two three", "four five six"])).vectors).all()
    assert budget.reserved_usd == pytest.approx(6)
    with pytest.raises(BudgetError):
        asyncio.run(embed(["one two three", "four five six"]))


def test_what_was_bought_before_an_error_is_counted_and_the_run_recorded(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(30):
        (docs / f"{i}.md").write_text(f"Text number {i}.", encoding="utf-8")
    index = make_index(embedding={"model": "fake/hash", "batch_texts": 5, "max_concurrency": 1})
    real, calls = FakeHash.embed, []

    async def embed(self: FakeHash, texts: list[str], *, input_type: Any) -> Any:
        calls.append(len(texts))
        if len(calls) > 2:
            raise AccountError("the bill is not paid")
        return await real(self, texts, input_type=input_type)

    monkeypatch.setattr(FakeHash, "embed", embed)
    with pytest.raises(AccountError):
        index.ingest()
    (run,) = index.runs()
    assert (run.status, run.report["embedded"]) == ("failed", 10)
    assert "not paid" in run.report["notes"][0]
    monkeypatch.setattr(FakeHash, "embed", real)
    assert index.ingest().embedded == 20


def test_a_service_that_fails_now_and_then_is_indexed_whole(
    make_index: Make, docs: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third request is refused for a moment; nothing is lost, and the key is in no table."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    requests, bought = [0], []

    def answer(request: Request) -> Response:
        requests[0] += 1
        if requests[0] % 3 == 0:
            return Response("busy", status=429, headers={"Retry-After": "0.05"})
        asked = request.get_json()["input"]
        bought.extend(asked)
        rng = np.random.default_rng(len(bought))
        data = [
            {"index": i, "embedding": base64.b64encode(rng.standard_normal(8).astype("<f4").tobytes()).decode()}
            for i in range(len(asked))
        ]
        return Response(json.dumps({"data": data, "usage": {"total_tokens": 3}}), content_type="application/json")

    httpserver.expect_request("/v1/embeddings", method="POST").respond_with_handler(answer)
    for i in range(50):
        (docs / f"{i}.md").write_text(f"Text number {i}.", encoding="utf-8")
    embedding = {"model": "openai/custom", "dimension": 8, "base_url": httpserver.url_for("/v1"), "batch_texts": 5}
    index = make_index(embedding=embedding | {"price_per_million_tokens": 1000.0})
    report = index.ingest()
    assert (report.status, report.added, len(bought)) == ("completed", 50, 50)
    assert report.tokens == 30
    assert report.cost_usd == pytest.approx(0.03)
    assert index.search("Text number 7.", k=50, mode="hybrid")
    stored = b"".join(path.read_bytes() for path in (docs.parent / "db").rglob("*") if path.is_file())
    assert b"very-secret" not in stored


def test_a_name_cannot_collide_with_the_tables_of_the_store() -> None:
    with pytest.raises(ValueError, match="name"):
        IndexSpec.model_validate({"name": "relance__vectors", "sources": [{"type": "files", "root": "x"}]})
