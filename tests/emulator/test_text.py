"""Text in the emulator: what it refuses and in which order, and what its vectors are like."""

import itertools

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.embedding.tokenizers import open_tokenizer
from relance_emulator import EmulatorConfig, running
from relance_emulator.models import MODELS as EVERY
from relance_emulator.models import TextModel
from relance_emulator.sparse import sparse_embedding
from relance_emulator.vectors import fitted, hashed

NATIVE = "/api/v1/services/embeddings/text-embedding/text-embedding"
COMPATIBLE = "/compatible-mode/v1/embeddings"
V4 = "text-embedding-v4"
ALGORITHM = "<400> InternalError.Algo.InvalidParameter: "
DIMENSION = f"{ALGORITHM}Value error, dimension for embedding v3 is invalid, its value shold be in"
HELP = "https://help.aliyun.com/zh/model-studio/error-code"
MODELS = {name: model for name, model in EVERY.items() if isinstance(model, TextModel)}


@pytest.fixture
def ask(emulator):
    """Post a body; returns the response."""
    with httpx.Client(base_url=emulator.url, trust_env=False) as client:
        yield lambda path, body, **headers: client.post(
            path, json=body, headers={"authorization": "Bearer sk-test", **headers}
        )


def native(model, texts, **parameters):
    return {"model": model, "input": {"texts": texts}, "parameters": parameters}


def embed(ask, texts, model=V4, **parameters):
    reply = ask(NATIVE, native(model, texts, **parameters))
    assert reply.status_code == 200, reply.text
    return np.array([item["embedding"] for item in reply.json()["output"]["embeddings"]])


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({}, 400, "BadRequest.EmptyModel", 'Required parameter "model" missing from request.'),
        ({"model": "nonesuch"}, 404, "ModelNotFound", "Model can not be found."),
        (
            {"model": "multimodal-embedding-v1", "input": {}},
            400,
            "InvalidParameter",
            f"url error, please check url！ For details, see: {HELP}#error-url",
        ),
        ({"model": V4}, 400, "BadRequest.EmptyInput", "Required input parameter missing from request."),
        ({"model": V4, "input": "text"}, 400, "BadRequest.IllegalInput", "The input parameter requires json format."),
        ({"model": V4, "input": {}}, 400, "InvalidParameter", f"{ALGORITHM}Field required: input.texts"),
        (
            native(V4, [[1, 2]]),
            400,
            "InvalidParameter",
            f"{ALGORITHM}Value error, contents is neither str nor list of str.: input.contents",
        ),
        (
            native(V4, ["a"], output_type="both"),
            400,
            "InvalidParameter",
            "Required parameter(output_type) missing or invalid, please check the request parameters.",
        ),
        (
            native(V4, ["a"], dimension=3072),
            400,
            "InvalidParameter",
            f"{DIMENSION} [64, 128, 256, 512, 768, 1024, 1536, 2048, 3072]: parameters.dimension",
        ),
        (
            native("text-embedding-v3", ["a"], dimension=2048),
            400,
            "InvalidParameter",
            f"{DIMENSION} [64, 128, 256, 512, 768, 1024]: parameters.dimension",
        ),
        (
            {"model": "text-embedding-async-v2", "input": {"url": "http://x.test"}},
            403,
            "AccessDenied",
            "current user api does not support synchronous calls.",
        ),
    ],
)
def test_a_bad_native_call_is_refused_in_the_service_s_words(ask, body, status, code, message):
    reply = ask(NATIVE, body)
    assert (reply.status_code, reply.json()["code"], reply.json()["message"]) == (status, code, message)
    assert list(reply.json()) == ["code", "message", "request_id"]


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({}, 400, "invalid_request_error", "you must provide a model parameter."),
        (
            {"model": "nonesuch"},
            404,
            "model_not_found",
            "The model `nonesuch` does not exist or you do not have access to it.",
        ),
        (
            {"model": "multimodal-embedding-v1", "input": "a"},
            404,
            "model_not_supported",
            "Unsupported model multimodal-embedding-v1 for OpenAI compatibility mode.",
        ),
        ({"model": V4}, 400, "InvalidParameter", f"{ALGORITHM}Field required: input"),
        (
            {"model": V4, "input": [1, 2]},
            400,
            "InvalidParameter",
            f"{ALGORITHM}Value error, contents is neither str nor list of str.: input.contents",
        ),
    ],
)
def test_a_bad_compatible_call_is_refused_in_the_service_s_words(ask, body, status, code, message):
    reply = ask(COMPATIBLE, body)
    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["message"]) == (status, code, message)
    assert list(error) == ["message", "type", "param", "code"]


