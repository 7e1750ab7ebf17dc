"""The OpenAI-compatible provider: requests, replies, and what is known of models beforehand."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from openai_service import DIMENSION, EXPECTED, KEY, TEXTS, answer, ask, embed, error, spec_for

from relance.config import EmbeddingSpec
from relance.config.load import parse_spec
from relance.embedding.providers import BadReplyError, open_provider
from relance.errors import ConfigurationError, InputError
from relance_emulator import EmulatorConfig, running

SERVICE = "openai_service"


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
    assert len(service.bodies) == 4


def test_items_in_another_order_are_sorted(service):
    def shuffled(body):
        reply = answer(body["input"])
        reply["data"].reverse()
        return reply

    service.always = shuffled
    np.testing.assert_array_equal(ask(spec_for(service), TEXTS).vectors, EXPECTED)


def index_in_words(reply):
    reply["data"][1]["index"] = "1"


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
    "spoil", [index_in_words, double_index, ragged, nested, truncated_base64, too_few, too_many, nothing, empty]
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
    with pytest.raises(ConfigurationError, match=r"dimension 8 instead of 16.*embedding\.dimension"):
        embed(spec_for(service, dimension=16), TEXTS)
    assert len(service.bodies) == 3


def test_tokens_are_none_where_the_service_does_not_say(service):
    service.always = lambda body: answer(body["input"]) | {"usage": None}
    assert ask(spec_for(service), TEXTS).tokens is None


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
        ({"model": "openai/m", "dimension": 8, "base_url": "http://host/v1?a=1&sig=pw"}, "out of the address"),
        ({"model": "openai/m", "dimension": 8, "base_url": f"http://host/v1?a={'pw' * 20}"}, "out of the address"),
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
