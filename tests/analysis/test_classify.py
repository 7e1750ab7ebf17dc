"""Classes: the nearest label or none, in a table and in a column that searches can be filtered by."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Run
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from relance.analysis.calibration import calibrate, expected_calibration_error, fit_temperature
from relance.analysis.classify import classify, classify_texts, judge, probabilities
from relance.analysis.cluster import cluster
from relance.analysis.column import write_column
from relance.analysis.labels import Label, prototypes
from relance.analysis.results import read_results
from relance.errors import IndexBusyError, InputError
from relance.index import Index
from relance.store import open_store
from relance.store.lock import hold

TOPICS = {"river": "river gauge water level flood", "winter": "winter battery snow heater sun"}
LABELS = [Label("river", "water level flood"), Label("winter", "snow heater sun")]


@pytest.fixture
def index(make_index: Callable[..., Index], docs: Path) -> Index:
    """Four documents of each of two topics, and one of both."""
    for topic, words in TOPICS.items():
        for at in range(4):
            (docs / f"{topic}{at}.md").write_text(f"{words} {topic}{at}", encoding="utf-8")
    (docs / "both.md").write_text("river winter", encoding="utf-8")
    index = make_index()
    index.ingest()
    return index


def classes(index: Index) -> dict[str, dict[str, Any]]:
    found = read_results(index, "classes")
    assert found is not None
    return {row["uri"]: row for row in found.to_pylist()}


def column(index: Index, name: str) -> dict[str, Any]:
    return {row["uri"]: row[name] for row in index.table().search().select(["uri", name]).limit(None).to_list()}


def test_every_document_has_a_class_in_the_results_table(index: Index) -> None:
    done = classify(index, LABELS)
    assert (done.total, sum(done.counts.values()), done.unsure, done.table) == (9, 9, 0, "notes__classes")
    for uri, row in classes(index).items():
        if uri != "docs/both.md":
            assert uri.startswith(f"docs/{row['label']}")
            assert row["runner_up"] != row["label"]
            assert row["score"] > row["margin"] > 0
    assert set(done.examples["river"]) <= {f"docs/river{at}.md" for at in range(4)}
    json.dumps(done.as_dict())


def test_what_is_near_both_is_unsure_if_a_margin_is_asked_for(index: Index) -> None:
    classify(index, LABELS)
    margins = {uri: row["margin"] for uri, row in classes(index).items()}
    both = margins.pop("docs/both.md")
    assert both < min(margins.values())
    done = classify(index, LABELS, min_margin=both + 1e-4)
    assert done.unsure == 1
    assert classes(index)["docs/both.md"]["label"] is None
    assert classes(index)["docs/both.md"]["best"] in TOPICS


def test_what_is_near_none_is_unsure_if_a_score_is_asked_for(index: Index) -> None:
    sure, strange = classify_texts(index, ["the water level of the flood", "asdf jkl"], LABELS, min_score=0.3)
    assert (sure.label, strange.label) == ("river", None)
    assert strange.runner_up in TOPICS


def test_pictures_are_classified_and_clustered_by_what_they_show(
    make_index: Callable[..., Index], docs: Path, vision: dict[str, Any]
) -> None:
    image = pytest.importorskip("PIL.Image", reason="the extra media is not installed")
    for at in range(12):
        image.new("RGB", (24, 16), ("red", "blue", "green")[at % 3]).resize((24 + at, 16)).save(docs / f"{at:02}.png")
    index = make_index(media=vision)
    index.ingest()
    done = classify(
        index, [Label("red"), Label("blue", "a blue sky"), Label("green", uris=("docs/02.png",))], level="media"
    )
    assert done.counts == {"red": 4, "blue": 4, "green": 4}
    assert set(done.examples["blue"]) <= {f"docs/{at:02}.png" for at in range(1, 12, 3)}
    together = cluster(index, level="media", k=3, projection="pca")
    groups = {frozenset(int(uri[5:7]) % 3 for uri, label in zip(together.uris, together.labels, strict=True) if label == one)
              for one in range(3)}  # fmt: skip
    assert groups == {frozenset({0}), frozenset({1}), frozenset({2})}


def test_examples_move_a_class(index: Index) -> None:
    plain = prototypes(index, [Label("one"), Label("two")])
    shown = prototypes(index, [Label("one", uris=("docs/river0.md",), examples=("flood " * 3,)), Label("two")])
    river = prototypes(index, [Label("river gauge water level flood river0"), Label("two")])[0]
    assert shown[0] @ river > plain[0] @ river
    assert np.allclose(shown[1], plain[1])
    assert np.allclose(np.linalg.norm(shown, axis=1), 1, atol=1e-6)


def test_chunks_have_classes_of_their_own(make_index: Callable[..., Index], docs: Path) -> None:
    words = [f"{word} " * 20 for word in TOPICS.values()]
    (docs / "long.md").write_text("\n\n".join(words), encoding="utf-8")
    index = make_index()
    index.ingest()
    done = classify(index, LABELS, level="chunks", column="topic")
    assert done.total == index.table().count_rows() > 2
    held = index.table().search().select(["text", "topic"]).limit(None).to_list()
    assert {row["topic"] for row in held} == set(TOPICS)
    pure = [(set(row["text"].split()), row["topic"]) for row in held]
    assert sum(set(TOPICS[topic].split()) >= words for words, topic in pure) >= len(held) - 1  # one may be of both


# -- the column ------------------------------------------------------------------------------------------------------


def test_searches_are_filtered_by_the_column(index: Index) -> None:
    classify(index, LABELS, column="topic")
    hits = index.search("river water level", k=9, mode="dense", where="topic = 'winter'")
    assert {hit.uri[:11] for hit in hits} <= {"docs/winter", "docs/both.m"}
    assert len(hits) >= 4


def test_search_indexes_stay_whole_and_one_commit_gives_the_labels(index: Index) -> None:
    before = index.table()
    version, indexed = before.version, [each.num_indexed_rows for each in before.list_indices()]
    classify(index, LABELS, column="topic")
    after = index.table()
    assert [each.num_indexed_rows for each in after.list_indices()] == indexed
    assert after.version - version == 2  # the column, and its name


def test_a_run_afterwards_writes_and_leaves_what_changed_without_a_label(index: Index, docs: Path) -> None:
    classify(index, LABELS, column="topic")
    labelled = column(index, "topic")
    assert set(labelled.values()) == set(TOPICS)
    (docs / "river0.md").write_text("snow and sun", encoding="utf-8")
    (docs / "new.md").write_text("something new", encoding="utf-8")
    (docs / "river1.md").unlink()
    report = index.ingest()
    assert (report.added, report.changed, report.removed, report.failures) == (1, 1, 1, [])
    now = column(index, "topic")
    assert now["docs/new.md"] is None
    assert now["docs/river0.md"] is None
    assert "docs/river1.md" not in now
    assert {uri: label for uri, label in now.items() if label} == {
        uri: label for uri, label in labelled.items() if uri not in {"docs/river0.md", "docs/river1.md"}
    }
    assert index.ingest().unchanged == 9
    classify(index, LABELS, column="topic")
    assert column(index, "topic")["docs/river0.md"] == "winter"


def test_classifying_again_replaces_the_column_and_leaves_no_other(index: Index) -> None:
    names = index.table().schema.names
    classify(index, LABELS, column="topic")
    classify(index, [Label("it's wet", "river water flood"), Label('"cold"', "winter snow")], column="topic")
    assert set(column(index, "topic").values()) == {"it's wet", '"cold"'}
    assert index.table().schema.names == [*names, "topic"]


def test_labels_of_more_documents_than_fit_one_expression(index: Index) -> None:
    classify(index, LABELS, column="whole")
    labels = {row["id"]: row["label"] for row in classes(index).values() if row["label"] is not None}
    assert len(labels) > 4
    write_column(index, "parts", labels, level="documents", check_lock=lambda: None, ids_at_once=2)
    assert column(index, "parts") == column(index, "whole")
    assert [name for name in index.table().schema.names if "__" in name] == []


def test_a_column_left_by_a_crash_is_taken_away(index: Index) -> None:
    index.table().add_columns({"topic__0": "'x'", "topic__all": "'y'"})
    classify(index, LABELS, column="topic")
    assert [name for name in index.table().schema.names if "__" in name] == []


def test_nobody_is_sure(index: Index) -> None:
    done = classify(index, LABELS, min_score=1.1, column="topic")
    assert (done.unsure, done.counts) == (9, {"river": 0, "winter": 0})
    assert set(column(index, "topic").values()) == {None}


def test_a_rollback_goes_to_the_run_before_and_further_runs_work(index: Index, docs: Path) -> None:
    first = index.runs()[-1].run_id
    (docs / "late.md").write_text("river late", encoding="utf-8")
    index.ingest()
    classify(index, LABELS, column="topic")
    assert index.rollback().run_id == first  # not to the run that the labels were given after
    assert "topic" not in index.table().schema.names
    assert index.ingest().added == 1
    classify(index, LABELS, column="topic")
    index.rollback(first)
    assert index.ingest().added == 1


def test_maintenance_keeps_the_column(index: Index) -> None:
    classify(index, LABELS, column="topic")
    before = column(index, "topic")
    index.maintain()
    index.table().optimize()
    assert column(index, "topic") == before


def test_no_label_is_written_while_a_run_writes(index: Index) -> None:
    with hold(open_store(index.spec), "notes"), pytest.raises(IndexBusyError):
        classify(index, LABELS, column="topic")


def test_a_column_needs_a_name_of_its_own(index: Index, subtests: pytest.Subtests) -> None:
    for name in ("text", "vector", "Topic", "a b", "a__b", "1a", "a;--", "ä"):
        with subtests.test(name), pytest.raises(InputError, match=name):
            classify(index, LABELS, column=name)
    assert read_results(index, "classes") is None


# -- judging ---------------------------------------------------------------------------------------------------------

similarities = arrays(np.float32, st.tuples(st.integers(0, 20), st.integers(2, 5)), elements=st.floats(-1, 1, width=16))


@given(similarities, st.floats(0.001, 2))
def test_the_best_label_has_the_greatest_similarity_and_probability(near: np.ndarray, temperature: float) -> None:
    found = judge(near, temperature=temperature)
    assert np.array_equal(found.score, near.max(axis=1))
    assert (found.margin >= 0).all()
    assert found.sure.all()
    chances = probabilities(near, temperature)
    assert np.allclose(chances.sum(axis=1), 1)
    assert np.allclose(found.probability, chances.max(axis=1), atol=1e-6)
    assert (found.best != found.second).all()


# -- calibration -----------------------------------------------------------------------------------------------------


def test_calibration_counts_what_is_right(index: Index) -> None:
    truth = {f"docs/{topic}{at}.md": topic for topic in TOPICS for at in range(4)}
    assert calibrate(index, LABELS, truth).accuracy == 1
    wrong = truth | {"docs/river0.md": "winter", "docs/both.md": "river"}
    found = calibrate(index, LABELS, wrong)
    right = 7 + (class_of_both(index) == "river")
    assert found.documents == 9
    assert found.accuracy == pytest.approx(right / 9, abs=1e-6)
    assert ("winter", "river", 1) in found.confusions
    assert found.labels["winter"].support == 5
    assert found.labels["winter"].recall == pytest.approx(4 / 5)
    expected = np.mean([found.labels[name].f1 for name in TOPICS])
    assert found.macro_f1 == pytest.approx(expected, abs=1e-6)
    json.dumps(found.as_dict())


def class_of_both(index: Index) -> str:
    classify(index, LABELS)
    return classes(index)["docs/both.md"]["best"]


def test_the_chosen_margin_answers_as_rightly_as_asked(index: Index) -> None:
    truth = {f"docs/{topic}{at}.md": topic for topic in TOPICS for at in range(4)}
    best = class_of_both(index)
    other = next(name for name in TOPICS if name != best)
    found = calibrate(index, LABELS, truth | {"docs/both.md": other}, target=1.0)
    assert found.min_margin is not None
    assert (found.coverage, found.answered_accuracy) == (pytest.approx(8 / 9, abs=1e-6), 1)
    done = classify(index, LABELS, min_margin=found.min_margin)
    assert done.unsure == 1


def test_where_no_margin_is_enough_all_are_unsure(index: Index) -> None:
    wrong = calibrate(index, LABELS, {"docs/river0.md": "winter", "docs/winter0.md": "river"})
    assert (wrong.accuracy, wrong.min_margin) == (0, None)
    done = classify(index, LABELS, min_margin=wrong.min_margin)
    assert (done.unsure, set(done.counts.values())) == (9, {0})
    assert classify_texts(index, ["snow"], LABELS, min_margin=wrong.min_margin)[0].label is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["min_margin", "min_score"])
def test_limits_are_numbers(index: Index, name: str, value: float) -> None:
    limits: dict[str, Any] = {name: value}
    with pytest.raises(InputError, match=f"{name} must be a number"):
        classify(index, LABELS, **limits)
    with pytest.raises(InputError, match=f"{name} must be a number"):
        classify_texts(index, ["snow"], LABELS, **limits)


def test_the_temperature_of_a_model_is_found_again() -> None:
    dice = np.random.default_rng(0)
    near = dice.uniform(0.7, 0.9, (4000, 4)).astype(np.float32)
    chances = probabilities(near, 0.03)
    truth = np.array([dice.choice(4, p=row) for row in chances])
    assert fit_temperature(near, truth) == pytest.approx(0.03, rel=0.15)
    right = chances.argmax(axis=1) == truth
    assert expected_calibration_error(chances.max(axis=1), right) < 0.03
    sharp = probabilities(near, 0.001).max(axis=1)
    assert expected_calibration_error(sharp, right) > 0.2


@pytest.mark.parametrize(
    ("labelled", "words"),
    [
        ({"docs/river0.md": "rivers", "docs/river1.md": "river"}, "no label 'rivers'; did you mean 'river'"),
        ({"docs/river0.md": "river"}, "at least two"),
        ({"docs/river0.md": "river", "docs/rivr.md": "river"}, "docs/rivr.md"),
    ],
)
def test_labelled_documents_that_cannot_be_are_told(index: Index, labelled: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        calibrate(index, LABELS, labelled)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([Label("a")], "at least two"),
        ([Label("a"), Label("a ")], "'a' is there twice"),
        ([Label(""), Label("a")], "no name"),
    ],
)
def test_labels_that_cannot_be_told_apart(index: Index, labels: list[Label], words: str) -> None:
    with pytest.raises(InputError, match=words):
        classify(index, labels)


def test_on_the_command_line(index: Index, declare: Callable[..., Path], tmp_path: Path, run: Run) -> None:
    spec = declare(store={"uri": index.spec.store.uri})
    labels = ("--label", "river=water level flood", "--label", "winter=snow")
    known = [f"docs/{topic}{at}.md,{topic}\n" for topic in TOPICS for at in range(4)]
    (tmp_path / "known.csv").write_text("uri,label\n" + "".join(known), encoding="utf-8")

    def said(*arguments: str | Path) -> tuple[int, str]:
        ran = run("classify", spec, *labels, *arguments)
        return ran.code, ran.out + ran.err

    code, out = said("--labelled", tmp_path / "known.csv", "--column", "topic")
    assert code == 0
    for words in ("accuracy", "1.000 of 8", "macro F1", "unsure", "notes__classes", "column topic"):
        assert words in out
    code, out = said("--text", "snow and sun", "--text", "a flood", "--json")
    assert [each["label"] for each in json.loads(out)["texts"]] == ["winter", "river"]
    code, out = said("--text", "snow and sun")
    assert out.startswith("winter")
    code, out = said("--column", "text")
    assert (code, out) == (2, "relance: the index has a column 'text' of its own; choose another name\n")
    code, out = said("--json", "--filter", 'uri ~ "*river*"')
    assert json.loads(out)["classes"]["total"] == 4
    code, out = said("--filter", "uri ==")
    assert code == 2
    assert "^" in out
    (tmp_path / "wrong.csv").write_text("uri,label\ndocs/river0.md,winter\ndocs/winter0.md,river\n", encoding="utf-8")
    code, out = said("--labelled", tmp_path / "wrong.csv", "--json")
    assert json.loads(out)["classes"]["unsure"] == 9
    code, out = said("--labelled", tmp_path / "wrong.csv", "--min-margin", "0", "--json")
    assert json.loads(out)["classes"]["unsure"] == 0  # who names a margin gets it
    for arguments, words in [
        (["--text", "a", "--where", "no such", "--column", "Bad-Name", "--wait", "-4"],
         "--where and --column and --wait would have no effect with --text"),
        (["--wait", "3"], "--wait would have no effect without --column"),
        (["--target", "0.8"], "--target would have no effect without --labelled"),
        (["--column", "topic", "--wait", "-4"], "must be 0 or more"),
        (["--min-margin", "nan"], "must be a number"),
    ]:  # fmt: skip
        code, out = said(*arguments)
        assert code == 2
        assert words in out
