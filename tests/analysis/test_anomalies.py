"""Anomalies: what is far from normal comes first, what is normal is left alone, and it says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from command_line import Run
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from relance.analysis.anomalies import check_texts, find_anomalies
from relance.analysis.points import Points, unit
from relance.analysis.results import read_results
from relance.errors import ConfigurationError, InputError
from relance.index import Index
from relance.pipeline.normal import Method, Normal, threshold_of

METHODS = ["centroid", "knn", "lof"]
STRANGE = "asdf qwer zxcv poiu lkjh mnbv"
WORDS = "river gauge water level flood basin lock mayor alarm station rain tide weir staff boat".split()


def sentence(dice: np.random.Generator) -> str:
    return " ".join(dice.choice(WORDS, 8, replace=False))


@pytest.fixture
def index(make_index: Callable[..., Index], docs: Path) -> Index:
    """Forty documents in the same words, and one in others."""
    dice = np.random.default_rng(0)
    for at in range(40):
        (docs / f"normal{at:02}.md").write_text(sentence(dice), encoding="utf-8")
    (docs / "strange.md").write_text(STRANGE, encoding="utf-8")
    index = make_index()
    index.ingest()
    return index


@pytest.mark.parametrize("method", get_args(Method))
def test_the_strange_one_is_found_and_told(index: Index, method: Method) -> None:
    found = find_anomalies(index, method=method)
    assert found.method == ("knn" if method == "auto" else method)
    assert (found.scored, found.reference) == (41, 41)
    assert found.count == len(found.found)
    first = found.found[0]
    assert (first.uri, first.text, first.anomalous) == ("docs/strange.md", STRANGE, True)
    assert first.score > found.threshold > found.median
    assert [each.uri[:11] for each in first.nearest] == ["docs/normal"] * 3
    assert first.nearest[0].similarity >= first.nearest[-1].similarity
    assert first.reason.startswith(f"{first.score:.3f} is over {found.threshold:.3f}")
    assert found.count <= 3
    json.dumps(found.as_dict())


def test_the_score_of_every_document_is_in_the_table(index: Index) -> None:
    found = find_anomalies(index, limit=0)
    assert (found.found, found.count) == ([], 1)
    rows = read_results(index, "anomalies").to_pylist()
    assert len(rows) == 41
    assert (rows[0]["uri"], rows[0]["anomalous"]) == ("docs/strange.md", True)
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)


def test_texts_that_are_not_in_the_index(index: Index) -> None:
    usual, strange = check_texts(index, [sentence(np.random.default_rng(99)), "qwertz uiop asdfgh"])
    assert (usual.anomalous, strange.anomalous) == (False, True)
    assert "is within" in usual.reason
    assert strange.text == "qwertz uiop asdfgh"


def test_a_document_is_not_its_own_neighbour(index: Index) -> None:
    """In the index or beside it, the same text is as strange."""
    [as_text] = check_texts(index, [STRANGE], where="uri != 'docs/strange.md'")
    found = find_anomalies(index).found[0]
    assert found.score == pytest.approx(as_text.score, abs=1e-5)


def test_a_sample_of_the_index_tells_the_same(index: Index) -> None:
    found = find_anomalies(index, sample=20)
    assert (found.scored, found.reference) == (41, 20)
    assert "docs/strange.md" in [each.uri for each in found.found]


def test_a_reference_within_the_index(index: Index) -> None:
    found = find_anomalies(index, where="uri >= 'docs/normal38.md'", reference_where="uri < 'docs/normal38.md'")
    assert (found.scored, found.reference, found.count) == (3, 38, 1)


def test_another_index_says_what_is_normal(index: Index, make_index: Callable[..., Index], tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    for name, text in [("a", sentence(np.random.default_rng(7))), ("b", "snow heater sun battery cold ice")]:
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    other = make_index(name="other", sources=[{"type": "files", "root": str(folder)}])
    other.ingest()
    found = find_anomalies(other, reference=index)
    assert (found.scored, found.reference, found.index, found.table) == (2, 41, "other", "other__anomalies")
    assert [each.uri for each in found.found] == ["other/b.md"]


def test_indexes_of_two_models_cannot_be_compared(index: Index, make_index: Callable[..., Index]) -> None:
    other = make_index(name="other", embedding={"model": "fake/hash", "dimension": 32})
    other.ingest()
    with pytest.raises(ConfigurationError, match="different models"):
        find_anomalies(other, reference=index)


def test_two_kinds_of_normal(make_index: Callable[..., Index], docs: Path) -> None:
    """Between two crowds is no normal place, although it is the centre."""
    for kind in ("river water level flood gauge", "snow heater sun battery cold"):
        for at in range(20):
            (docs / f"{kind[:4]}{at}.md").write_text(f"{kind} {kind} word{at}", encoding="utf-8")
    (docs / "between.md").write_text("river water snow heater", encoding="utf-8")
    index = make_index()
    index.ingest()
    assert [each.uri for each in find_anomalies(index, method="knn").found] == ["docs/between.md"]
    assert "docs/between.md" not in [each.uri for each in find_anomalies(index, method="centroid").found]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"neighbours": 0}, "must be more than 0"),
        ({"tolerance": 0}, "must be more than 0"),
        ({"tolerance": float("inf")}, "finite"),
        ({"tolerance": float("nan")}, "finite"),
        ({"sample": 0}, "at least one"),
        ({"sample": 3}, "too few"),
        ({"limit": -1}, "0 or more"),
        ({"reference_where": "false"}, "0 documents are too few"),
        ({"where": "nope = 1"}, "not understood"),
    ],
)
def test_wrong_options_are_one_sentence(index: Index, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        find_anomalies(index, **options)


# -- what is normal --------------------------------------------------------------------------------------------------


def points(vectors: np.ndarray) -> Points:
    names = [str(at) for at in range(len(vectors))]
    return Points("documents", "t", 1, names, names, unit(vectors.astype(np.float32)))


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_those_of_each_point_left_out(method: Any) -> None:
    crowd = points(np.random.default_rng(0).standard_normal((30, 8)) + 2)
    normal = Normal(crowd, method=method)
    assert np.allclose(normal.score(crowd.vectors, crowd.ids), normal.scores)
    if method == "knn":
        rest = [Normal(points(np.delete(crowd.vectors, at, 0)), method=method) for at in range(30)]
        alone = [rest[at].score(crowd.vectors[at : at + 1], ["?"])[0] for at in range(30)]
        assert np.allclose(alone, normal.scores, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_blocks_make_no_difference(method: Any) -> None:
    dice = np.random.default_rng(1)
    crowd, others = points(dice.standard_normal((40, 6)) + 1), unit(dice.standard_normal((25, 6)).astype(np.float32))
    whole = Normal(crowd, method=method)
    names = ["?"] * 25
    expected = whole.score(others, names), whole.nearest(others, names)
    parts = Normal(crowd, method=method, block=7)
    assert parts.threshold == pytest.approx(whole.threshold, abs=1e-6)
    assert np.allclose(parts.score(others, names), expected[0], atol=1e-6)
    assert [[at for at, _ in each] for each in parts.nearest(others, names)] == [
        [at for at, _ in each] for each in expected[1]
    ]


@given(arrays(np.float32, st.integers(4, 60), elements=st.floats(0, 2, width=16)), st.floats(0.1, 10))
def test_the_threshold_is_over_the_median_and_strangers_hardly_move_it(scores: np.ndarray, tolerance: float) -> None:
    median, threshold = threshold_of(scores, tolerance)
    assert threshold > median == np.median(scores)
    strangers = np.concatenate([scores, np.full(len(scores) // 3, 1e6, np.float32)])
    assert threshold_of(strangers, tolerance)[0] <= scores.max()


@given(arrays(np.float32, st.integers(20, 60), elements=st.floats(0, 2, width=16)))
def test_what_is_farther_than_all_of_a_normal_set_is_an_anomaly(scores: np.ndarray) -> None:
    _, threshold = threshold_of(scores, 3.5)
    assert threshold <= scores.max() + 2e-6


def test_a_set_about_many_things_has_strangers_too() -> None:
    close = np.linspace(0.95, 0.2, 20)  # twenty things, two documents about each, the more unlike the further on
    first, second = np.eye(41)[:20], np.eye(41)[20:40]
    crowd = points(np.concatenate([first, close[:, None] * first + np.sqrt(1 - close[:, None] ** 2) * second]))
    normal = Normal(crowd, neighbours=1)
    deviation = 1.4826 * np.median(np.abs(normal.scores - np.median(normal.scores)))
    assert np.median(normal.scores) + 3.5 * deviation > 1  # farther than what has nothing in common with any of them
    assert normal.score(np.eye(41, dtype=np.float32)[40:], ["?"])[0] == pytest.approx(1)
    assert normal.threshold < 1
    assert not (normal.scores > normal.threshold).any()


def test_copies_of_one_text_have_no_spread_of_their_own() -> None:
    same = points(np.tile([1.0, 2.0, 3.0], (10, 1)))
    normal = Normal(same)
    assert not (normal.scores > normal.threshold).any()
    assert normal.score(unit(np.array([[1.0, 2.0, 3.3]], np.float32)), ["?"])[0] > normal.threshold


def test_on_the_command_line(index: Index, declare: Callable[..., Path], run: Run) -> None:
    spec = declare(store={"uri": index.spec.store.uri})

    def said(*arguments: str | Path) -> tuple[int, str]:
        ran = run("anomalies", spec, *arguments)
        return ran.code, ran.out + ran.err

    code, out = said()
    assert code == 0
    for words in ("1. docs/strange.md", "nearest: docs/normal", "1 of 41 documents are over", "notes__anomalies"):
        assert words in out
    code, out = said("--text", "qwertz uiop", "--reference-where", "uri < 'docs/o'")
    assert (code, "anomaly" in out) == (0, True)
    itself = run("anomalies", spec, "--json", "--reference", spec).json
    assert itself == run("anomalies", spec, "--json").json  # an index compared with itself in so many words
    code, out = said("--text", "a", "--reference", spec)
    assert code == 2
    assert "name that one instead" in out
    code, out = said("--text", "a", "--where", "nonsense = = 3")
    assert code == 2
    assert "--where would have no effect with --text" in out
    code, out = said("--text", "a", "--limit", "3")
    assert code == 2
    assert "--limit would have no effect with --text" in out
    assert len(run("anomalies", spec, "--tolerance", "0.01", "--limit", "3", "--json").json["found"]) == 3
    some = 'uri ~ "docs/normal*"'
    told = run("anomalies", spec, "--json", "--filter", some, "--reference-filter", some).json
    assert (told["scored"], told["reference"]) == (40, 40)
