"""The emulator's reranking answers DashScope's official clients as the service does."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import dashscope
import httpx
import pytest
from dashscope.v2.errors import APIStatusError
from PIL import Image

from relance.testing.rerankers import TEXTS
from relance_emulator import EmulatorConfig, running


def classic(url: str, **arguments: Any) -> Any:
    return dashscope.TextReRank.call(api_key="sk-test", base_address=f"{url}/api/v1", **arguments)


def test_the_official_client_gets_what_the_service_would_answer(emulator: Any) -> None:
    reply = classic(
        emulator.url,
        model="qwen3-rerank",
        query="when does the ferry leave",
        documents=TEXTS[:4],
        top_n=2,
        return_documents=True,
    )
    assert (reply.status_code, reply.code) == (200, "")
    first, second = reply.output.results
    assert (first.index, first["document"]["text"]) == (2, TEXTS[2])
    assert 1 > first.relevance_score > second.relevance_score > 0
    assert reply.usage.total_tokens > 20
    assert reply.request_id
    plain = classic(emulator.url, model="gte-rerank-v2", query="ferry", documents=TEXTS[:4])
    assert len(plain.output.results) == 4
    assert plain.output.results[0]["document"] is None


def test_the_newer_official_clients_read_it_as_well(emulator: Any) -> None:
    asked: dict[str, Any] = {
        "model": "qwen3-rerank",
        "query": "ferry",
        "documents": TEXTS[:4],
        "instruct": "Find timetables",
    }
    address: dict[str, Any] = {"base_url": f"{emulator.url}/api/v1", "api_key": "sk-test", "max_retries": 0}
    with dashscope.Client(**address) as client:
        reply = client.rerank.create(**asked)
    assert reply.results[0].index == 2
    assert reply.usage.total_tokens > 0

    async def once() -> Any:
        async with dashscope.AsyncClient(**address) as client:
            return await client.rerank.create(**asked)

    assert asyncio.run(once()).results == reply.results
    assert json.loads(emulator.requests()[0]["body"])["parameters"] == {"instruct": "Find timetables"}


def test_texts_and_pictures_are_compared_by_what_they_say_and_show(emulator: Any, httpserver: Any) -> None:
    addresses = []
    for colour in ("red", "blue"):
        content = io.BytesIO()
        Image.new("RGB", (40, 40), colour).save(content, "PNG")
        httpserver.expect_request(f"/{colour}.png").respond_with_data(content.getvalue(), content_type="image/png")
        addresses.append(httpserver.url_for(f"/{colour}.png").replace("localhost", "127.0.0.1"))
    documents = [{"text": "invoices and receipts"}, {"image": addresses[0]}, {"image": addresses[1]},
                 {"text": "a red picture"}]  # fmt: skip
    body = {"model": "qwen3-vl-rerank", "input": {"query": {"text": "a red picture"}, "documents": documents}}
    reply = httpx.post(f"{emulator.url}/api/v1/services/rerank/text-rerank/text-rerank", json=body,
                       headers={"Authorization": "Bearer sk-test"}, trust_env=False)  # fmt: skip
    order = [result["index"] for result in reply.json()["output"]["results"]]
    assert order == [3, 1, 2, 0]


@pytest.mark.parametrize(
    ("arguments", "status", "code", "words"),
    [
        ({"model": "qwen3-rerankk"}, 404, "ModelNotFound", "Model can not be found."),
        ({"model": "text-embedding-v4"}, 400, "InvalidParameter", "url error, please check url！"),
        ({"documents": ["x"] * 501}, 400, "InvalidParameter", "it should not be empty or larger than 500.: input.documents"),
        ({"documents": ["x" * 300_001]}, 400, "InvalidParameter", "document index:0 is invalid, it should not be larger than 300000"),
        ({"documents": ["", "x"]}, 400, "InvalidParameter", "document index:0 is invalid"),
        ({"query": " "}, 400, "InvalidParameter", "input.query"),
        ({"top_n": 0}, 400, "InvalidParameter", "top_n"),
        ({"documents": ["the river " * 4000] * 20, "model": "gte-rerank-v2"}, 400, "InvalidParameter", "[1, 30000]"),
    ],
)  # fmt: skip
def test_what_the_service_refuses_is_refused(
    emulator: Any, arguments: dict[str, Any], status: int, code: str, words: str
) -> None:
    reply = classic(emulator.url, **{"model": "qwen3-rerank", "query": "ferry", "documents": ["x"], **arguments})
    assert (reply.status_code, reply.code) == (status, code)
    assert words in reply.message


def test_without_a_key_or_with_too_many_requests_it_refuses() -> None:
    from relance_emulator.config import Rate

    config = EmulatorConfig(vectors="hash", limits={"*": Rate(60, 0)}, keys={"sk-one": ""}, region="singapore")
    with running(config) as url:

        def ask(model: str, key: str) -> int:
            with dashscope.Client(base_url=f"{url}/api/v1", api_key=key, max_retries=0) as client:
                try:
                    client.rerank.create(model=model, query="a", documents=["b"])
                except APIStatusError as error:
                    return error.status_code or 0
            return 200

        assert ask("qwen3-rerank", "sk-two") == 401
        assert ask("qwen3-rerank", "sk-one") == 200
        assert ask("qwen3-rerank", "sk-one") == 429
        assert ask("gte-rerank-v2", "sk-one") == 404, "it is not served in Singapore"
