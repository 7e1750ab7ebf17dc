"""Asking an index: the right chunk comes first, and no question, however odd, makes it fall over."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from by_hand import by_hand
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relance.errors import ConfigurationError, InputError
from relance.index import Index
from relance.search import MAX_HITS, Mode
from relance.search.query_encoder import embed_question
from relance.store import open_store
from relance.store.index_tables import IndexTables
from relance.store.maintain import maintain
from relance.store.maintenance import MaintenanceLimits

Make = Callable[..., Index]
MODES = list(get_args(Mode))
each_mode = pytest.mark.parametrize("mode", MODES)

NOTES = {
    "gauges": "A river gauge measures the water level every ten minutes.",
    "antennas": "The antenna is aligned with the geostationary satellite by hand.",
    "batteries": "In winter the battery lasts six weeks without sun.",
    "传感器": "传感器安装在桥墩上，每小时上传一次数据。",
    "维护": "洪水之后必须清洗过滤网并检查电缆。",
}


# An index that can be searched in every mode.
BOTH = {"model": "fake/hash", "output_type": "dense&sparse"}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """An index of five notes and twenty rows that no test changes."""
    from relance.config import IndexSpec

    folder = tmp_path_factory.mktemp("notes")
    for name, text in NOTES.items():
        path = folder / "docs" / f"{name}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# {name}\n\n{text}\n", encoding="utf-8")
    lines = [
        {"id": i, "text": f"Reading {i} of the ferry landing.", "year": 2000 + i, "place": "harbour" if i % 2 else "weir",
         "depth": i / 4, "dry": i == 0}
        for i in range(20)
    ]  # fmt: skip
    (folder / "docs/readings.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    declared = {
        "name": "notes",
        "sources": [{"type": "files", "root": "docs", "rows": {"metadata": ["year", "place", "depth", "dry"]}}],
        "embedding": BOTH,
        "store": {"uri": "db"},
        "folder": folder,
    }
    index = Index(IndexSpec.model_validate(declared))
    index.ingest()
    return index


@each_mode
@pytest.mark.parametrize(
    ("question", "uri"),
    [
        ("how often is the water level measured", "gauges"),
        ("BATTERY in WINTER", "batteries"),
        ("satellite antenna", "antennas"),
        ("传感器 多久上传一次数据", "传感器"),
        ("洪水之后检查电缆", "维护"),
    ],
)
def test_the_expected_chunk_comes_first(notes: Index, mode: Mode, question: str, uri: str) -> None:
    hit = notes.search(question, k=3, mode=mode)[0]
    assert hit.uri == f"docs/{uri}.md"
    text = (notes.spec.folder / hit.uri).read_text(encoding="utf-8")
    assert text[hit.start : hit.end] == hit.text
    assert (hit.title, hit.heading_path, hit.media_type, hit.seq) == (uri, [uri], "text/markdown", 0)


@each_mode
def test_scores_fall_and_a_vector_score_is_the_cosine(notes: Index, mode: Mode) -> None:
    hits = notes.search("reading of the ferry", k=25, mode=mode)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert len({hit.uri for hit in hits}) == len(hits), "nothing comes twice"
    if mode == "dense":
        assert len(hits) == 25
        assert all(-1.000001 <= score <= 1.000001 for score in scores)


@each_mode
@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("json_get_int(metadata, 'year') > 2016", {17, 18, 19}),
        ("json_get_string(metadata, 'place') = 'weir' AND json_get_int(metadata, 'year') < 2004", {0, 2}),
        ("json_get_float(metadata, 'depth') BETWEEN 1.0 AND 1.5", {4, 5, 6}),
        ("json_get_bool(metadata, 'dry')", {0}),
        ("uri IN ('docs/readings.jsonl#7', 'docs/readings.jsonl#8')", {7, 8}),
        ("uri LIKE 'docs/readings.jsonl#1%' AND text LIKE '%Reading 1 of%'", {1}),
        ("json_get_int(metadata, 'nothing') = 1", set()),
    ],
)
def test_a_condition_holds_for_every_hit_and_hides_none(notes: Index, mode: Mode, where: str, ids: set[int]) -> None:
    hits = notes.search("reading of the ferry landing", k=5, mode=mode, where=where)
    assert {hit.uri for hit in hits} == {f"docs/readings.jsonl#{i}" for i in ids}
    assert all(hit.metadata["year"] == 2000 + int(hit.uri.partition("#")[2]) for hit in hits)


@pytest.mark.parametrize(
    "where",
    ["uri =", "colour = 'red'", "uri", "1", "'unclosed", "seq / 0 = 1", "; DROP TABLE notes", "regexp_like(text, '(')"],
)
def test_a_wrong_condition_is_one_plain_error(notes: Index, where: str) -> None:
    for mode in MODES:
        with pytest.raises(InputError, match="the condition is not understood") as caught:
            notes.search("ferry", mode=mode, where=where)
        message = str(caught.value)
        assert "columns: " in message
        assert ".cargo" not in message
        assert "\n" not in message


NASTY = [
    "'", '"', '"unclosed', "'; DROP TABLE notes; --", "a AND", "OR", "NOT ferry", "ferry AND (landing", "ferry^3~",
    '+-&&||!(){}[]^"~*?:\\/', "*", "?", "%", "_", "text:ferry", "🦀", "👩‍👩‍👧‍👦", "...", "。，！？", "\x00", "a\x00b",
    "\ud83d", "ferry \udcff", "\u200b", "\ufeff", "the", "的", "x" * 10_000, "ferry " * 1_600, "🦀" * 10_000, "\t ferry\n",
]  # fmt: skip


@pytest.mark.parametrize("question", NASTY, ids=lambda text: ascii(text[:12]))
def test_no_question_makes_it_fall_over(notes: Index, question: str) -> None:
    assert len(notes.search(question, k=3, mode="full-text")) <= 3
    assert len(notes.search(question, k=3, mode="hybrid")) == 3, "by meaning, something is always nearest"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=st.text(st.characters(), min_size=1, max_size=60).filter(str.strip))
def test_any_text_at_all_is_a_question(notes: Index, question: str) -> None:
    assert len(notes.search(question, k=2)) >= 1


@each_mode
def test_words_of_a_query_language_are_words(notes: Index, mode: Mode) -> None:
    assert notes.search("battery AND NOT winter OR (", k=1, mode=mode)[0].uri == "docs/batteries.md"


@each_mode
@pytest.mark.parametrize("question", ["", " ", "\n\t", "\u3000"])
def test_an_empty_question_is_refused(notes: Index, mode: Mode, question: str) -> None:
    with pytest.raises(InputError, match="empty"):
        notes.search(question, mode=mode)


@each_mode
def test_k_may_exceed_the_table_and_must_be_sensible(notes: Index, mode: Mode) -> None:
    assert len(notes.search("ferry", k=MAX_HITS, mode=mode)) <= 25
    if mode == "dense":
        assert len(notes.search("ferry", k=MAX_HITS, mode=mode)) == 25
    for k in (0, -1, MAX_HITS + 1, 2**70):
        with pytest.raises(InputError, match="k must be between"):
            notes.search("ferry", k=k, mode=mode)


@each_mode
def test_an_index_that_was_never_ingested_says_what_to_do(make_index: Make, mode: Mode) -> None:
    with pytest.raises(ConfigurationError, match="relance ingest"):
        make_index().search("ferry", mode=mode)


@pytest.mark.parametrize("mode", ["hybrid"])
def test_an_empty_index_has_no_hits(make_index: Make, docs: Path, mode: Mode) -> None:
    index = make_index(embedding=BOTH)
    index.ingest()
    assert index.search("ferry", mode=mode) == []
    (docs / "a.md").write_text("A ferry.", encoding="utf-8")
    index.ingest()
    assert len(index.search("ferry", mode=mode)) == 1
    (docs / "a.md").unlink()
    index.ingest(approved=True)
    assert index.search("ferry", mode=mode) == []


def test_a_deleted_document_is_never_found_again(make_index: Make, docs: Path) -> None:
    for i in range(12):
        (docs / f"{i}.md").write_text(f"# Note {i}\n\nThe ferry leaves at {i} o'clock.\n", encoding="utf-8")
    index = make_index(embedding=BOTH)
    index.ingest()
    for i in range(0, 12, 2):
        (docs / f"{i}.md").unlink()
    index.ingest()
    left = {f"docs/{i}.md" for i in range(1, 12, 2)}
    for mode in MODES:
        assert {hit.uri for hit in index.search("when does the ferry leave", k=50, mode=mode)} == left


@pytest.mark.parametrize("mode", ["dense", "full-text"])
@pytest.mark.parametrize("where", [None, "uri IS NULL OR uri LIKE 'docs/%'"])
def test_tombstones_are_never_hits(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode, where: str | None
) -> None:
    """Between the commit that replaces a document and the sweep at the end of the run."""
    from relance.store.chunks import ChunkTable

    path = docs / "long.md"
    path.write_text("\n\n".join(f"# Part {i}\n\nThe ferry of part {i}.\n" for i in range(8)), encoding="utf-8")
    index = make_index(chunking={"max_tokens": 16}, embedding=BOTH)
    index.ingest()
    monkeypatch.setattr(ChunkTable, "sweep", lambda _: None)
    path.write_text("# Part 0\n\nThe ferry of part 0.\n", encoding="utf-8")
    index.ingest()
    assert index.table().count_rows("active = false") > 0, "there are some to stumble over"
    hits = index.search("ferry part", k=50, mode=mode, where=where)
    assert [hit.text for hit in hits] == ["# Part 0\n\nThe ferry of part 0."]
    assert index.status().chunks == 1


@pytest.fixture
def many(make_index: Make, docs: Path) -> Index:
    """An index of 900 rows with a vector index."""
    rng = np.random.default_rng(0)
    words = [f"word{i}" for i in range(60)]
    lines = [{"id": i, "text": " ".join(rng.choice(words, 12)) + f" number{i}"} for i in range(900)]
    (docs / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    index = make_index(sources=[{"type": "files", "root": str(docs), "rows": {}}], embedding=BOTH)
    index.ingest()
    maintain(index.spec, open_store(index.spec), limits=MaintenanceLimits(vector_index_rows=300))
    return index


def test_the_vector_index_finds_what_an_exact_search_finds(many: Index) -> None:
    assert {"words_idx", "vector_idx"} <= set(many.status().indexes)
    table: Any = many.table()
    k, found = 10, 0
    rng = np.random.default_rng(1)
    questions = [" ".join(f"word{i}" for i in rng.integers(0, 60, 6)) for _ in range(40)]
    for question in questions:
        vector, _ = embed_question(many.spec, table, question)
        exact = table.search(vector).distance_type("cosine").bypass_vector_index().limit(k).to_list()
        found += len({row["uri"] for row in exact} & {hit.uri for hit in many.search(question, k=k, mode="dense")})
    assert found / (k * len(questions)) >= 0.95


@pytest.mark.long
def test_a_hybrid_search_that_compares_some_candidates_finds_what_exact_lists_give(many: Index) -> None:
    """Beyond the first 300, a dense list to be merged stands where the vector index estimates it."""
    embedding = many.spec.embedding.model_copy(update={"output_type": "dense"})
    dense = many.spec.model_copy(update={"name": "dense", "embedding": embedding})
    index = Index(dense)
    index.ingest()
    rng = np.random.default_rng(2)
    questions = [" ".join(f"word{i}" for i in rng.integers(0, 60, 4)) for _ in range(30)]
    exact = {question: [hit.uri for hit in index.search(question)] for question in questions}
    maintain(dense, open_store(dense), limits=MaintenanceLimits(vector_index_rows=300))
    found = {question: index.search(question, explain=True) for question in questions}
    assert found[questions[0]].explanation.indexes["dense"] != "exact"  # type: ignore[union-attr]
    same = [len({hit.uri for hit in found[question]} & set(exact[question])) / 10 for question in questions]
    assert np.mean(same) >= 0.93, "vectors of 64 numbers, by one bit of each"
    table: Any = index.table()
    for hit in found[questions[0]]:
        vector, _ = embed_question(dense, table, questions[0])
        row = table.search(vector).distance_type("cosine").bypass_vector_index().where(f"id = '{hit.id}'").to_list()[0]
        assert hit.explained is not None
        assert hit.explained.cosine is None or hit.explained.cosine == pytest.approx(1 - row["_distance"], abs=0.1)
    assert index.search(questions[0], filter="meta.nothing = 1") == []
    assert len(index.search(questions[0], k=900)) == 900
    assert [hit.id for hit in index.search(questions[0], k=400)[:10]] == [hit.id for hit in found[questions[0]]]


@pytest.mark.parametrize("hurt", ["removed", *by_hand("halved", "emptied")])
def test_a_vector_index_with_a_torn_file_is_done_without(
    many: Index, hurt: str, caplog: pytest.LogCaptureFixture
) -> None:
    question = "word1 word7 word30"
    exact = [hit.uri for hit in many.search(question, k=100, mode="dense")]
    for path in Path(many.spec.store.uri).glob("notes__*.lance/_indices/*/auxiliary.idx"):
        path.unlink() if hurt == "removed" else os.truncate(path, path.stat().st_size // 2 * (hurt == "halved"))
    index = Index(many.spec)
    with index:
        for _ in range(2):
            found = index.search(question, k=100, mode="dense", explain=True)
            assert found.explanation is not None
            assert found.explanation.indexes == {"dense": "exact"}
            assert len({hit.uri for hit in found} & set(exact)) >= 95
        assert caplog.text.count("is torn or missing: all vectors are compared") == 1
        assert len(index.search(question, k=10)) == 10


@pytest.mark.parametrize("mode", ["dense", "full-text"])
def test_rows_that_came_after_an_index_was_made_are_found(many: Index, docs: Path, mode: Mode) -> None:
    (docs / "late.jsonl").write_text('{"id": "late", "text": "zeppelin over the estuary"}\n', encoding="utf-8")
    assert many.ingest().added == 1
    assert many.search("zeppelin estuary", k=1, mode=mode)[0].uri == "docs/late.jsonl#late"
    (docs / "late.jsonl").write_text('{"id": "late", "text": "dirigible over the delta"}\n', encoding="utf-8")
    assert many.ingest().changed == 1
    assert many.search("dirigible delta", k=1, mode=mode)[0].text == "dirigible over the delta"
    assert not any("zeppelin" in hit.text for hit in many.search("zeppelin", k=901, mode=mode))


def test_an_open_handle_follows_what_other_processes_commit(make_index: Make, docs: Path) -> None:
    (docs / "a.md").write_text("A ferry.", encoding="utf-8")
    index = make_index()
    index.ingest()
    table = index.table()
    (docs / "b.md").write_text("A ferry, too.", encoding="utf-8")
    make_index().ingest()
    assert table.count_rows() == 2
    tables = IndexTables.serving(open_store(index.spec), "notes")
    assert tables is not None
    assert tables.chunks.count() == 2


@pytest.mark.parametrize("output", ["dense", "sparse"])
def test_an_index_is_searched_the_ways_it_can_be(make_index: Make, docs: Path, output: str) -> None:
    for name, text in NOTES.items():
        (docs / f"{name}.md").write_text(f"# {name}\n\n{text}\n", encoding="utf-8")
    index = make_index(embedding={"model": "fake/hash", "output_type": output})
    index.ingest()
    ways, other = (
        (("dense", "full-text", "hybrid"), "sparse")
        if output == "dense"
        else (("sparse", "full-text", "hybrid"), "dense")
    )
    for mode in ways:
        assert index.search("winter battery", k=1, mode=mode)[0].uri == "docs/batteries.md"
    with pytest.raises(ConfigurationError, match="output_type"):
        index.search("winter battery", mode=other)
