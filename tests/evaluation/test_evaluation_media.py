"""Questions that images and videos answer: asked of the media, and never mixed with those that texts answer."""

from __future__ import annotations

from typing import Any

import pytest

from relance.errors import ConfigurationError, InputError
from relance.evaluation import compare, evaluate, trade_off
from relance.evaluation.judged import find_judged, offered
from relance.evaluation.tables import comparison_markdown
from relance.index import Index

COLOURS = {"a": "red", "b": "green", "c": "blue", "d": "yellow"}
QUERIES = dict(zip("1234", COLOURS.values(), strict=True))


@pytest.fixture
def index(four_colours: Any) -> Index:
    index = four_colours.index()
    index.ingest()
    return index


def test_pictures_are_asked_for_where_pictures_are_judged(index: Index) -> None:
    qrels = {query: {f"pics/{name}.png": 1} for query, name in zip(QUERIES, COLOURS, strict=True)}
    found = evaluate(index, QUERIES, qrels, mode="dense", k=2)
    assert (found.media, found.missing, found.mrr, found.recall) == (True, 0, 1, 1)
    table = index.table(media=True)
    assert (found.table_version, found.fingerprint) == (table.version, table.name.rpartition("__")[2])
    taken = found.footprint
    assert (taken.model, taken.chunking) == ("dashscope/tongyi-embedding-vision-plus", "media")
    assert taken.dimension == table.schema.field("vector").type.list_size
    assert taken.chunks == table.count_rows("active")
    assert "4 questions, answered by images and videos" in comparison_markdown(compare([found]))


def test_a_picture_is_known_by_each_of_its_places(index: Index, subtests: pytest.Subtests) -> None:
    for name in ("pics/a.png", "m.csv#1", "1", "docs/j.md#../pics/a.png", "../pics/a.png"):
        for mode in ("dense", "hybrid"):
            with subtests.test(name, mode=mode):
                found = evaluate(index, {"q": "red"}, {"q": {name: 1}}, mode=mode, k=1)
                assert (found.recall, found.missing, len(found.answers[0].found)) == (1, 0, 1)


def test_the_same_picture_twice_is_one_document_with_the_better_grade(index: Index) -> None:
    qrels = {"q": {"pics/a.png": 1, "m.csv#1": 3, "pics/b.png": 2}}
    judged = find_judged(index, {"q": "red"}, qrels)
    assert sorted(judged.grades["q"].values()) == [2, 3]
    (answer,) = evaluate(index, {"q": "red"}, qrels, mode="dense", k=4).answers
    assert (len(answer.found), len(set(answer.found)), answer.recall) == (4, 4, 1)


def test_what_shorter_vectors_lose_is_told_of_pictures(index: Index) -> None:
    qrels = {query: {f"pics/{name}.png": 1} for query, name in zip(QUERIES, COLOURS, strict=True)}
    curve = trade_off(index, QUERIES, qrels, dimensions=[64], k=4)
    exact = evaluate(index, QUERIES, qrels, mode="dense", k=4)
    assert (curve.model, curve.steps[0].ndcg) == ("dashscope/tongyi-embedding-vision-plus", pytest.approx(exact.ndcg))
    assert curve.steps[-1].dimension == 64


def test_texts_stay_texts(index: Index) -> None:
    found = evaluate(index, {"q": "calm lake"}, {"q": {"docs/j.md": 1}}, mode="full-text")
    assert (found.media, found.recall, found.footprint.model) == (False, 1, "")
    assert found.table_version == index.table().version


def test_texts_and_media_are_not_mixed(index: Index) -> None:
    with pytest.raises(
        InputError, match=r"question 1 \('red'\) is answered by a text \(docs/j\.md\).*cannot be compared"
    ):
        evaluate(index, QUERIES, {"1": {"docs/j.md": 1, "pics/a.png": 1}})
    with pytest.raises(
        InputError, match=r"question 2 \('green'\) is answered by a text.*question 1 \('red'\) by an im"
    ):
        evaluate(index, QUERIES, {"1": {"pics/a.png": 1}, "2": {"docs/j.md": 1}})


def test_pictures_have_no_terms(index: Index) -> None:
    judged = find_judged(index, QUERIES, {"1": {"pics/a.png": 1, "gone.png": 1}})
    assert judged.missing == ["gone.png"]
    assert sorted(offered(judged, [])) == ["dense", "full-text", "hybrid"]
    with pytest.raises(ConfigurationError, match=r"mode sparse: the media of index .* can be searched by"):
        offered(judged, ["sparse"])


def test_a_declared_section_of_which_nothing_is_indexed_yet_is_no_hindrance(gallery: Any) -> None:
    gallery.write("docs/j.md", "# Journal\n\nThe lake was calm.\n")
    sources = [{"type": "files", "root": str(gallery.folder / "docs")}]
    gallery.index(media=None, sources=sources).ingest()
    declared = gallery.index(sources=sources)
    found = evaluate(declared, {"q": "lake"}, {"q": {"docs/j.md": 1, "pics/a.png": 1}}, mode="full-text")
    assert (found.media, found.missing_documents) == (False, ["pics/a.png"])


def test_an_index_of_media_alone_is_evaluated(gallery: Any) -> None:
    gallery.paint("pics/a.png", "red")
    gallery.paint("pics/b.png", "green")
    index = gallery.index(sources=[{"type": "files", "root": str(gallery.folder / "pics")}])
    index.ingest()
    assert evaluate(index, {"q": "green"}, {"q": {"pics/b.png": 1}}, k=1).recall == 1
