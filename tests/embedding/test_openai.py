"""The OpenAI-compatible provider against a service on the loopback address that misbehaves as real ones do."""

import asyncio
import base64
import json
import logging
import re
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import stamina
from werkzeug import Response

from relance.config import EmbeddingSpec
from relance.config.load import parse_spec
from relance.config.settings import read_settings
from relance.embedding.embedder import Embedder
from relance.embedding.providers import BadReplyError, open_provider
from relance.embedding.providers.openai_errors import error_for
from relance.embedding.providers.refusals import Refusal
from relance.errors import (
    AccountError,
    ConfigurationError,
    InputError,
    RateLimitedError,
    RelanceError,
    RetryableError,
)
from relance.http.client import retry_after_s
from relance_emulator import EmulatorConfig, running

DIMENSION = 8
KEY = "sk-very-secret-0123456789"


def vector_of(text):
    vector = np.frombuffer(text.encode().ljust(DIMENSION, b"x")[-DIMENSION:], dtype=np.uint8).astype(np.float32)
    return vector / np.linalg.norm(vector)


def answer(texts, *, encoding="base64"):
    def encode(vector):
        return base64.b64encode(vector.tobytes()).decode() if encoding == "base64" else vector.tolist()

    data = [{"object": "embedding", "index": i, "embedding": encode(vector_of(t))} for i, t in enumerate(texts)]
    return {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 7 * len(texts)}}


def error(status, message="no", headers=None, **fields):
    return Response(json.dumps({"error": {"message": message, **fields}}), status, headers, mimetype="application/json")


class Service:
    """Answers well, after what is in `script`: each entry is a response or a function of the request body."""

    def __init__(self, server):
        self.url = server.url_for("/v1")
        self.script = []
        self.always = None
        self.bodies = []
        self.headers = []
        server.expect_request("/v1/embeddings", method="POST").respond_with_handler(self)

    def __call__(self, request):
        self.bodies.append(body := request.get_json())
        self.headers.append(request.headers)
        reply = self.script.pop(0) if self.script else self.always
        reply = reply(body) if callable(reply) and not isinstance(reply, Response) else reply
        if reply is None:
            reply = answer(body["input"], encoding=body["encoding_format"])
        return reply if isinstance(reply, Response) else Response(json.dumps(reply), mimetype="application/json")


@pytest.fixture
def service(httpserver):
    return Service(httpserver)


def spec_for(service, **fields):
    plain = {"model": "openai/some-model", "dimension": DIMENSION, "base_url": service.url, "api_key": KEY}
    return EmbeddingSpec.of(plain | fields)


def ask(spec, texts, *, calls=1):
    """Call the provider and close it."""

    async def main():
        provider = open_provider(spec)
        try:
            for _ in range(calls):
                reply = await provider.embed(texts, input_type="document")
            return reply
        finally:
            await provider.aclose()

    return asyncio.run(main())


def embed(spec, texts, **options):
    """Call it through the embedder, without pauses between attempts."""

    async def main():
        provider = open_provider(spec)
        try:
            return await Embedder(provider, spec).embed(texts, input_type="document", **options)
        finally:
            await provider.aclose()

    with stamina.set_testing(True, attempts=100, cap=True):
        return asyncio.run(main())


TEXTS = ["one", "two", "three", "四"]
EXPECTED = np.array([vector_of(text) for text in TEXTS])


# Requests and replies


def test_a_request_is_what_the_protocol_says(service):
    reply = ask(spec_for(service), TEXTS)
    np.testing.assert_array_equal(reply.vectors, EXPECTED)
    assert reply.vectors.dtype == np.float32
    assert reply.tokens == 28
    assert service.bodies == [
        {"model": "some-model", "input": TEXTS, "encoding_format": "base64", "dimensions": DIMENSION}
    ]
    assert service.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert re.fullmatch(r"relance/\d+\.\d+.*", service.headers[0]["User-Agent"])


def test_floats_are_taken_although_base64_was_asked_for(service):
    service.always = lambda body: answer(body["input"], encoding="float")
    np.testing.assert_array_equal(ask(spec_for(service), TEXTS).vectors, EXPECTED)