# Each call has all the faults from its place on; only the first may show.
ORDER = [
    ("key", {"authorization": "Bearer none"}, {}, 401),
    ("address", {}, {"model": "qwen3-vl-embedding"}, 400),
    ("model", {}, {"model": "nonesuch"}, 404),
    ("shape", {}, {"model": V4, "input": {"texts": [7] * 11}}, 400),
    ("count", {}, {"model": V4, "input": {"texts": [""] * 11}}, 400),
    ("length", {}, {"model": V4, "input": {"texts": [""]}}, 400),
    ("dimension", {}, {"model": V4, "input": {"texts": ["a"]}}, 400),
]
SHOWS = {
    "key": "Invalid API-key",
    "address": "url error",
    "model": "Model can not be found",
    "shape": "neither str nor list",
    "count": "batch size is invalid",
    "length": "Range of input length",
    "dimension": "dimension for embedding",
}


@pytest.mark.parametrize(("place", "headers", "body", "status"), ORDER, ids=[row[0] for row in ORDER])
def test_checks_come_in_the_documented_order(ask, place, headers, body, status):
    worst = {"input": {"texts": [7] * 11}, "parameters": {"dimension": 5}}
    reply = ask(NATIVE, {**worst, **body}, **headers)
    assert reply.status_code == status
    assert SHOWS[place] in reply.json()["message"]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_takes_its_number_of_texts_and_no_more(ask, name):
    most = MODELS[name].texts
    assert len(embed(ask, ["a"] * most, name)) == most
    reply = ask(NATIVE, native(name, ["a"] * (most + 1)))
    assert f"it should not be larger than {most}.: input.contents" in reply.json()["message"]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_takes_its_number_of_tokens_and_no_more(ask, name):
    most = MODELS[name].tokens
    text = " a" * most
    assert open_tokenizer("qwen").count([text])[0] == most
    assert embed(ask, [text], name).shape == (1, MODELS[name].dimension)
    reply = ask(NATIVE, native(name, ["fine", text + " a"]))
    assert reply.json()["message"] == f"{ALGORITHM}Range of input length should be [1, {most}]"


@pytest.mark.parametrize("name", MODELS)
def test_every_model_makes_each_of_its_dimensions(ask, name):
    model = MODELS[name]
    for dimension in model.dimensions:
        vector = embed(ask, ["some text"], name, dimension=dimension)
        assert vector.shape == (1, dimension)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    if not model.dimensions:
        assert embed(ask, ["some text"], name, dimension=64).shape == (1, 1536), "older models ignore the parameter"


def test_a_single_text_may_come_without_a_list_and_without_parameters(ask):
    reply = ask(NATIVE, {"model": V4, "input": {"texts": "alone"}})
    assert np.array_equal(reply.json()["output"]["embeddings"][0]["embedding"], embed(ask, ["alone"])[0])


def test_both_addresses_give_a_passage_the_same_vector(ask):
    reply = ask(COMPATIBLE, {"model": V4, "input": "a passage"})
    assert np.array_equal(reply.json()["data"][0]["embedding"], embed(ask, ["a passage"])[0])


