"""Trying to get around permissions: nothing that a reader can ask tells of what is hidden from this reader."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import relance
from relance.analysis.anomalies import check_texts, find_anomalies
from relance.analysis.classify import classify
from relance.analysis.cluster import cluster, cluster_again, read_clusters
from relance.analysis.duplicates import find_duplicates
from relance.analysis.labels import Label
from relance.analysis.map_page import map_page
from relance.analysis.points import count_points, describe_points, read_points, stream_points
from relance.analysis.recommend import Liked, recommend
from relance.analysis.results import read_results
from relance.config import IndexSpec
from relance.documents import document_id
from relance.errors import InputError, RelanceError
from relance.evaluation import evaluate
from relance.index import Index

SECRET = "Xanthippe"  # stands in everything of what is hidden: name, title, heading, text and metadata
HIDDEN = [f"{name}/{SECRET}{n}.md" for name in ("secret",) for n in range(6)]
SHOWN = [f"open/note{n}.md" for n in range(8)]

TRICKS = [
    "true", "1=1", "1=1 OR 1=1", "1=1) OR (1=1", "1=1) OR (1=1) --", "1=1 --", "1=1 /*", "1=1 -- \n", "id='x') OR (active",
    "access IS NOT NULL", "array_has(access, 'group:owners')", "access IS NULL OR access IS NOT NULL", "title = title",
    "1=1; SELECT 1", "id IN (SELECT id FROM t)", "CAST(title AS INT) > 0", "arrow_cast(title, 'Int64') > 0",
    "1 / (length(title) - 14) >= 0", "json_get_int(metadata, 'keeper') > 0", f"title LIKE '%{SECRET}%'",
    "`access` IS NOT NULL", "ACCESS IS NOT NULL", "true) OR (uri LIKE 'secret%'", "E'\\'' = 'x' OR 1=1",
]  # fmt: skip
FILTERS = [
    f'title ~ "*{SECRET}*"', 'uri ~ "secret/*" or uri ~ "open/*"', "not uri = 'x'", "not (uri = 'x' and uri = 'y')",
    "exists access", "access = 'group:owners'", "meta.access = 'group:owners'", "exists meta.readers",
    "readers = 'group:owners'", "principals = 'group:owners'", f"keeper = '{SECRET}'", "exists keeper",
    "uri = 'x'') OR (1=1' or uri = 'y'", "exists uri or exists meta.keeper", "not exists nothing", "length > 0",
    "meta.\"a') OR (1=1\" = 'x'", "access != 'x'", "not access = 'x'", "access in ('*', 'group:owners')",
]  # fmt: skip


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("bypass")
    for place in (*HIDDEN, *SHOWN):
        (folder / place).parent.mkdir(exist_ok=True)
    for n, place in enumerate(HIDDEN):
        (folder / place).write_text(
            f"---\nreaders: ['group:owners']\nkeeper: {SECRET}\ntitle: {SECRET} plan {n}\n---\n# {SECRET} {n}\n\n"
            f"The ferry of {SECRET} leaves at night, part {n}.\n\n## More of {SECRET}\n\nNobody knows {SECRET} {n}.\n"
        )
    for n, place in enumerate(SHOWN):
        (folder / place).write_text(f"---\nyear: {2000 + n}\n---\n# Note {n}\n\nThe ferry leaves at {n} o'clock.\n")
    (folder / "secret/broken.md").write_text("---\nreaders: 7\n---\n# Broken\n\n" + f"A ferry of {SECRET}.\n")
    declared = {
        "name": "ferry",
        "sources": [
            {"type": "files", "root": "secret", "access": {"field": "readers"}},
            {"type": "files", "root": "open"},
        ],
        "chunking": {"strategy": "markdown", "max_tokens": 32},
        "embedding": {"model": "fake/hash", "output_type": "dense&sparse"},
        "store": {"uri": "db"},
        "folder": folder,
    }
    index = Index(IndexSpec.model_validate(declared))
    index.ingest()
    assert len(index.search(SECRET, k=100, principals=relance.OWNER, mode="full-text")) > len(HIDDEN)
    return index


def innocent(*told: Any) -> None:
    """Fail where anything of what is hidden is told."""
    for each in told:
        assert SECRET.lower() not in json.dumps(each, default=str, ensure_ascii=False).lower()


@pytest.mark.parametrize("where", TRICKS)
@pytest.mark.parametrize("ask", ["search", "both", "points", "recommend", "cluster", "count"])
def test_a_condition_in_sql_is_refused_to_who_may_not_see_everything(index: Index, where: str, ask: str) -> None:
    asked: dict[str, Callable[[], Any]] = {
        "search": lambda: index.search("ferry", where=where),
        "both": lambda: index.search("ferry", where=where, filter="year > 1", group=True, mode="sparse"),
        "points": lambda: read_points(index, level="chunks", where=where),
        "recommend": lambda: recommend(index, [Liked(uri=SHOWN[0])], where=where),
        "cluster": lambda: cluster(index, where=where, k=2, projection=None),
        "count": lambda: count_points(index, where=where),
    }
    with pytest.raises(InputError, match="where takes SQL") as told:
        asked[ask]()
    innocent(str(told.value))


def test_the_owner_asks_in_sql(index: Index) -> None:
    found = index.search("ferry", k=100, where=f"title LIKE '%{SECRET}%'", principals=relance.OWNER)
    assert {hit.uri for hit in found} == set(HIDDEN)


@pytest.mark.parametrize("text", FILTERS)
@pytest.mark.parametrize("mode", ["dense", "full-text", "sparse", "hybrid"])
def test_no_filter_widens_what_is_seen(index: Index, text: str, mode: Any) -> None:
    ways: list[dict[str, Any]] = [{}, {"group": True}, {"offset": 2}, {"explain": True}]
    for asked in ways:
        try:
            hits = index.search("ferry", k=50, mode=mode, filter=text, **asked)
        except RelanceError as error:
            innocent(str(error).replace(text, ""))
            continue
        innocent(hits.to_list())
        assert {hit.uri for hit in hits} <= set(SHOWN)


words = st.sampled_from(["uri", "access", "year", "meta.readers", "meta.access", "title", "exists", "not", "and", "or", "(", ")",
                         "=", "!=", "~", "'*'", "'group:owners'", "2000", "in", ",", "--", "/*", ";", "''", '"', "true"])  # fmt: skip


@given(st.lists(words, min_size=1, max_size=9).map(" ".join))
@settings(max_examples=150)
def test_no_filter_that_is_put_together_by_chance_widens_it(index: Index, text: str) -> None:
    try:
        hits = index.search("ferry", k=50, filter=text, mode="full-text")
    except RelanceError as error:
        innocent(str(error))
        return
    assert {hit.uri for hit in hits} <= set(SHOWN)


@pytest.mark.parametrize("query", [SECRET, f"{SECRET} plan", "readers group:owners", "night"])
def test_words_that_only_hidden_documents_have_find_nothing_of_them(index: Index, query: str) -> None:
    for mode in ("dense", "full-text", "sparse", "hybrid"):
        ways: list[dict[str, Any]] = [{}, {"group": True}, {"rerank": "lancedb/mrr"} if mode == "hybrid" else {}]
        for asked in ways:
            hits = index.search(query, k=100, mode=mode, explain=True, **asked)
            assert {hit.uri for hit in hits} <= set(SHOWN)
            assert {each.uri for hit in hits for each in hit.chunks} <= set(SHOWN)
            assert not hits.more
            innocent(hits.to_list())


@pytest.mark.parametrize("uri", [*HIDDEN[:2], f"secret/{SECRET}", "secret/broken.md"])
def test_what_is_like_a_hidden_document_is_told_as_of_one_that_is_not_there(index: Index, uri: str) -> None:
    with pytest.raises(InputError) as told:
        index.search(like=uri)
    innocent(str(told.value).replace(uri, ""))


def test_names_that_are_nearly_right_are_not_completed(index: Index) -> None:
    for asked in (lambda: index.search(like="secret/xanthipe1.md"), lambda: read_points(index, uris=["secret/xanthipe1"]),
                  lambda: recommend(index, [Liked(uri="secret/xanthipe1.md")])):  # fmt: skip
        with pytest.raises(InputError) as told:
            asked()
        innocent(str(told.value))


def test_recommendations_know_nothing_of_hidden_documents(index: Index) -> None:
    found = recommend(index, [Liked(uri=SHOWN[0]), *(Liked(uri=uri, weight=5) for uri in HIDDEN)], k=50)
    assert found.unknown == HIDDEN
    assert found.liked == 1
    assert {item.uri for item in found.items} <= set(SHOWN)
    innocent(found.hints, [item.because for item in found.items])
    with pytest.raises(InputError):
        recommend(index, [Liked(uri=HIDDEN[0])])


def test_points_are_those_of_what_is_seen(index: Index) -> None:
    everything = read_points(index.for_principals(relance.OWNER), level="chunks")
    hidden = [name for name, uri in zip(everything.ids, everything.uris, strict=True) if uri in HIDDEN]
    assert hidden
    assert set(read_points(index, level="chunks").uris) == set(SHOWN)
    assert set(read_points(index, level="documents", sample=50).uris) == set(SHOWN)
    assert {uri for points in stream_points(index) for uri in points.uris} == set(SHOWN)
    assert count_points(index) == len(SHOWN)
    assert describe_points(index, "chunks", hidden) == {}
    assert describe_points(index, "documents", [document_id(uri) for uri in HIDDEN]) == {}


@pytest.fixture
def analyses(index: Index) -> Iterator[dict[str, Any]]:
    """What is found out about an index, by kind; the tables of results are gone after that."""
    labels = [Label("night", "at night"), Label("day", "at noon")]
    yield {
        "clusters": lambda of: cluster(of, k=2, projection="pca").as_dict(points=True),
        "classes": lambda of: classify(of, labels).as_dict(),
        "anomalies": lambda of: find_anomalies(of, tolerance=0.01).as_dict(),
        "duplicates": lambda of: find_duplicates(of, similarity=0.01, overlap=0.0).as_dict(),
        "texts": lambda of: [each.reason for each in check_texts(of, ["a ferry"], tolerance=0.01)],
    }
    db = index._store.db
    for name in db.list_tables().tables:
        if name.rpartition("__")[2] in {"clusters", "classes", "anomalies", "duplicates"}:
            db.drop_table(name)


@pytest.mark.parametrize("kind", ["clusters", "classes", "anomalies", "duplicates", "texts"])
def test_analyses_and_their_tables_know_nothing_of_hidden_documents(
    index: Index, analyses: dict[str, Any], kind: str
) -> None:
    pytest.importorskip("sklearn")
    innocent(analyses[kind](index))
    if kind != "texts":
        rows = read_results(index, kind)
        assert rows is not None
        innocent(rows.to_pylist(), str(rows.schema.metadata))
        analyses[kind](index.for_principals(relance.OWNER))
        assert SECRET in json.dumps(read_results(index.for_principals(relance.OWNER), kind).to_pylist())
        assert read_results(index, kind) is None, "what the owner found out is for the owner"
        assert read_results(index.for_principals(["group:others"]), kind) is None


def test_a_map_of_what_the_owner_sees_is_not_shown_and_drawn_anew(index: Index, analyses: dict[str, Any]) -> None:
    pytest.importorskip("sklearn")
    analyses["clusters"](index.for_principals(relance.OWNER))
    assert read_clusters(index) is None
    found = cluster(index, k=2, projection="pca", filter="year >= 2000")
    innocent(map_page(index, found))
    last = read_clusters(index)
    assert last is not None
    innocent(map_page(index, cluster_again(index, last)))


def test_a_map_of_what_others_see_is_drawn_anew_for_who_sees_more(index: Index, analyses: dict[str, Any]) -> None:
    pytest.importorskip("sklearn")
    analyses["clusters"](index)
    owner = index.for_principals(relance.OWNER)
    found = read_clusters(owner)
    assert found is not None
    assert found.is_current(index)
    assert not found.is_current(owner)
    assert cluster_again(owner, found).is_current(owner)


def test_an_evaluation_asks_as_its_reader(index: Index) -> None:
    queries = {"a": "ferry o'clock", "b": SECRET}
    qrels = {"a": {SHOWN[1]: 1}, "b": {HIDDEN[0]: 1}}
    found = evaluate(index, queries, qrels, k=50)
    assert {uri for answer in found.answers for uri in answer.found} <= set(SHOWN)
    assert found.missing_documents == [HIDDEN[0]]
    owner = evaluate(index.for_principals(relance.OWNER), queries, qrels, k=50)
    assert owner.missing == 0
    assert owner.recall > found.recall
    assert owner.footprint.chunks > found.footprint.chunks


def test_a_question_that_the_owner_asked_before_answers_nobody_else(index: Index) -> None:
    with index as opened:
        assert {hit.uri for hit in opened.search("night ferry", k=100, principals=relance.OWNER)} > set(SHOWN)
        again = opened.search("night ferry", k=100, explain=True)
        assert {hit.uri for hit in again} == set(SHOWN)
        innocent(again.explanation.as_dict() if again.explanation else None)


def test_the_table_of_a_reader_has_no_way_past(index: Index) -> None:
    visible = index.visible()
    for name in (
        "to_arrow",
        "to_pandas",
        "to_batches",
        "to_lance",
        "to_polars",
        "head",
        "query",
        "delete",
        "update",
        "add",
    ):
        with pytest.raises(AttributeError, match="would not look who reads"):
            getattr(visible, name)


def test_what_was_revoked_is_gone_for_the_next_search_and_nothing_is_embedded(
    make_index: Callable[..., Index], docs: Path, log: Callable[[], list[str]]
) -> None:
    def write(readers: str) -> None:
        (docs / "a.md").write_text(f"---\nreaders: {readers}\n---\n# A\n\nThe ferry.\n", encoding="utf-8")

    write("[ada, bob]")
    index = make_index(sources=[{"type": "files", "root": str(docs), "access": {"field": "readers"}}])
    index.ingest()
    count = len(log())
    with index as opened:
        assert opened.search("ferry", principals=["ada"], mode="full-text")
        write("[bob]")
        assert index.ingest().changed == 1
        assert not opened.search("ferry", principals=["ada"], mode="full-text")
        assert opened.search("ferry", principals=["bob"], mode="full-text")
        write("['*']")
        index.ingest()
        assert opened.search("ferry", mode="full-text")
    assert len(log()) == count
