"""Every reranker behaves alike, and a search uses it as its spec says."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from typing import Any

import dashscope_clients
import numpy as np
import pytest

from relance.config import EmbeddingSpec, RerankSpec
from relance.errors import AccountError, BudgetError, ConfigurationError, InputError, RetryableError
from relance.index import Index
from relance.search.candidate import Candidate
from relance.search.rerankers import Reranker, open_reranker
from relance.search.rerankers.models import MAX_CHARACTERS, MODELS, REQUEST_TOKENS
from relance.testing.rerankers import TEXTS, RerankerContract, candidates
from relance_emulator.models import RERANKERS

Make = Callable[..., Index]
PATH = "/api/v1/services/rerank/text-rerank/text-rerank"


class CrossEncoder:
    """Stands in for sentence-transformers, which is not installed: counts the words two texts share."""

    def __init__(self, name: str, *, device: str, trust_remote_code: bool) -> None:
        if name == "gone":
            raise OSError("no such model")
        assert not trust_remote_code

    def predict(self, pairs: list[list[str]], *, batch_size: int) -> np.ndarray:
        return np.array([len({*a.lower().split()} & {*b.lower().split()}) for a, b in pairs], dtype=np.float32)


@pytest.fixture(
    params=[*(f"dashscope/{name}" for name in MODELS), "lancedb/mrr", "lancedb/linear", "lancedb/cross-encoder"]
)
def name(request: pytest.FixtureRequest, emulator: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DASHSCOPE_BASE_URL", f"{emulator.url}/api/v1")
    monkeypatch.setitem(sys.modules, "sentence_transformers", types.SimpleNamespace(CrossEncoder=CrossEncoder))  # type: ignore[arg-type]
    monkeypatch.setitem(
        sys.modules, "torch", types.SimpleNamespace(cuda=types.SimpleNamespace(is_available=lambda: False))
    )  # type: ignore[arg-type]
    return request.param


def section(name: str, **fields: Any) -> RerankSpec:
    region = {"region": "beijing"} if name.startswith("dashscope/") else {}
    return RerankSpec.of({"model": name, **region, **fields})


def reranker(name: str, **fields: Any) -> Reranker:
    return open_reranker(section(name, **fields))


# ── every reranker ───────────────────────────────────────────────────────────────────────────────────────────────────


class TestOurs(RerankerContract):
    """Those that are built in."""

    @pytest.fixture
    def spec(self, name: str) -> RerankSpec:
        return section(name)


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("model", "words"),
    [("dashscope/qwen3-reranker", "did you mean dashscope/qwen3-rerank"), ("lancedb/rrf", "there is no reranker"),
     ("mrr/x", "did you mean lancedb/mrr"), ("gte/gte-rerank-v2", "did you mean dashscope/gte-rerank-v2"),
     ("dashscope/text-embedding-v4", "there is no reranker")],
)  # fmt: skip
def test_an_unknown_reranker_is_told_with_what_there_is(model: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        open_reranker(RerankSpec(model=model))


def test_a_cross_encoder_without_its_package_or_model_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with (
        pytest.raises(ConfigurationError, match="pip install sentence-transformers"),
        reranker("lancedb/cross-encoder"),
    ):
        pass
    monkeypatch.setitem(sys.modules, "sentence_transformers", types.SimpleNamespace(CrossEncoder=CrossEncoder))  # type: ignore[arg-type]
    monkeypatch.setitem(
        sys.modules, "torch", types.SimpleNamespace(cuda=types.SimpleNamespace(is_available=lambda: False))
    )  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="gone cannot be loaded"), reranker("lancedb/cross-encoder:gone"):
        pass


# ── DashScope ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def service(emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DASHSCOPE_BASE_URL", f"{emulator.url}/api/v1")
    return emulator


def bodies(service: Any) -> list[dict[str, Any]]:
    return [json.loads(request["body"]) for request in service.requests() if request["path"] == PATH]


def test_the_request_is_the_documented_one(service: Any) -> None:
    with reranker("dashscope/qwen3-rerank", instruct="Find timetables") as opened:
        result = opened.rerank("when does it leave", candidates(TEXTS))
    (body,) = bodies(service)
    assert body == {
        "model": "qwen3-rerank",
        "input": {"query": "when does it leave", "documents": TEXTS[:4]},
        "parameters": {"return_documents": False, "top_n": 4, "instruct": "Find timetables"},
    }
    assert result.scores[4] == 0, "a blank text is not sent, and answers nothing"
    assert result.tokens == service.stats()["tokens_by_model"]["qwen3-rerank"]
    assert result.cost_usd == pytest.approx(result.tokens * 0.069 / 1e6)


def test_many_and_long_texts_are_sent_in_parts_that_the_model_takes(service: Any) -> None:
    texts = [f"note {i} of the ferry" for i in range(1100)]
    with reranker("dashscope/qwen3-rerank") as opened:
        scores = opened.rerank("note 700", candidates(texts)).scores
    assert sorted(len(body["input"]["documents"]) for body in bodies(service)) == [100, 500, 500]
    assert scores.argmax() == 700
    service.reset()
    long = ["the river and the ferry " * 700] * 9 + ["a" * (MAX_CHARACTERS + 5)]
    with reranker("dashscope/gte-rerank-v2") as opened:
        assert (opened.rerank("ferry", candidates(long)).scores > 0).all()
    assert len(bodies(service)) == 2, "at most 30,000 tokens a request, of which a text counts 4,000 at most"


def test_a_wrong_instruction_region_or_key_is_told(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="takes no instruction; qwen3-rerank"):
        reranker("dashscope/gte-rerank-v2", instruct="x")
    service.faults([{"action": "InvalidApiKey", "times": 1}])
    with pytest.raises(AccountError, match="DASHSCOPE_API_KEY"), reranker("dashscope/qwen3-rerank") as opened:
        opened.rerank("ferry", candidates(TEXTS))
    monkeypatch.delenv("DASHSCOPE_BASE_URL")
    with pytest.raises(ConfigurationError, match=r"served in Beijing \(beijing\), not in Singapore"):
        open_reranker(
            RerankSpec(model="dashscope/gte-rerank-v2"),
            EmbeddingSpec(api_key="sk-x", model="dashscope/text-embedding-v4"),
        )  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="needs a key"):
        reranker("dashscope/qwen3-rerank")


def test_a_refused_request_is_tried_again_and_what_stays_wrong_is_told(service: Any) -> None:
    with reranker("dashscope/qwen3-rerank") as opened:
        service.faults(
            [
                {"action": "Throttling.RateQuota", "times": 1, "retry_after": 0.01},
                {"action": "InternalError", "times": 1},
            ]
        )
        assert opened.rerank("ferry", candidates(TEXTS)).scores.argmax() == 2
        assert len(bodies(service)) == 3
        service.faults([{"action": "DataInspectionFailed"}])
        with pytest.raises(InputError):
            opened.rerank("ferry", candidates(TEXTS))
        service.faults([{"action": "missing_item"}])
        with pytest.raises(RetryableError, match="without a score for each text"):
            opened.rerank("ferry", candidates(TEXTS))
        service.faults([{"action": "shuffled"}, {"action": "missing_usage"}])
        assert opened.rerank("ferry", candidates(TEXTS)).tokens > 0


def seen(*urls: str) -> list[Candidate]:
    rows = [{"text": "a caption", "kind": "video" if url.endswith("mp4") else "image", "url": url} for url in urls]
    return [Candidate(str(at), row) for at, row in enumerate(rows)]


def test_pictures_and_films_are_sent_by_their_address(service: Any, httpserver: Any) -> None:
    httpserver.expect_request("/red.png").respond_with_data(dashscope_clients.picture("red"), content_type="image/png")
    picture = httpserver.url_for("/red.png").replace("localhost", "127.0.0.1")
    with reranker("dashscope/qwen3-vl-rerank", instruct="Find pictures") as opened:
        result = opened.rerank("a red square", [*seen(picture, "oss://x/1.png"), *candidates(["a text"])])
    (body,) = bodies(service)
    assert body == {
        "model": "qwen3-vl-rerank",
        "input": {
            "query": {"text": "a red square"},
            "documents": [{"image": picture}, {"text": "a caption"}, {"text": "a text"}],
        },
        "parameters": {"return_documents": False, "top_n": 3, "instruct": "Find pictures"},
    }
    assert result.scores.shape == (3,)
    assert result.tokens == service.stats()["tokens_by_model"]["qwen3-vl-rerank"]
    assert result.cost_usd is not None
    assert result.tokens * 0.0966 / 1e6 < result.cost_usd < result.tokens * 0.2484 / 1e6, "two prices"


def test_no_more_pictures_are_sent_at_once_than_the_model_takes(service: Any, httpserver: Any) -> None:
    httpserver.expect_request("/red.png").respond_with_data(dashscope_clients.picture("red"), content_type="image/png")
    picture = httpserver.url_for("/red.png").replace("localhost", "127.0.0.1")
    with reranker("dashscope/qwen3-vl-rerank") as opened:
        scores = opened.rerank("a red square", [*candidates(["a text"] * 3), *seen(*[picture] * 45)]).scores
    sent = [body["input"]["documents"] for body in bodies(service)]
    assert sorted(sum("image" in each for each in documents) for documents in sent) == [5, 40]
    assert (scores[3:] > 0).all()


def test_a_budget_stops_before_the_question_that_would_break_it(service: Any) -> None:
    once = 4 * len("ferry and river and bridge and weir") * 0.069 / 1e6  # a guess, from above
    with reranker("dashscope/qwen3-rerank", max_cost_usd=once) as opened:
        spent = 0.0
        with pytest.raises(BudgetError, match=r"over search\.rerank\.max_cost_usd"):
            for _ in range(50):
                spent += opened.rerank("ferry", candidates(TEXTS)).cost_usd or 0.0
        sent = len(bodies(service))
    assert 0 < spent <= once
    assert 1 <= sent < 50
    with pytest.raises(ConfigurationError, match=r"search\.rerank\.price_per_million_tokens"):
        open_reranker(section("dashscope/qwen3.7-text-rerank", region="singapore", max_cost_usd=1.0))


def test_a_model_that_will_go_is_told(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    with reranker("dashscope/gte-rerank-v2"):
        assert "will be withdrawn soon, says the vendor; take dashscope/qwen3-rerank" in caplog.text


def test_both_tables_of_rerankers_say_the_same() -> None:
    """The client's and the emulator's were written down apart."""
    assert MODELS.keys() == RERANKERS.keys()
    for name, model in MODELS.items():
        other = RERANKERS[name]
        assert (model.batch_inputs, model.max_tokens, REQUEST_TOKENS[name]) == (
            other.documents,
            other.text_tokens,
            other.request_tokens,
        )
        assert model.offers.keys() == other.regions
        assert {
            region: offer.requests_per_minute for region, offer in model.offers.items() if region in other.rates
        } == {region: rate.requests_per_minute for region, rate in other.rates.items()}


# ── in a search ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def index(make_index: Make, docs: Any) -> Make:
    for at, text in enumerate(TEXTS[:4]):
        (docs / f"{at}.md").write_text(text + "\n", encoding="utf-8")

    def make(**sections: Any) -> Index:
        made = make_index(**sections)
        made.ingest()
        return made

    return make


def test_a_search_is_sorted_by_the_reranker_and_says_so(index: Make, service: Any) -> None:
    hits = index().search("how a reranker sorts documents", k=3, rerank="dashscope/qwen3-rerank", explain=True)
    assert hits[0].uri == "docs/1.md"
    told = hits.explanation
    assert told is not None
    assert (told.rerank, told.reranked) == ("dashscope/qwen3-rerank", 4)
    assert told.tokens > 0
    assert told.cost_usd == pytest.approx(told.tokens * 0.1 / 1e6), "Singapore's price"
    assert told.seconds.keys() == {"embed", "search", "rerank"}
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert [hit.explained.rerank for hit in hits if hit.explained] == scores
    assert hits.more


@pytest.mark.parametrize("mode", ["dense", "full-text", "hybrid"])
def test_the_spec_says_what_is_used_by_default(index: Make, service: Any, mode: Any) -> None:
    made = index(search={"rerank": {"model": "dashscope/qwen3-rerank", "candidates": 3, "instruct": "Find it"}})
    made.search("ferry reranker", mode=mode, k=2)
    (body,) = bodies(service)
    assert body["parameters"]["instruct"] == "Find it"
    assert len(body["input"]["documents"]) <= 3
    made.search("ferry reranker", mode=mode, rerank="none")
    assert len(bodies(service)) == 1
    made.search("ferry reranker", mode=mode, rerank="dashscope/qwen3.7-text-rerank")
    assert bodies(service)[-1]["model"] == "qwen3.7-text-rerank"
    assert len(made.search("quantum ferry 传感器 reranker", mode=mode, k=1, offset=1)) == 1
    assert made.search("ferry", mode=mode, k=2, group=True)[0].uri == "docs/2.md"
    assert made.search("nothing", mode=mode, filter="uri = 'x'") == []


def test_lists_are_merged_anew_in_a_hybrid_search_only(index: Make) -> None:
    made = index(search={"rerank": {"model": "lancedb/mrr"}})
    hits = made.search("ferry leaves", k=4)
    assert hits[0].uri == "docs/2.md"
    assert hits[0].score == pytest.approx(1.0), "first in both lists"
    assert made.search("ferry leaves", mode="dense")[0].uri == "docs/2.md", "the spec's is left out there"
    with pytest.raises(InputError, match="merges the lists of a hybrid search"):
        made.search("ferry leaves", mode="dense", rerank="lancedb/linear")


def test_the_embeddings_address_and_key_are_used_for_their_own_provider_only(
    emulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = {
        "model": "dashscope/text-embedding-v4",
        "base_url": f"{emulator.url}/api/v1",
        "api_key": "sk-mine",
        "region": "beijing",
    }
    embedding = EmbeddingSpec.of(section)
    with open_reranker(RerankSpec(model="dashscope/gte-rerank-v2"), embedding) as opened:
        opened.rerank("ferry", candidates(TEXTS))
    assert emulator.stats()["by_path"] == {PATH: 1}
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-environment")
    elsewhere: Any = open_reranker(
        RerankSpec(model="dashscope/gte-rerank-v2", base_url="https://elsewhere.example/api/v1"), embedding
    )
    assert elsewhere._endpoint.service._key == "sk-environment", "a key goes to no other address than its own"
