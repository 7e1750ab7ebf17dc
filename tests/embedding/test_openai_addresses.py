"""Addresses as people write them, and the advice where they are wrong."""

import json

import pytest
from openai_service import KEY, TEXTS, Service, answer, embed, error, spec_for
from werkzeug import Response

from relance.config import EmbeddingSpec
from relance.embedding.providers import open_provider
from relance.embedding.providers.openai_address import OpenAIAddress
from relance.errors import ConfigurationError

PAGE = Response("<!doctype html><title>It works</title>", 200, mimetype="text/html")


@pytest.mark.parametrize(
    "reply",
    [
        Response("<h1>Not Found</h1>", 404, mimetype="text/html"),
        error(404, "page not found"),
        error(405, "Method Not Allowed"),
        PAGE,
        Response('{"error":"Unexpected endpoint or method. (POST /embeddings)"}', 200, mimetype="application/json"),
        Response('{"embedding": []}', 200, mimetype="application/json"),
        Response("[[0.1, 0.2]]", 200, mimetype="application/json"),
        Response("", 200),
    ],
    ids=lambda reply: f"{reply.status_code} {reply.get_data(as_text=True)[:20]}",
)
@pytest.mark.parametrize("path", ["", "/", "/api", "/embeddings"])
def test_an_address_without_its_version_gets_the_right_one_as_advice(httpserver, reply, path):
    right = Service(httpserver)
    httpserver.expect_request("/embeddings").respond_with_response(reply)
    httpserver.expect_request("/api/embeddings").respond_with_response(reply)
    with pytest.raises(ConfigurationError) as caught:
        embed(spec_for(right, base_url=httpserver.url_for("") + path), TEXTS)
    (advised,) = [word.rstrip(".,") for word in str(caught.value).split() if word.rstrip(".,").endswith("/v1")]
    assert not embed(spec_for(right, base_url=advised), TEXTS).failures


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("http://127.0.0.1:11434/api", "try embedding.base_url: http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:1234/api/v0", "try embedding.base_url: http://127.0.0.1:1234/v1"),
        ("https://host/proxy/", "try embedding.base_url: https://host/proxy/v1"),
        ("http://127.0.0.1:8000/v1", "check embedding.model and embedding.base_url"),
        (
            "https://generativelanguage.googleapis.com",
            "try embedding.base_url: https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "check embedding.model and embedding.base_url"),
        ("https://dashscope.aliyuncs.com", "try embedding.base_url: https://dashscope.aliyuncs.com/compatible-mode/v1"),
        ("https://me.openai.azure.com", "try embedding.base_url: https://me.openai.azure.com/openai/v1"),
        (
            "https://me.openai.azure.com/openai/deployments/mine",
            "try embedding.base_url: https://me.openai.azure.com/openai/deployments/mine?api-version=2024-10-21",
        ),
        ("https://me.openai.azure.com/openai/v1", "check the deployment's name and the api-version"),
    ],
)
def test_the_advice_is_what_services_like_it_have(written, advice):
    assert OpenAIAddress.read(written).advice == advice


def test_azures_new_address_takes_the_key_in_azures_header(httpserver, monkeypatch):
    """Called through a proxy, for only the host's name tells that it is Azure."""
    monkeypatch.setenv("HTTP_PROXY", httpserver.url_for(""))
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-key")
    seen = []

    def reply(request):
        seen.append(request)
        return Response(json.dumps(answer(request.get_json()["input"])), mimetype="application/json")

    httpserver.expect_request("/openai/v1/embeddings").respond_with_handler(reply)
    spec = EmbeddingSpec.of({
        "model": "openai/mine", "dimension": 8, "base_url": "http://me.openai.azure.com/openai/v1/"
    })  # fmt: skip
    assert not embed(spec, TEXTS).failures
    assert seen[0].headers["api-key"] == "azure-key"
    assert "Authorization" not in seen[0].headers
    assert seen[0].host == "me.openai.azure.com"


@pytest.mark.parametrize("query", ["api-version=2024-10-21", "api-version=preview&timeout=30", "deployment=a-b-c"])
def test_a_query_without_a_secret_is_sent_with_every_request(httpserver, query):
    service = Service(httpserver)
    assert not embed(spec_for(service, base_url=f"{service.url}?{query}"), TEXTS).failures
    assert [request.query_string.decode() for request, _ in httpserver.log] == [query]


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hush-hush@host/v1",
        "ftp://user:hush-hush@host/v1",
        "http://host/v1?api-key=hush-hush",
        "http://host/v1?code=hush-hush",
        "http://host/v1?x=hush-hush-hush-hush-hush-hush",
        "http://user:hush-hush@host:port/v1",
        "user:hush-hush@host/v1",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_shown(url, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    with pytest.raises(ConfigurationError, match=r"OPENAI_BASE_URL: ") as caught:
        open_provider(EmbeddingSpec.of({"model": "openai/m", "dimension": 8, "api_key": KEY}))
    assert "hush" not in str(caught.value)
