"""What shorter vectors lose: against a plain computation, and against an index made with the shorter dimension."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from relance.errors import InputError
from relance.evaluation import evaluate, ndcg, trade_off
from relance.evaluation.plot import _ticks, trade_off_png
from relance.evaluation.tables import trade_off_markdown
from relance.index import Index

Make = Callable[..., Index]

TOPICS = ["the ferry crosses the river at night", "the gauge tells how high the water is", "the lock lifts boats",
          "herring are salted in barrels", "the mayor answers the telephone", "snow lies on the roof of the mill",
          "the choir sings in the old church", "the bridge was painted green"]  # fmt: skip
QUERIES = {str(n): topic for n, topic in enumerate(TOPICS)}
QRELS = {str(n): {f"docs/{n}.md": 1 + n % 3, f"docs/{(n + 1) % len(TOPICS)}.md": 1} for n in range(len(TOPICS))}


@pytest.fixture
def index(make_index: Make, docs: Path) -> Index:
    """Eight documents of several chunks each, embedded by a model that may be cut."""
    for n, topic in enumerate(TOPICS):
        parts = [f"{topic.capitalize()} {word}, and {word} again." for word in ("often", "today", "never", "perhaps")]
        (docs / f"{n}.md").write_text("\n\n".join(parts), encoding="utf-8")
    index = make_index(embedding={"model": "local/wordllama"}, chunking={"max_tokens": 16})
    index.ingest()
    return index


def test_a_cut_vector_finds_what_an_index_of_that_dimension_finds(
    index: Index, make_index: Make, tmp_path: Path
) -> None:
    curve = trade_off(index, QUERIES, QRELS, k=3)
    assert [step.dimension for step in curve.steps] == [256, 128, 64], "longer ones than there are do not count"
    assert [step.bytes_per_vector for step in curve.steps] == [1024, 512, 256]
    for step in curve.steps:
        model = {"model": "local/wordllama", "dimension": step.dimension}
        other = make_index(
            embedding=model, chunking={"max_tokens": 16}, store={"uri": str(tmp_path / str(step.dimension))}
        )
        other.ingest()
        found = evaluate(other, QUERIES, QRELS, mode="dense", k=3)
        for measure, (low, high) in step.intervals.items():
            assert getattr(step, measure) == pytest.approx(getattr(found, measure), abs=1e-9)
            assert low <= getattr(step, measure) <= high


def test_documents_are_found_across_batches(index: Index) -> None:
    """Three rows at a time, so that documents lie in several batches, against all rows at once by hand."""
    curve = trade_off(index, QUERIES, QRELS, dimensions=[32], k=2, batch_rows=3)
    rows = index.table().to_arrow()
    vectors, uris = np.stack(rows["vector"].to_numpy(zero_copy_only=False)), rows["uri"].to_pylist()
    from relance.evaluation.dimensions import _embed

    asked = _embed(index, index.table(), list(QUERIES.values()))
    for step in curve.steps:
        cut, questions = (each[:, : step.dimension] / np.linalg.norm(each[:, : step.dimension], axis=1, keepdims=True)
                          for each in (vectors, asked))  # fmt: skip
        scores = questions @ cut.T
        rankings = [list(dict.fromkeys(uris[row] for row in np.argsort(-each)))[:2] for each in scores]
        expected = np.mean([ndcg(ranking, QRELS[query], 2) for query, ranking in zip(QUERIES, rankings, strict=True)])
        assert step.ndcg == pytest.approx(expected, abs=1e-9)


def test_the_curve_is_shown_and_says_how_far_to_trust_it(index: Index, make_index: Make) -> None:
    curve = trade_off(index, QUERIES, QRELS, dimensions=[128])
    assert "offers shorter vectors itself" in curve.note
    assert "| 128 | 512 | 0.48 |" in trade_off_markdown(curve)
    assert trade_off_png(curve).startswith(b"\x89PNG")
    assert curve.as_dict()["steps"][1]["dimension"] == 128
    other = make_index(name="hashed", embedding={"model": "fake/hash"})
    other.ingest()
    assert "not known to be trained" in trade_off(other, QUERIES, QRELS).note


def test_labels_of_lengths_that_are_close_do_not_lie_on_each_other() -> None:
    assert _ticks([4608, 4096, 2048, 256]) == ["1,152\n4,608 B", "", "512\n2,048 B", "64\n256 B"]
    assert _ticks([1024]) == ["256\n1,024 B"]


def test_what_cannot_be_cut_is_refused(index: Index) -> None:
    for wrong in ([], [0], [-1]):
        with pytest.raises(InputError, match="at least 1"):
            trade_off(index, QUERIES, QRELS, dimensions=wrong)
