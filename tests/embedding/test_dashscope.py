"""Texts by DashScope's own protocol: requests, replies and refusals of a service on the loopback address."""

import json
import logging
import time

import numpy as np
import pytest
from dashscope_service import KEY, ask, embed, first, refused, spec_for, vector_of
from werkzeug import Response

from relance.config import EmbeddingSpec
from relance.embedding.providers import BadReplyError
from relance.embedding.sparse import Sparse
from relance.errors import AccountError, ConfigurationError, InputError, RateLimitedError, RelanceError, RetryableError

SERVICE = "dashscope_service"


# Text: requests, as the official clients have been seen to send them


@pytest.mark.parametrize(
    ("fields", "texts", "input_type", "body"),
    [
        (
            {},
            ["衣服的质量杠杠的"],
            "document",
            {
                "model": "text-embedding-v4",
                "input": {"texts": ["衣服的质量杠杠的"]},
                "parameters": {"text_type": "document", "dimension": 1024},
            },
        ),
        (
            {"dimension": 256, "output_type": "dense&sparse", "instruct": "Given..."},
            ["a", "b"],
            "query",
            {
                "model": "text-embedding-v4",
                "parameters": {
                    "text_type": "query",
                    "dimension": 256,
                    "output_type": "dense&sparse",
                    "instruct": "Given...",
                },
                "input": {"texts": ["a", "b"]},
            },
        ),
        (
            {"instruct": "Given...", "output_type": "sparse"},
            ["a"],
            "document",
            {
                "model": "text-embedding-v4",
                "input": {"texts": ["a"]},
                "parameters": {"text_type": "document", "output_type": "sparse"},
            },
        ),
        (
            {"model": "dashscope/text-embedding-v2", "region": "beijing"},
            ["a"],
            "query",
            {"model": "text-embedding-v2", "input": {"texts": ["a"]}, "parameters": {"text_type": "query"}},
        ),
    ],
    ids=["least", "all", "instruct is for questions", "older models know no dimension"],
)
def test_a_text_request_is_what_the_protocol_says(service, fields, texts, input_type, body):
    ask(spec_for(service.url, **fields), texts, input_type=input_type)
    assert service.bodies == [body]
    headers = service.headers[0]
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("relance/")
    assert not any(name.lower().startswith("x-dashscope") for name, _ in headers.items())


@pytest.mark.parametrize("name", ["workspace", "DASHSCOPE_WORKSPACE_ID"])
def test_the_workspace_is_sent_with_every_request(service, monkeypatch, name):
    if name == "workspace":
        ask(spec_for(service.url, workspace="ws-1"), ["a"])
    else:
        monkeypatch.setenv(name, "ws-1")
        ask(spec_for(service.url), ["a"])
    assert service.headers[0]["X-DashScope-WorkSpace"] == "ws-1"


@pytest.mark.parametrize("name", ["DASHSCOPE_BASE_URL", "DASHSCOPE_HTTP_BASE_URL"])
def test_key_and_address_come_from_the_environment_where_the_spec_has_none(service, monkeypatch, name):
    monkeypatch.setenv(name, service.url)
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-from-environment")
    ask(EmbeddingSpec(model="dashscope/text-embedding-v4"), ["a"])
    assert service.headers[0]["Authorization"] == "Bearer sk-from-environment"


def test_vectors_come_back_in_the_order_of_the_texts_however_they_are_sent(service):
    service.always = lambda reply: reply["output"]["embeddings"].reverse()
    reply = ask(spec_for(service.url, dimension=64), ["a", "b", "c"])
    np.testing.assert_array_equal(reply.vectors, [vector_of(text, 64) for text in "abc"])
    assert reply.vectors.dtype == np.float32
    assert (reply.tokens, reply.sparse, reply.cost_usd) == (9, None, None)


@pytest.mark.parametrize(("output_type", "width"), [("sparse", 0), ("dense&sparse", 1024)])
def test_sparse_vectors_are_read(service, output_type, width):
    reply = ask(spec_for(service.url, output_type=output_type), ["a", "bb"])
    assert reply.vectors.shape == (2, width)
    expected = [Sparse.of([100 + size, 7149], [0.5, 0.829]) for size in (1, 2)]
    assert reply.sparse == expected


def test_sparse_vectors_alone_may_come_with_or_without_an_empty_dense_one(service):
    for change in (
        lambda reply: [item.pop("embedding") for item in reply["output"]["embeddings"]] and None,
        lambda reply: [item.update(embedding=[]) for item in reply["output"]["embeddings"]] and None,
    ):
        service.script = [change]
        assert len(ask(spec_for(service.url, output_type="sparse"), ["a", "bb"]).sparse) == 2


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": None}, [], {"total_tokens": "3"}])
def test_missing_usage_is_borne(service, usage):
    service.always = lambda reply: reply.update(usage=usage)
    assert ask(spec_for(service.url), ["a"]).tokens is None
    service.always = lambda reply: reply.pop("usage") and None
    assert ask(spec_for(service.url), ["a"]).tokens is None


# Replies that do not fit