@pytest.mark.parametrize("status", [400, 422])
def test_a_service_that_refuses_base64_is_asked_for_floats_from_then_on(service, status):
    service.always = lambda b: error(status, "unknown encoding_format") if b["encoding_format"] == "base64" else None
    np.testing.assert_array_equal(ask(spec_for(service), TEXTS, calls=3).vectors, EXPECTED)
    assert [body["encoding_format"] for body in service.bodies] == ["base64", "float", "float", "float"]


def test_a_service_that_refuses_dimensions_is_asked_without_from_then_on(service):
    service.always = lambda b: (
        error(400, "Model does not support matryoshka representation") if "dimensions" in b else None
    )
    np.testing.assert_array_equal(ask(spec_for(service), TEXTS, calls=2).vectors, EXPECTED)
    assert ["dimensions" in body for body in service.bodies] == [True, False, False]


def test_a_service_that_refuses_floats_and_base64_is_not_asked_forever(service):
    service.always = lambda _: error(400, "encoding_format float and base64, dimensions: all wrong")
    with pytest.raises(InputError, match="all wrong"):
        ask(spec_for(service), TEXTS)
    assert len(service.bodies) == 3


def test_items_in_another_order_are_sorted(service):
    def shuffled(body):
        reply = answer(body["input"])
        reply["data"].reverse()
        return reply

    service.always = shuffled
    np.testing.assert_array_equal(ask(spec_for(service), TEXTS).vectors, EXPECTED)


def missing_index(reply):
    del reply["data"][1]["index"]


def double_index(reply):
    reply["data"][1]["index"] = 0


def ragged(reply):
    reply["data"][1]["embedding"] = [0.5]


def nested(reply):
    reply["data"][1]["embedding"] = [[0.5] * 8]


def truncated_base64(reply):
    reply["data"][1]["embedding"] = reply["data"][1]["embedding"][:-3]


def too_few(reply):
    reply["data"].pop()


def too_many(reply):
    reply["data"].append({"index": 4, "embedding": [0.0] * 8})


def nothing(reply):
    reply.clear()


def empty(reply):
    reply["data"] = []


@pytest.mark.parametrize(
    "spoil", [missing_index, double_index, ragged, nested, truncated_base64, too_few, too_many, nothing, empty]
)
def test_a_reply_that_does_not_fit_is_asked_for_again(service, spoil):
    def spoiled(body):
        reply = answer(body["input"])
        spoil(reply)
        return reply

    service.script = [spoiled]
    with pytest.raises(BadReplyError):
        ask(spec_for(service), TEXTS)
    service.script = [spoiled]
    np.testing.assert_allclose(embed(spec_for(service), TEXTS).vectors, EXPECTED, rtol=1e-6)


def test_vectors_of_another_length_than_declared_are_a_configuration_error(service):
    with pytest.raises(ConfigurationError, match=r"\(4, 8\).*\(4, 16\).*embedding\.dimension"):
        embed(spec_for(service, dimension=16), TEXTS)
    assert len(service.bodies) == 2


def test_tokens_are_none_where_the_service_does_not_say(service):
    service.always = lambda body: answer(body["input"]) | {"usage": None}
    assert ask(spec_for(service), TEXTS).tokens is None


# Trouble that passes


@pytest.mark.parametrize(
    "response",
    [
        error(429, "slow down", code="rate_limit_exceeded"),
        error(429, "slow down", {"Retry-After": "0"}),
        error(500),
        error(503, "overloaded", {"Retry-After": "0"}),
        error(408),
        Response("<html><body>Bad Gateway</body></html>", 502, mimetype="text/html"),
        Response("", 504),
        error(200, "try later", code=503),
        error(200, "slow", type="rate_limit_exceeded"),
        Response("<html>login</html>", 200, mimetype="text/html"),
        Response('{"data": [', 200, mimetype="application/json"),
    ],
    ids=lambda response: f"{response.status_code} {response.get_data(as_text=True)[:30]}",
)
def test_trouble_that_passes_is_waited_out(service, response):
    service.script = [response]
    np.testing.assert_allclose(embed(spec_for(service), TEXTS).vectors, EXPECTED, rtol=1e-6)
    assert len(service.bodies) == 2