def test_vectors_mean_something(ask):
    passages = ["A cat sleeps on the sofa.", "The stock market fell.", "Bread is baked in an oven."]
    found = embed(ask, passages) @ embed(ask, ["a kitten"], text_type="query").T
    assert found.argmax() == 0


def test_different_models_have_nothing_in_common(ask):
    old, new = (embed(ask, ["the same text"], model)[0] for model in ("text-embedding-v3", V4))
    assert abs(old @ new) < 0.3


texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60), min_size=2, max_size=6)


@given(texts, st.sampled_from([256, 768, 1024, 1152, 1536, 2048, 2560]), st.sampled_from([V4, "text-embedding-v3"]))
def test_cosines_survive_in_every_larger_dimension(many, dimension, space):
    base = hashed(many)
    vectors = fitted(base, space, dimension)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(many), dimension)
    assert vectors @ vectors.T == pytest.approx(base @ base.T, abs=1e-5)


@given(texts, st.sampled_from([64, 256, 1024, 1536]))
def test_a_text_has_the_same_vector_alone_and_in_company(many, dimension):
    together = fitted(hashed(many), V4, dimension)
    alone = np.concatenate([fitted(hashed([text]), V4, dimension) for text in many])
    assert np.array_equal(together, alone)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-6)


@given(st.text(min_size=1, max_size=200))
def test_a_sparse_vector_names_each_index_once_with_a_weight(text):
    terms = sparse_embedding(text)
    indices = [term["index"] for term in terms]
    assert len(set(indices)) == len(indices)
    for term in terms:
        assert list(term) == ["index", "value", "token"]
        assert 0 <= term["index"] < 250_002
        assert 0 < term["value"] <= 1
        assert term["token"] in text.lower()


@pytest.mark.parametrize(
    ("output", "keys"),
    [
        ("dense", ["embedding", "text_index"]),
        ("sparse", ["sparse_embedding", "text_index"]),
        ("dense&sparse", ["sparse_embedding", "embedding", "text_index"]),
    ],
)
def test_items_hold_the_vectors_that_were_asked_for(ask, output, keys):
    reply = ask(NATIVE, native(V4, ["wind and rain"], output_type=output)).json()
    (item,) = reply["output"]["embeddings"]
    assert list(item) == keys
    assert {term["token"] for term in item.get("sparse_embedding", [])} in ({"wind", "and", "rain"}, set())


def test_a_region_has_its_models_and_its_keys():
    keys = {"sk-here": "singapore", "sk-there": "beijing"}
    with (
        running(EmulatorConfig(region="singapore", keys=keys, workspaces=("ws-1",), vectors="hash")) as url,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):

        def status(model, key, **headers):
            headers["authorization"] = f"Bearer {key}"
            return client.post(NATIVE, json=native(model, ["a"]), headers=headers).status_code

        assert status(V4, "sk-here") == 200
        assert status(V4, "sk-there") == 401
        assert status(V4, "sk-other") == 401
        assert status("text-embedding-v2", "sk-here") == 404
        workspaces = itertools.product(["ws-1", "ws-2"], [V4])
        assert [status(m, "sk-here", **{"x-dashscope-workspace": w}) for w, m in workspaces] == [200, 401]
        assert client.post(NATIVE, json=native(V4, ["a"])).status_code == 401
        alternative = {"x-dashscope-apikey": "sk-here"}
        assert client.post(NATIVE, json=native(V4, ["a"]), headers=alternative).status_code == 200


def test_a_service_that_does_not_know_base64_sends_numbers():
    with (
        running(EmulatorConfig(base64=False, vectors="hash")) as url,
        httpx.Client(trust_env=False, headers={"authorization": "Bearer sk-x"}) as client,
    ):
        body = {"model": V4, "input": "a", "encoding_format": "base64"}
        assert len(client.post(f"{url}{COMPATIBLE}", json=body).json()["data"][0]["embedding"]) == 1024