SPOILT = {
    "an index twice": lambda reply: first(reply).update(text_index=1),
    "no index": lambda reply: first(reply).pop("text_index") and None,
    "an index of another kind": lambda reply: first(reply).update(text_index="0"),
    "too few": lambda reply: reply["output"]["embeddings"].pop() and None,
    "too many": lambda reply: reply["output"]["embeddings"].append(first(reply) | {"text_index": 2}),
    "none": lambda reply: reply["output"].update(embeddings=[]),
    "no output": lambda reply: reply.pop("output") and None,
    "output null": lambda reply: reply.update(output=None),
    "no vector": lambda reply: first(reply).pop("embedding") and None,
    "ragged": lambda reply: first(reply)["embedding"].pop() and None,
    "nested": lambda reply: (
        [item.update(embedding=[item["embedding"]]) for item in reply["output"]["embeddings"]] and None
    ),
    "words": lambda reply: first(reply).update(embedding=["a"] * 1024),
    "a list": lambda reply: Response("[1, 2]", mimetype="application/json"),
    "truncated": lambda reply: Response(json.dumps(reply)[:-20], mimetype="application/json"),
    "a web page": lambda reply: Response("<html>login</html>", mimetype="text/html"),
    "nothing": lambda reply: Response(""),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_reply_that_does_not_fit_is_asked_for_again(service, spoil):
    spec = spec_for(service.url)
    service.script = [spoil]
    with pytest.raises(BadReplyError):
        ask(spec, ["a", "b"])
    service.script = [spoil]
    result = embed(spec, ["a", "b"])
    assert (result.failures, result.requests) == ({}, 2)


@pytest.mark.parametrize(
    "terms",
    [
        None,
        "x",
        [{"index": -1, "value": 1}],
        [{"index": 1}],
        [{"index": 1, "value": "a"}],
        [{"index": 1.5, "value": 1}],
    ],
)
def test_a_sparse_vector_that_is_none_is_asked_for_again(service, terms):
    service.script = [lambda reply: first(reply).update(sparse_embedding=terms)]
    with pytest.raises(BadReplyError, match="no sparse vector"):
        ask(spec_for(service.url, output_type="dense&sparse"), ["a", "b"])


# Refusals


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (refused(401, "InvalidApiKey", "Invalid API-key provided."), AccountError),
        (refused(400, "Arrearage", "Access denied."), AccountError),
        (refused(200, "Arrearage", "Access denied."), AccountError),
        (refused(429, "Throttling.RateQuota"), RateLimitedError),
        (refused(200, "Throttling.RateQuota"), RateLimitedError),
        (refused(500, "InternalError"), RetryableError),
        (refused(200, "InternalError"), RetryableError),
        (refused(400, "InvalidParameter", "Range of input length should be [1, 8192]"), InputError),
        (refused(400, "InvalidParameter", "Model not exist."), ConfigurationError),
        (Response("<html><body>Bad Gateway</body></html>", 502, mimetype="text/html"), RetryableError),
        (Response("", 504), RetryableError),
        (Response("", 307, {"Location": "https://elsewhere.example/?token=abc"}), ConfigurationError),
        (Response("Not Found", 404), ConfigurationError),
    ],
    ids=lambda value: f"{value.status_code} {value.get_data(as_text=True)[:40]}" if isinstance(value, Response) else "",
)
def test_a_refusal_is_named_for_what_it_is(service, response, kind):
    service.script = [response]
    with pytest.raises(RelanceError) as caught:
        ask(spec_for(service.url), ["a"])
    assert type(caught.value) is kind
    assert service.server.host in str(caught.value)
    assert "token=abc" not in str(caught.value)
    if "1773f7b2" in response.get_data(as_text=True):
        assert "request 1773f7b2" in str(caught.value)


@pytest.mark.parametrize(
    "response",
    [
        refused(401, "InvalidApiKey", f"Incorrect API key provided: {KEY}"),
        refused(400, KEY, f"{'x' * 400} {KEY}"),
        refused(200, "InternalError", KEY, request_id=KEY),
        Response(f"<p>{KEY}</p>", 500, mimetype="text/plain"),
        Response(f"not json {KEY}", 200),
        Response("", 302, {"Location": f"/login?key={KEY}"}),
    ],
    ids=["quoted", "as a code", "as an id", "plain", "not json", "redirect"],
)
def test_the_key_is_in_no_error_and_no_log(service, response, caplog):
    caplog.set_level(logging.DEBUG)
    service.always = response
    with pytest.raises(RelanceError) as caught:
        ask(spec_for(service.url), ["a"])
    assert KEY not in f"{caught.value!r} {caught.value} {caught.getrepr(style='long', showlocals=False)}"
    assert KEY not in caplog.text
    assert len(str(caught.value)) < 900


def test_a_slow_reply_is_given_up(service):
    service.script = [lambda reply: time.sleep(0.5)]
    with pytest.raises(RetryableError, match=r"did not answer within 0\.1 s"):
        ask(spec_for(service.url, timeout_s=0.1), ["a"])


def test_the_guilty_text_is_found_in_a_batch(service):
    def moderate(reply):
        if "bad" in service.bodies[-1]["input"]["texts"]:
            return refused(400, "DataInspectionFailed", "Input data may contain inappropriate content.")
        return None

    service.always = moderate
    result = embed(spec_for(service.url), ["one", "two", "bad", "three", "four"])
    assert result.failures.keys() == {2}
    assert "Content moderation" in result.failures[2]
    assert np.isfinite(result.vectors[[0, 1, 3, 4]]).all()