def test_a_pause_asked_for_arrives_at_the_embedder(service):
    service.script = [error(429, "slow", {"Retry-After": "17"})]
    with pytest.raises(RateLimitedError) as caught:
        ask(spec_for(service), TEXTS)
    assert caught.value.retry_after_s == 17


def test_a_slow_reply_is_given_up_and_asked_for_again(service):
    def slow(_body):
        time.sleep(0.5)

    service.script = [slow]
    with pytest.raises(RetryableError, match=r"did not answer within 0\.1 s"):
        ask(spec_for(service, timeout_s=0.1), TEXTS)
    service.script = [slow]
    np.testing.assert_allclose(
        embed(spec_for(service, timeout_s=0.3, max_attempts=50), TEXTS).vectors, EXPECTED, rtol=1e-6
    )


def test_a_broken_connection_can_be_retried():
    async def main():
        async def hang_up(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        provider = open_provider(
            EmbeddingSpec(model="openai/m", dimension=8, base_url=f"http://127.0.0.1:{port}/v1", timeout_s=5)
        )
        try:
            with pytest.raises(RetryableError, match=f"connection to .*127.0.0.1:{port}/v1 broke"):
                await provider.embed(TEXTS, input_type="document")
        finally:
            await provider.aclose()
            server.close()
            await server.wait_closed()

    asyncio.run(main())


def test_a_refused_connection_names_the_address():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(RetryableError, match=f"Cannot reach openai/m at http://127.0.0.1:{port}/v1"):
            ask(EmbeddingSpec(model="openai/m", dimension=8, base_url=f"http://127.0.0.1:{port}/v1"), TEXTS)


NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": (NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")}, 90.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:01:30 -0000"}, 90.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers, seconds):
    assert retry_after_s(headers, now=NOW) == seconds


# Trouble that does not pass


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (error(401, "Incorrect API key"), AccountError),
        (error(402, "pay"), AccountError),
        (error(403, "forbidden"), AccountError),
        (error(400, "API key not valid. Please pass a valid API key."), AccountError),
        (error(400, "Access denied", code="Arrearage"), AccountError),
        (error(200, "who are you", code=401), AccountError),
        (error(404, "The model `x` does not exist", code="model_not_found"), ConfigurationError),
        (error(400, "no such model", code="model_not_found"), ConfigurationError),
        (Response("Not Found", 404), ConfigurationError),
        (Response("", 307, {"Location": "https://elsewhere.example/"}), ConfigurationError),
        (error(405), ConfigurationError),
        (error(400, "maximum context length is 8192 tokens"), InputError),
        (error(413, "too large"), InputError),
        (error(422, "validation"), InputError),
        (error(200, "bad input", type="invalid_request_error"), InputError),
    ],
    ids=lambda value: value.get_data(as_text=True)[:40] if isinstance(value, Response) else "",
)
def test_trouble_that_does_not_pass_is_named_for_what_it_is(service, response, kind):
    service.script = [response]
    with pytest.raises(kind) as caught:
        ask(spec_for(service), TEXTS)
    assert type(caught.value) is kind
    assert service.url in str(caught.value)


def test_an_empty_account_is_told_from_a_rate_only_at_openai_itself():
    no = Refusal(429, "You exceeded your current quota", ("insufficient_quota",))
    assert type(error_for(no, "m", openai=True)) is AccountError
    assert type(error_for(no, "m", openai=False)) is RateLimitedError


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": {"message": "in openai style"}}', "in openai style"),
        ('{"object": "error", "message": "in vllm style"}', "in vllm style"),
        ('{"error": "in tei style", "error_type": "Validation"}', "in tei style"),
        ('{"detail": "in fastapi style"}', "in fastapi style"),
        ("in plain\n words", "in plain words"),
        ("[1, 2]", r"\[1, 2\]"),
    ],
)
def test_the_services_own_words_are_passed_on(service, body, said):
    service.script = [Response(body, 400)]
    with pytest.raises(InputError, match=said):
        ask(spec_for(service), TEXTS)


