"""Evaluation: the measures against values by hand and another formula, the readers, and a whole index."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytrec_eval
from command_line import Run
from hypothesis import given
from hypothesis import strategies as st

from relance.errors import ConfigurationError, InputError
from relance.evaluation import (
    MEASURES,
    Evaluation,
    Qrels,
    average_precision,
    evaluate,
    ndcg,
    precision,
    ranked,
    read_dataset,
    recall,
    reciprocal_rank,
)
from relance.evaluation.compare import compare
from relance.evaluation.tables import notes
from relance.index import Index

Make = Callable[..., Index]

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook"
BY_HAND = (ndcg, recall, reciprocal_rank, average_precision, precision)
# trec_eval's names; its reciprocal rank knows no cut, so that the ranking is cut.
TREC = {"ndcg": "ndcg_cut", "recall": "recall", "mrr": "recip_rank", "map": "map_cut", "precision": "P"}

# -- the measures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ranking", "grades", "k", "expected"),
    [
        # 1 / log2(3) over 1 / log2(2); the one relevant document is second.
        ("x a", {"a": 1}, 10, (0.63093, 1, 0.5, 0.5, 0.1)),
        # (1 + 1/2) / (1 + 1/log2(3)): relevant at 1 and 3 of two; precision 1 there and 2/3 there.
        ("a x b", {"a": 1, "b": 1}, 10, (1.5 / 1.63093, 1, 1, (1 + 2 / 3) / 2, 0.2)),
        # Linear gains, as trec_eval: (1 + 3/log2(3)) / (3 + 1/log2(3)); an exponential one would be (1 + 7/…)/(7 + …).
        ("a b", {"a": 1, "b": 3}, 10, ((1 + 3 * 0.63093) / (3 + 0.63093), 1, 1, 1, 0.2)),
        # Cut at two: the ideal is cut as well, recall and average precision are of all that is relevant.
        ("x a b c", {"a": 1, "b": 1, "c": 1}, 2, (0.63093 / 1.63093, 1 / 3, 0.5, 1 / 6, 0.5)),
        ("x y", {"a": 1}, 10, (0, 0, 0, 0, 0)),
        ("", {"a": 1}, 10, (0, 0, 0, 0, 0)),
        ("x a", {"x": 0, "a": 2, "b": -1}, 10, (0.63093, 1, 0.5, 0.5, 0.1)),  # judged, and not relevant
        ("x a", {"x": 0, "a": -1}, 10, (0, 0, 0, 0, 0)),  # nothing is relevant
    ],
)
def test_measures_are_what_one_gets_by_hand(
    ranking: str, grades: dict[str, int], k: int, expected: tuple[float, ...]
) -> None:
    assert [measure(ranking.split(), grades, k) for measure in BY_HAND] == pytest.approx(expected, abs=1e-5)


documents = st.sampled_from("abcdefgh")
rankings = st.lists(documents, unique=True)
judgements = st.dictionaries(documents, st.integers(-1, 4), min_size=1).filter(lambda grades: max(grades.values()) > 0)
cuts = st.integers(1, 10)


@given(rankings, judgements, cuts)
def test_measures_agree_with_an_independent_formula(ranking: list[str], grades: dict[str, int], k: int) -> None:
    """By matrices: the gains as vectors, the best order by trying permutations through sorting indices."""
    gains = np.array([max(grades.get(uri, 0), 0) for uri in ranking] + [0] * 10, dtype=float)[:k]
    ideal = -np.sort(-np.array([max(grade, 0) for grade in grades.values()] + [0] * 10, dtype=float))[:k]
    discounts = 1 / np.log2(np.arange(2, k + 2))
    hits = np.flatnonzero(gains)
    assert ndcg(ranking, grades, k) == pytest.approx(gains @ discounts / (ideal @ discounts))
    assert recall(ranking, grades, k) == pytest.approx(len(hits) / sum(grade > 0 for grade in grades.values()))
    assert reciprocal_rank(ranking, grades, k) == pytest.approx(1 / (hits[0] + 1) if len(hits) else 0)


@given(rankings, judgements, cuts)
def test_measures_are_between_0_and_1_and_the_best_ranking_has_1(
    ranking: list[str], grades: dict[str, int], k: int
) -> None:
    assert all(0 <= measure(ranking, grades, k) <= 1 + 1e-12 for measure in BY_HAND)
    best = sorted(grades, key=lambda uri: -grades[uri])
    assert ndcg(best, grades, k) == pytest.approx(1)
    assert reciprocal_rank(best, grades, k) == 1
    assert recall(best, grades, 8) == 1


@given(rankings.filter(lambda ranking: len(ranking) > 1), judgements, cuts, st.data())
def test_moving_a_better_document_up_never_makes_it_worse(
    ranking: list[str], grades: dict[str, int], k: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(ranking) - 2))
    pair = sorted(ranking[at : at + 2], key=lambda uri: -max(0, grades.get(uri, 0)))
    better = [*ranking[:at], *pair, *ranking[at + 2 :]]
    for measure in BY_HAND:
        assert measure(better, grades, k) >= measure(ranking, grades, k) - 1e-12


@given(rankings, judgements)
def test_looking_further_finds_no_less(ranking: list[str], grades: dict[str, int]) -> None:
    for measure in (recall, reciprocal_rank):
        values = [measure(ranking, grades, k) for k in range(1, 11)]
        assert all(less <= more for less, more in pairwise(values))


def by_trec_eval(grades: dict[str, int], scores: dict[str, float], k: int) -> dict[str, float]:
    measures = {name if name == "recip_rank" else f"{name}.{k}" for name in TREC.values()}
    # A document of grade 0 that nothing finds changes no measure; without one pytrec_eval crashes if all are negative.
    found = pytrec_eval.RelevanceEvaluator({"q": grades | {"judged": 0}}, measures).evaluate({"q": scores})["q"]
    return {ours: found[theirs if theirs == "recip_rank" else f"{theirs}_{k}"] for ours, theirs in TREC.items()}


@given(rankings, st.dictionaries(documents, st.integers(-2, 4), min_size=1), cuts)
def test_measures_are_those_of_trec_eval(ranking: list[str], grades: dict[str, int], k: int) -> None:
    """Grades below 0, documents nobody judged, and questions without a relevant one are among them."""
    ranking = ranking[:k]
    expected = by_trec_eval(grades, {uri: float(-place) for place, uri in enumerate(ranking)}, k)
    assert {name: measure(ranking, grades, k) for name, measure in MEASURES.items()} == pytest.approx(
        expected, abs=1e-9, rel=0
    )


# Few values, so that there are ties; some differ by less than a float32 tells apart.
scores = st.sampled_from([0.0, -1.5, 1.0, 1.0 + 1e-9, 1.0 + 1e-6, 0.1 + 0.2, 0.3, 3e38])


@given(st.dictionaries(documents | st.sampled_from(["é", "文", "😀"]), scores), judgements, st.just(20))
def test_equal_scores_are_ranked_as_trec_eval_does(found: dict[str, float], grades: dict[str, int], k: int) -> None:
    ranking = ranked(found)
    expected = by_trec_eval(grades, found, k)
    assert {name: measure(ranking, grades, k) for name, measure in MEASURES.items()} == pytest.approx(
        expected, abs=1e-9, rel=0
    )


# -- a whole index ----------------------------------------------------------------------------------------------


@pytest.fixture
def index(make_index: Make, docs: Path) -> Index:
    """Three documents of which one has many chunks, and a table of two rows."""
    long = "\n\n".join(f"The ferry leaves at {hour} and the ferry returns at night." for hour in range(24))
    (docs / "ferry.md").write_text(f"# Ferry\n\n{long}\n", encoding="utf-8")
    (docs / "bridge.md").write_text("A bridge replaced the ferry.", encoding="utf-8")
    (docs / "gauge.md").write_text("The gauge tells how high the river is.", encoding="utf-8")
    rows = [{"_id": "7", "text": "A lock lifts boats."}, {"_id": "a#8", "text": "A weir holds the water back."}]
    (docs / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    source = {"type": "files", "root": str(docs), "rows": {"id": "_id", "text": ["text"]}}
    index = make_index(sources=[source], chunking={"max_tokens": 16})
    index.ingest()
    return index


def test_documents_are_graded_by_their_best_chunk_and_counted_once(index: Index) -> None:
    found = evaluate(index, {"q": "ferry"}, {"q": {"docs/bridge.md": 1}}, mode="full-text", k=2)
    (answer,) = found.answers
    assert sorted(answer.found) == ["docs/bridge.md", "docs/ferry.md"], "24 chunks of one do not hide the other"
    assert (found.recall, found.queries, found.missing) == (1, 1, 0)


def test_rows_are_known_by_their_id_and_what_is_not_there_is_counted(index: Index) -> None:
    queries = {"1": "lifts boats", "2": "weir water back", "3": "never judged", "4": "judged as useless"}
    qrels = {"1": {"7": 1, "99": 1}, "2": {"a#8": 2, "docs/gauge.md": 0}, "4": {"7": 0}, "5": {"7": 1}}
    found = evaluate(index, queries, qrels, mode="full-text")
    assert {answer.id: answer.found[0] for answer in found.answers} == {
        "1": "docs/corpus.jsonl#7",
        "2": "docs/corpus.jsonl#a#8",
    }
    assert (found.queries, found.skipped, found.missing, found.mrr) == (2, 2, 1, 1)
    assert found.missing_documents == ["99"], "what is missing is named as the dataset names it"
    assert found.recall == pytest.approx((0.5 + 1) / 2)
    assert found.ndcg == pytest.approx((1 / (1 + 1 / math.log2(3)) + 1) / 2, abs=1e-12)
    assert 0 < found.latency_ms_p50 <= found.latency_ms_p95
    assert found.embed_ms_p50 is None, "words need no vector"
    assert (evaluate(index, queries, qrels).embed_ms_p50 or 0) > 0
    assert found.table_version == index.table().version
    assert "answers" not in found.as_dict()
    assert len(found.as_dict(answers=True)["answers"]) == 2


def test_what_reranking_cost_is_told(
    index: Index, make_index: Make, emulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-of-the-emulator")
    monkeypatch.setenv("DASHSCOPE_BASE_URL", f"{emulator.url}/api/v1")
    queries, qrels = {"1": "the ferry", "2": "the river"}, {"1": {"docs/ferry.md": 1}, "2": {"docs/gauge.md": 1}}
    search = {"rerank": {"model": "dashscope/qwen3-rerank"}}
    found = evaluate(make_index(sources=index.spec.sources, chunking={"max_tokens": 16}, search=search), queries, qrels)
    assert found.rerank_usd == pytest.approx(sum(answer.rerank_usd or 0 for answer in found.answers))
    assert found.rerank_usd
    told = f"a reranker sorted the hits of 2 questions for ${found.rerank_usd:.4f}."
    assert any(told in note for note in notes(compare([found])))
    assert evaluate(index, queries, qrels).rerank_usd == 0


def test_a_dataset_that_does_not_fit_is_refused(index: Index, docs: Path) -> None:
    with pytest.raises(InputError, match="no question of the dataset"):
        evaluate(index, {"1": "lock"}, {"2": {"7": 1}})
    with pytest.raises(InputError, match="k must be at least 1"):
        evaluate(index, {"1": "lock"}, {"1": {"7": 1}}, k=0)
    (docs / "more.jsonl").write_text('{"_id": "7", "text": "Another seven."}', encoding="utf-8")
    index.ingest()
    with pytest.raises(InputError, match=r"'7' of the dataset names 2 documents"):
        evaluate(index, {"1": "lock"}, {"1": {"7": 1}})


# -- datasets ---------------------------------------------------------------------------------------------------


def beir(folder: Path, queries: str, qrels: str) -> Path:
    (folder / "qrels").mkdir()
    (folder / "queries.jsonl").write_text(queries, encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text(qrels, encoding="utf-8")
    return folder


def test_a_folder_in_beir_format_is_read(tmp_path: Path) -> None:
    header = "query-id\tcorpus-id\tscore\n"
    folder = beir(tmp_path, '{"_id": "1", "text": "what?", "metadata": {}}\n\n', f"{header}1\t7\t2\n1\t8\t0\r\n")
    assert read_dataset(folder) == ({"1": "what?"}, {"1": {"7": 2, "8": 0}})


def test_another_split_of_a_folder_is_read(tmp_path: Path) -> None:
    folder = beir(tmp_path, '{"_id": "1", "text": "what?"}\n', "1\t7\t1\n")
    (folder / "qrels" / "dev.tsv").write_text("1\t8\t1\n", encoding="utf-8")
    assert [read_dataset(folder, split=split)[1]["1"] for split in ("test", "dev")] == [{"7": 1}, {"8": 1}]
    with pytest.raises(ConfigurationError, match=r"train\.tsv: there is no such file; .* the splits dev, test"):
        read_dataset(folder, split="train")
    golden = tmp_path / "golden.yaml"
    golden.write_text("- {query: a, documents: [b]}", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="golden queries have no split 'dev'"):
        read_dataset(golden, split="dev")


def test_golden_queries_are_read(tmp_path: Path) -> None:
    path = tmp_path / "golden.yaml"
    path.write_text("- {query: what is it, documents: [docs/a.md, 'b.csv#1']}\n", encoding="utf-8")
    assert read_dataset(path) == ({"1": "what is it"}, {"1": {"docs/a.md": 1, "b.csv#1": 1}})
    path.write_text("- {query: graded, documents: {docs/a.md: 3, docs/b.md: 0}}\n", encoding="utf-8")
    assert read_dataset(path) == ({"1": "graded"}, {"1": {"docs/a.md": 3, "docs/b.md": 0}})


@pytest.mark.parametrize(
    ("queries", "qrels", "says"),
    [
        ('{"_id": "1"}\n', "", r"queries\.jsonl:1: is no question"),
        ('{"_id": "1", "text": "a"}\n[]', "", r"queries\.jsonl:2: is no question"),
        ("", "1\t7\t1\n1\t7\n", r"test\.tsv:2: is no judgement"),
        ("", "1\t7\t1\n1\t7\tgood\n", r"test\.tsv:2: is no judgement"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, queries: str, qrels: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        read_dataset(beir(tmp_path, queries, qrels))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no list of golden queries"),
        ("query: a", "is no list of golden queries"),
        ("- {query: cat?, documents: [a.md]}", r'in quotes: - \{query: "how\?", documents: \[a\.md\]\}'),
        ("- [unclosed", r"golden\.yaml:\d: is no YAML"),
        ("- {query: a, documents: [b]}\n- {query: a}", "query 2 is not of the form"),
        ("- {query: a, documents: b}", "query 1"),
        ("- {query: a, documents: []}", "query 1"),
        ("- {query: a, documents: [3]}", "query 1"),
        ("- {query: a, documents: {}}", "query 1"),
        ("- {query: a, documents: {b: good}}", "query 1"),
        ("- {query: a, documents: {b: true}}", "query 1"),
        ("- {question: a, documents: [b]}", "query 1"),
        ("- {query: a, documents: [b], grade: 3}", "query 1"),
        ("- a question", "query 1"),
    ],
)
def test_wrong_golden_queries_are_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "golden.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=says):
        read_dataset(path)


def test_blank_questions_are_read(tmp_path: Path) -> None:
    lines = '{"_id": "1", "text": " "}\n{"_id": "2", "text": null}\n{"_id": "3", "text": "what?"}\n'
    assert read_dataset(beir(tmp_path, lines, "1\t7\t1\n"))[0] == {"1": " ", "2": "", "3": "what?"}
    golden = tmp_path / "golden.yaml"
    golden.write_text("- {query: '', documents: [b]}\n- {query: , documents: [b]}\n", encoding="utf-8")
    assert read_dataset(golden)[0] == {"1": "", "2": ""}


def test_a_dataset_that_is_not_there_or_no_text_is_said_so(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.yaml", tmp_path):
        with pytest.raises(ConfigurationError, match="there is no such file"):
            read_dataset(path)
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read_dataset(tmp_path / "picture.yaml")


def test_the_golden_queries_of_the_handbook_name_documents_it_has_and_are_answered(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "handbook"
    shutil.copytree(HANDBOOK, folder, ignore=shutil.ignore_patterns("lancedb"))
    Index(folder).ingest()
    ask = ["evaluate", folder, "--dataset", folder / "golden.yaml"]
    ran = run(*ask, "--json")
    found = ran.json
    assert (ran.code, found["missing"], found["queries"], len(found["answers"])) == (0, 0, 15, 15)
    assert found["ndcg"] > 0.7, "0.80 was measured"
    said = run(*ask, "--mode", "full-text", "-k", "5")
    assert ("nDCG@5" in said.out, said.err) == (True, "")


def test_a_retrieval_set_is_answered_as_well_as_was_measured(make_index: Make, docs: Path, dataset: Path) -> None:
    shutil.copyfile(dataset / "corpus.jsonl", docs / "corpus.jsonl")
    source = {"type": "files", "root": str(docs), "rows": {"id": "_id", "text": ["title", "text"]}}
    index = make_index(sources=[source], embedding={"model": "fake/hash"})
    index.ingest()
    queries, qrels = read_dataset(dataset)
    some = dict(list(queries.items())[:40])
    found = evaluate(index, some, qrels, mode="full-text")
    assert found.missing <= 2
    _agrees_with_trec_eval(found, index, qrels)
    bar = {"cranfield": 0.2, "cmrc-zh": 0.9}[dataset.name]  # measured: 0.26 and 0.99
    assert found.ndcg > bar


def _agrees_with_trec_eval(found: Evaluation, index: Index, qrels: Qrels) -> None:
    """Nothing is rounded on the way: means and every answer, with the judgements resolved by a plain lookup."""
    uris = {uri.partition("#")[2]: uri for uri in index.table().to_arrow()["uri"].to_pylist()}
    expected = {}
    for answer in found.answers:
        grades = {uris.get(name, name): grade for name, grade in qrels[answer.id].items()}
        run = {uri: float(-place) for place, uri in enumerate(answer.found)}
        expected[answer.id] = by_trec_eval(grades, run, found.k)
        own = {name: getattr(answer, name) for name in MEASURES}
        assert own == pytest.approx(expected[answer.id], abs=1e-9, rel=0)
    for name in MEASURES:
        mean = sum(each[name] for each in expected.values()) / len(expected)
        assert getattr(found, name) == pytest.approx(mean, abs=1e-9, rel=0)
        low, high = found.intervals[name]
        assert low <= getattr(found, name) <= high