def test_the_guilty_text_is_found_in_a_batch(service):
    service.always = lambda b: error(400, "this text is not allowed") if "three" in b["input"] else None
    result = embed(spec_for(service), TEXTS)
    assert result.failures.keys() == {2}
    assert "this text is not allowed" in result.failures[2]
    np.testing.assert_allclose(result.vectors[[0, 1, 3]], EXPECTED[[0, 1, 3]], rtol=1e-6)


# The key


@pytest.mark.parametrize(
    "response",
    [
        error(401, f"Incorrect API key provided: {KEY}"),
        error(400, f"{'x' * 400} {KEY}"),
        Response(f"<p>{KEY}</p>", 500, mimetype="text/plain"),
        Response(f"not json {KEY}", 200),
        Response("", 302, {"Location": f"/login?key={KEY}"}),
    ],
)
def test_the_key_is_in_no_error_and_no_log(service, response, caplog):
    caplog.set_level(logging.DEBUG)
    service.always = response
    with pytest.raises(RelanceError) as caught:
        ask(spec_for(service), TEXTS)
    assert KEY not in f"{caught.value!r} {caught.value} {caught.getrepr(style='long', showlocals=False)}"
    assert KEY not in caplog.text
    assert len(str(caught.value)) < 600


def test_a_long_message_is_cut_before_a_part_of_the_key_can_remain(service):
    service.always = error(400, f"{'x' * 290}{KEY}")
    with pytest.raises(InputError) as caught:
        ask(spec_for(service), TEXTS)
    assert KEY[:5] not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-line\nbreak", "sk-ümlaut", "sk-tab\there"])
def test_a_damaged_key_is_not_quoted(service, key):
    with pytest.raises(ConfigurationError, match="key") as caught:
        ask(spec_for(service, api_key=key), TEXTS)
    assert key[3:] not in str(caught.value)


def test_key_and_address_come_from_the_environment(service, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", " sk-env \n")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{service.url}/")
    ask(EmbeddingSpec(model="openai/m", dimension=8), TEXTS)
    ask(spec_for(service), TEXTS)
    assert [headers["Authorization"] for headers in service.headers] == ["Bearer sk-env", f"Bearer {KEY}"]


def test_key_and_address_come_from_a_dotenv_file(service, monkeypatch, tmp_path):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY=sk-file\nOPENAI_BASE_URL={service.url}\nUNRELATED=1\n")
    ask(EmbeddingSpec(model="openai/m", dimension=8), TEXTS)
    assert service.headers[0]["Authorization"] == "Bearer sk-file"


def test_another_service_may_go_without_a_key(service, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ask(EmbeddingSpec(model="openai/m", dimension=8, base_url=service.url), TEXTS)
    assert "Authorization" not in service.headers[0]


def test_openai_itself_needs_a_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        open_provider(EmbeddingSpec(model="openai/text-embedding-3-small"))


def test_a_wrong_variable_is_named_but_not_quoted(monkeypatch):
    monkeypatch.setenv("RELANCE_FAKE_DELAY_S", "sk-in-the-wrong-place")
    with pytest.raises(ConfigurationError, match="RELANCE_FAKE_DELAY_S") as caught:
        read_settings()
    assert "sk-" not in str(caught.value)


# What is known beforehand


def test_a_known_model_brings_its_limits_and_price():
    info = open_provider(EmbeddingSpec(model="openai/text-embedding-3-large", api_key=KEY)).info
    assert (info.dimension, info.batch_texts, info.price_per_million_tokens) == (3072, 2048, 0.13)
    assert info.batch_tokens == 270_000  # our count is an estimate
    assert not info.local


@pytest.mark.parametrize(("dimension", "sent"), [(0, None), (1536, None), (512, 512)])
def test_only_another_than_the_models_own_dimension_is_asked_for(service, dimension, sent):
    service.always = lambda body: answer(body["input"])
    ask(spec_for(service, model="openai/text-embedding-3-small", dimension=dimension), TEXTS)
    assert service.bodies[0].get("dimensions") == sent


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "openai/unheard-of"}, r"embedding\.dimension"),
        ({"model": "openai/text-embedding-3-small", "dimension": 2000}, "1 to 1536"),
        ({"model": "openai/text-embedding-ada-002", "dimension": 512}, "has 1536"),
        ({"model": "openai/m", "dimension": 8, "base_url": "http://user:pw@host/v1"}, "out of the address"),
        ({"model": "openai/m", "dimension": 8, "base_url": "http://host/v1?key=pw"}, "out of the address"),
    ],
)
def test_what_cannot_work_is_refused_before_any_request(fields, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        open_provider(EmbeddingSpec.of({"api_key": KEY} | fields))
    assert "pw" not in str(caught.value)


def test_an_address_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    with pytest.raises(ConfigurationError, match="'localhost:8000' is not an address"):
        open_provider(EmbeddingSpec(model="openai/m", dimension=8))


def test_the_address_is_no_part_of_a_vectors_space():
    one, two = (
        open_provider(EmbeddingSpec(model="openai/m", dimension=8, base_url=f"http://{host}/v1")).info.space
        for host in ("one", "two")
    )
    assert one == two
    assert one != open_provider(EmbeddingSpec(model="openai/m", dimension=9, base_url="http://one/v1")).info.space


def test_the_spec_sets_the_price_of_an_unknown_model(service):
    result = embed(spec_for(service, price_per_million_tokens=10.0), TEXTS)
    assert (result.tokens, result.cost_usd) == (28, pytest.approx(28 * 10 / 1e6))
    assert open_provider(spec_for(service)).info.price_per_million_tokens is None


# DashScope's models by this protocol


@pytest.mark.parametrize("dimension", [0, 256])
def test_dashscopes_models_are_known_and_served_by_the_emulator_without_a_key(dimension):
    with running(EmulatorConfig(vectors="hash")) as url:
        spec = EmbeddingSpec(
            model="openai/text-embedding-v4", base_url=f"{url}/compatible-mode/v1", dimension=dimension
        )
        result = embed(spec, [f"text {n}" for n in range(11)])
    assert (result.failures, result.requests, result.embedded) == ({}, 2, 11)
    assert result.vectors.shape == (11, dimension or 1024)
    info = open_provider(spec).info
    assert (info.batch_texts, info.max_input_tokens, info.price_per_million_tokens) == (10, 8191, 0.07)
    assert (info.requests_per_minute, info.tokens_per_minute) == (1800, 1_000_000)


def test_an_older_model_is_not_asked_for_the_dimension_it_has(service):
    service.always = lambda body: answer(body["input"])
    ask(spec_for(service, model="openai/text-embedding-v2", region="beijing", dimension=1536), TEXTS)
    assert "dimensions" not in service.bodies[0]


def test_a_dimension_that_dashscopes_model_does_not_have_is_refused(service):
    with pytest.raises(ConfigurationError, match=r"embedding\.dimension: openai/text-embedding-v4 has 2048, 1536"):
        open_provider(spec_for(service, model="openai/text-embedding-v4", dimension=8))


@pytest.mark.parametrize("fields", [{"output_type": "sparse"}, {"instruct": "Find it."}])
def test_what_this_protocol_cannot_say_is_refused_instead_of_left_out(fields):
    spec = {"name": "a", "sources": [{"type": "files", "root": "."}]}
    spec["embedding"] = {"model": "openai/m", "dimension": 8, **fields}
    with pytest.raises(ConfigurationError, match=rf"embedding\.{next(iter(fields))}: .*dashscope/"):
        parse_spec(json.dumps(spec), "index.yaml", Path())


def test_an_error_of_status_200_is_seen_without_an_envelope(service):
    service.script = [Response('{"code": "Throttling", "message": "slow down"}', mimetype="application/json")]
    with pytest.raises(RetryableError, match="slow down"):
        ask(spec_for(service), TEXTS)
