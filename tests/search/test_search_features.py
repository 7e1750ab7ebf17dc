"""What a search can be asked besides its words: filters, pages, groups, likeness, instructions, explanations."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from relance.config import IndexSpec
from relance.errors import ConfigurationError, InputError
from relance.index import Index
from relance.search import MAX_HITS, PRESETS, FilterError, Mode
from relance.search.fusion import fused
from relance.store import open_store
from relance.store.maintain import maintain
from relance.store.maintenance import MaintenanceLimits

Make = Callable[..., Index]
MODES = list(get_args(Mode))
each_mode = pytest.mark.parametrize("mode", MODES)
BOTH = {"model": "fake/hash", "output_type": "dense&sparse"}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Documents of several chunks, and two hundred rows, that no test changes."""
    folder = tmp_path_factory.mktemp("features")
    docs = folder / "docs"
    docs.mkdir()
    for name in ("weir", "harbour", "bridge"):
        parts = [
            f"# Part {i}\n\nThe ferry at the {name} leaves at {i} o'clock, and part {i} says so.\n" for i in range(6)
        ]
        (docs / f"{name}.md").write_text(
            f"---\ntags: [{name}, ferry]\nlang: en\n---\n" + "\n".join(parts), encoding="utf-8"
        )
    (docs / "gauge.md").write_text("# Gauge\n\nA river gauge measures the level.\n", encoding="utf-8")
    lines = [{"id": i, "text": f"Reading {i} of the ferry landing, {'dry' if i % 2 else 'wet'}.", "year": 1900 + i, "depth": i / 4}
             for i in range(200)]  # fmt: skip
    (docs / "readings.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    declared = {
        "name": "notes",
        "sources": [{"type": "files", "root": "docs", "rows": {"metadata": ["year", "depth"]}}],
        "chunking": {"strategy": "markdown", "max_tokens": 32},
        "embedding": BOTH,
        "store": {"uri": "db"},
        "folder": folder,
    }
    index = Index(IndexSpec.model_validate(declared))
    index.ingest()
    return index


@pytest.fixture
def few(make_index: Make, docs: Path) -> Index:
    """Three small documents."""
    for name, text in {"a": "A ferry over the river.", "b": "The river ferry.", "c": "Concrete and steel."}.items():
        (docs / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    index = make_index()
    index.ingest()
    return index


# ── filters ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_mode
@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("year >= 2095", 5),
        ("year in (1900, 1901) or year = 1950", 3),
        ("depth < 0.6 and not year = 1900", 2),
        ('tags = "weir"', 6),
        ('tags = "ferry" and not uri ~ "*weir*"', 12),
        ('uri ~ "docs/readings.jsonl#19?"', 10),
        ("exists lang and exists meta.tags and not exists year", 18),
        ('updated_at > 2020-01-01 and updated_at < "2100-01-01" and year < 1902', 2),
        ('heading_path = "Part 3"', 3),
        ("seq = 5", 3),
        ('text ~ "*\'*"', 18),
        ('media_type = "nothing"', 0),
        ("year > 9999", 0),
    ],
)
def test_a_filter_holds_for_every_hit_and_hides_none(notes: Index, mode: Mode, condition: str, count: int) -> None:
    assert len(notes.search("the ferry reading part", k=300, mode=mode, filter=condition)) == count


def test_a_filter_and_a_condition_both_hold(notes: Index) -> None:
    hits = notes.search("ferry", k=300, filter="year >= 1990", where="json_get_int(metadata, 'year') < 1993")
    assert {hit.metadata["year"] for hit in hits} == {1990, 1991, 1992}


def test_a_wrong_filter_is_told_with_its_place(notes: Index) -> None:
    with pytest.raises(FilterError, match="did you mean media_type") as caught:
        notes.search("ferry", filter="year > 1 and media_tpye = 'x'")
    assert caught.value.at == 13
    assert str(caught.value).endswith("\n" + " " * 15 + "^")


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_mode
@pytest.mark.parametrize("group", [False, True])
def test_pages_put_together_are_the_whole_list(notes: Index, mode: Mode, group: bool) -> None:
    whole = notes.search("dry ferry reading part", k=500, mode=mode, group=group)
    assert not whole.more
    assert [hit.score for hit in whole] == sorted((hit.score for hit in whole), reverse=True)
    found = []
    for offset in range(0, 500, 37):
        page = notes.search("dry ferry reading part", k=37, offset=offset, mode=mode, group=group)
        found += page
        assert page.more == (offset + 37 < len(whole))
    assert len({hit.id for hit in found}) == len(found)
    assert {hit.uri for hit in found} == {hit.uri for hit in whole}
    assert [hit.score for hit in found] == [hit.score for hit in whole], "in the same order, but for equals"


def test_a_fused_list_does_not_depend_on_how_much_of_it_is_wanted(notes: Index) -> None:
    long = [hit.id for hit in notes.search("dry ferry reading", k=210)]
    for k in (1, 5, 99, 150):
        assert [hit.id for hit in notes.search("dry ferry reading", k=k)] == long[:k]


@pytest.mark.parametrize(("k", "offset"), [(10, -1), (10, MAX_HITS), (0, 0), (MAX_HITS, 1)])
def test_a_page_that_cannot_be_is_refused(notes: Index, k: int, offset: int) -> None:
    with pytest.raises(InputError, match="must be between"):
        notes.search("ferry", k=k, offset=offset)


# ── groups ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_mode
def test_a_document_is_one_hit_with_its_best_chunks(notes: Index, mode: Mode) -> None:
    hits = notes.search("the ferry at the weir part", k=3, mode=mode, group=True, filter="not exists year")
    assert len({hit.uri for hit in hits}) == len(hits) == 3
    best = hits[0]
    assert best.uri == "docs/weir.md"
    assert best.further == 5
    assert len(best.chunks) == 3
    assert [best.score, *(chunk.score for chunk in best.chunks)] == sorted(
        (best.score, *(chunk.score for chunk in best.chunks)), reverse=True
    )
    assert {chunk.uri for chunk in best.chunks} == {"docs/weir.md"}
    assert len({best.id, *(chunk.id for chunk in best.chunks)}) == 4
    alone = notes.search("the ferry at the weir part", k=1, mode=mode, filter="not exists year")[0]
    assert (alone.uri, alone.score) == (best.uri, best.score)
    assert (alone.further, alone.chunks) == (0, [])


def test_documents_are_found_behind_one_whose_chunks_fill_the_list(notes: Index) -> None:
    hits = notes.search("ferry at the weir", k=204, group=True, mode="dense")
    assert len(hits) == 204, "all of them, although at first only five rows are looked at for each"
    assert {hit.uri for hit in hits} >= {"docs/gauge.md", "docs/weir.md"}


# ── highlights ───────────────────────────────────────────────────────────────────────────────────────────────────────


@each_mode
def test_hits_carry_the_places_of_the_words(notes: Index, mode: Mode) -> None:
    hit = notes.search("river gauge level", k=1, mode=mode)[0]
    assert [hit.text[start:end] for start, end in hit.highlights] == ["Gauge", "river", "gauge", "level"]
    assert hit.snippet == (0, len(hit.text))
    assert json.loads(json.dumps(hit.as_dict())) == hit.as_dict()


INFLECTED = (
    "gauge gauges gauging flood flooded flooding floods station stations relate related relational relations pony ponies "
    "generous generously organize organization organizations university universities city cities die dying lie lying "
    "fly flies happy happily happiness consist consistency skis skies news innings succeed proceed naïve naively café cafés"
).split()


def test_word_endings_do_not_matter_and_what_is_found_is_marked(make_index: Make, docs: Path) -> None:
    for number, word in enumerate(INFLECTED):
        (docs / f"{number}.txt").write_text(word, encoding="utf-8")
    (docs / "zh.md").write_text("每小时上传一次数据。", encoding="utf-8")
    index = make_index()
    index.ingest()
    with index:
        found = {word: index.search(word, k=100, mode="full-text") for word in INFLECTED}
        assert {hit.text for hit in found["gauges"]} == {"gauge", "gauges", "gauging"}
        assert {hit.text for hit in found["flood"]} == {"flood", "flooded", "flooding", "floods"}
        for word, hits in found.items():
            assert word in {hit.text for hit in hits}
            assert all(hit.highlights == [(0, len(hit.text))] for hit in hits), word
        [hit] = index.search("上传数据", mode="full-text")
        assert [hit.text[start:end] for start, end in hit.highlights] == ["上传", "数据"]


def test_an_index_of_words_is_made_anew_for_another_language(make_index: Make, docs: Path) -> None:
    (docs / "a.md").write_text("The gauges of the Häuser.", encoding="utf-8")
    make_index().ingest()
    assert make_index().search("gauge", mode="full-text")
    german = make_index(search={"language": "german"})
    version = german.table().version
    assert german.ingest().status == "completed"
    assert german.table().version == version, "what writes nothing does not index"
    german.maintain()
    assert german.search("Haus", mode="full-text")[0].highlights == [(18, 24)]
    version = german.table().version
    german.maintain()
    assert german.table().version == version, "once is enough"
    plain = make_index(search={"language": "none"})
    (docs / "b.md").write_text("Another.", encoding="utf-8")
    plain.ingest()
    assert not plain.search("gauge", mode="full-text")
    assert plain.search("gauges", mode="full-text")


# ── more like this ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_like_finds_what_is_alike_and_not_the_document_itself(few: Index) -> None:
    hits = few.search(like="docs/a.md", k=5)
    assert [hit.uri for hit in hits] == ["docs/b.md", "docs/c.md"]
    rows = {row["uri"]: np.array(row["vector"]) for row in few.table().search().limit(None).to_list()}
    cosine = rows["docs/a.md"] @ rows["docs/b.md"]
    assert hits[0].score == pytest.approx(cosine, abs=1e-5)
    assert (hits[0].highlights, hits[0].snippet) == ([], (0, len(hits[0].text)))


def test_a_document_stands_for_the_mean_of_its_chunks_and_costs_nothing(notes: Index) -> None:
    from relance.search.similar import vector_of

    table = notes.table()
    rows = table.search().where("uri = 'docs/weir.md'").select(["vector"]).limit(None).to_list()
    mean = np.mean([np.array(row["vector"]) / np.linalg.norm(row["vector"]) for row in rows], axis=0)
    assert vector_of(table, "docs/weir.md", list) == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    hits = notes.search(like="docs/weir.md", k=2, group=True, explain=True)
    assert {hit.uri for hit in hits} == {"docs/harbour.md", "docs/bridge.md"}
    assert hits.explanation is not None
    assert (hits.explanation.query_vector, hits.explanation.model) == ("docs/weir.md", "")


def test_like_can_be_filtered_and_paged(notes: Index) -> None:
    hits = notes.search(like="docs/readings.jsonl#7", k=3, filter="year < 1910")
    assert len(hits) == 3
    assert all(hit.metadata["year"] < 1910 and hit.metadata["year"] != 1907 for hit in hits)
    pages = [
        notes.search(like="docs/readings.jsonl#7", k=4, offset=offset, filter="year < 1910") for offset in (0, 4, 8)
    ]
    assert {hit.metadata["year"] for page in pages for hit in page} == {*range(1900, 1910)} - {1907}
    assert [len(page) for page in pages] == [4, 4, 1]


def test_like_an_unknown_document_names_what_may_be_meant(few: Index) -> None:
    with pytest.raises(InputError, match=r"no document 'docs/a\.mb'.*did you mean 'docs/a\.md'"):
        few.search(like="docs/a.mb")
    with pytest.raises(InputError, match="one of them"):
        few.search("ferry", like="docs/a.md")
    with pytest.raises(InputError, match="rerank needs a query"):
        few.search(like="docs/a.md", rerank="lancedb/mrr")
    nasty = "docs/' OR active --"
    with pytest.raises(InputError, match="no document"):
        few.search(like=nasty)


def test_pictures_are_like_pictures(gallery: Any) -> None:
    for name, colour in {"a": "red", "b": "green", "c": "darkred"}.items():
        gallery.paint(f"pics/{name}.png", colour)
    gallery.write("m.csv", "id,url,caption\n1,pics/a.png,an old barn\n")
    gallery.write("docs/j.md", "# Journal\n\nThe lake was calm.\n")
    gallery.write("docs/k.md", "# Lake\n\nA calm lake.\n")
    index = gallery.index()
    index.ingest()
    hits = index.search_media(like="pics/a.png", k=5)
    assert {hit.url for hit in hits} == {"pics/b.png", "pics/c.png"}, "not itself, nor its copy in the table"
    texts, media = index.search_both(like="pics/a.png")
    assert (texts, [hit.url for hit in media]) == ([], [hit.url for hit in hits])
    texts, media = index.search_both(like="docs/j.md")
    assert ([hit.uri for hit in texts], media) == (["docs/k.md"], [])
    with pytest.raises(InputError, match="no document"):
        index.search_both(like="nothing")
    pages = [index.search_media("red", k=1, offset=offset, mode="dense") for offset in range(4)]
    assert [len(page) for page in pages] == [1, 1, 1, 0]
    assert [page.more for page in pages] == [True, True, False, False]
    hit = index.search_media("barn", k=1, mode="full-text", explain=True, filter='url ~ "*a.png"')[0]
    assert [hit.caption[start:end] for start, end in hit.highlights] == ["barn"]
    assert hit.explained.ranks == {"full-text": 1}
    assert json.loads(json.dumps(hit.as_dict())) == hit.as_dict()


# ── instructions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def dashscope(make_index: Make, emulator: Any, monkeypatch: pytest.MonkeyPatch, **embedding: Any) -> Index:
    monkeypatch.setenv("DASHSCOPE_BASE_URL", f"{emulator.url}/api/v1")
    return make_index(embedding={"model": "dashscope/text-embedding-v4", "dimension": 64, **embedding})


def sent(emulator: Any) -> list[dict[str, Any]]:
    return [json.loads(request["body"]) for request in emulator.requests()]


def test_an_instruction_goes_with_the_question(
    make_index: Make, docs: Path, emulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (docs / "a.md").write_text("A ferry.", encoding="utf-8")
    index = dashscope(make_index, emulator, monkeypatch, instruct="Find notes")
    index.ingest()
    hits = index.search("boat", explain=True)
    assert sent(emulator)[-1]["parameters"]["instruct"] == "Find notes"
    assert hits.explanation is not None
    assert hits.explanation.instruct == "Find notes"
    index.search("boat", instruct="paraphrase")
    assert sent(emulator)[-1]["parameters"]["instruct"] == PRESETS["paraphrase"]
    index.search("boat", instruct="Find what floats")
    assert sent(emulator)[-1]["parameters"]["instruct"] == "Find what floats"
    with pytest.raises(InputError, match="did you mean retrieval"):
        index.search("boat", instruct="retreival")


def test_a_model_without_instructions_says_so(
    few: Index, make_index: Make, emulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="fake/hash takes no instruction"):
        few.search("ferry", instruct="retrieval")
    index = dashscope(make_index, emulator, monkeypatch, model="dashscope/text-embedding-v3", region="beijing")
    index.ingest()
    with pytest.raises(ConfigurationError, match="takes no instruction; text-embedding-v4"):
        index.search("ferry", instruct="retrieval")


# ── the same question twice ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_question_is_embedded_once(few: Index, log: Callable[[], list[str]]) -> None:
    for mode in ("dense", "hybrid", "dense"):
        few.search("ferry", mode=mode, k=2)
    few.search("ferry", filter="seq = 0")
    few.search("other")
    assert log() == ["ferry", "other"]


def test_a_question_that_was_paid_for_is_never_bought_again(
    make_index: Make, docs: Path, emulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (docs / "a.md").write_text("A ferry.", encoding="utf-8")
    index = dashscope(make_index, emulator, monkeypatch, output_type="dense&sparse")
    index.ingest()
    before = emulator.stats()["requests"]
    first = index.search("where is the boat", explain=True)
    again = index.search("where is the boat", explain=True)
    other = dashscope(make_index, emulator, monkeypatch, output_type="dense&sparse")  # as another process would
    stored = other.search("where is the boat", explain=True)
    assert emulator.stats()["requests"] == before + 1
    told = [hits.explanation.query_vector for hits in (first, again, stored) if hits.explanation]
    assert told == ["embedded", "cached", "stored"]
    assert [hit.explained for hit in first] == [hit.explained for hit in stored]
    other.search("where is the boat", instruct="retrieval")
    assert emulator.stats()["requests"] == before + 2, "another instruction makes another vector"
    assert sum(space.vectors for space in other.cache() if space.space.endswith("__questions")) == 2


def test_who_may_not_write_may_still_ask(
    make_index: Make, docs: Path, emulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relance.store.embeddings import EmbeddingStore

    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    (docs / "a.md").write_text("A ferry.", encoding="utf-8")
    index = dashscope(make_index, emulator, monkeypatch)
    index.ingest()
    monkeypatch.setattr(EmbeddingStore, "_write", refuse)
    monkeypatch.setattr(EmbeddingStore, "get", refuse)
    assert len(index.search("boat")) == 1


def test_connections_stay_open_between_questions_of_one_with(
    make_index: Make, docs: Path, emulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relance.embedding.providers.dashscope.text import DashScopeText

    closed: list[object] = []
    close = DashScopeText.aclose

    async def noted(self: DashScopeText) -> None:
        closed.append(self)
        await close(self)

    (docs / "a.md").write_text("A ferry.", encoding="utf-8")
    index = dashscope(make_index, emulator, monkeypatch)
    index.ingest()
    monkeypatch.setattr(DashScopeText, "aclose", noted)
    with index:
        for i in range(3):
            index.search(f"question {i}")
        assert closed == []
    assert len(closed) == 1
    index.search("question 4")
    assert len(closed) == 2


def test_many_threads_may_ask_one_index(notes: Index) -> None:
    from concurrent.futures import ThreadPoolExecutor

    questions = [f"ferry reading {i % 7}" for i in range(40)]
    with notes, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda question: [hit.id for hit in notes.search(question, k=5)], questions))
    assert found == [[hit.id for hit in notes.search(question, k=5)] for question in questions]


# ── explanations ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fused_hit_tells_its_place_in_every_list(notes: Index) -> None:
    hits = notes.search("dry ferry reading", k=20, explain=True, filter="year > 1910")
    told = hits.explanation
    assert told is not None
    assert (told.mode, told.table, told.version) == ("hybrid", notes.table().name, notes.table().version)
    assert told.indexes == {"sparse": "exact", "full-text": "FTS", "dense": "exact"}
    assert "json_extract" in str(told.where)
    assert told.seconds.keys() == {"embed", "search"}
    lists = {mode: {hit.id: (rank, hit.score) for rank, hit in enumerate(notes.search("dry ferry reading", k=190, mode=mode, filter="year > 1910"), start=1)}
             for mode in MODES if mode != "hybrid"}  # fmt: skip
    merged = dict(fused({way: [(name, score) for name, (_, score) in found.items()] for way, found in lists.items()}))
    for hit in hits:
        assert hit.explained is not None
        assert hit.explained.fused == hit.score
        assert hit.score == pytest.approx(merged[hit.id], abs=1e-4)
        scores = {"dense": hit.explained.cosine, "full-text": hit.explained.bm25, "sparse": hit.explained.sparse}
        assert {way for way, score in scores.items() if score is not None} == hit.explained.ranks.keys()
        for way, rank in hit.explained.ranks.items():
            assert scores[way] == lists[way][hit.id][1]
            assert way == "full-text" or rank == lists[way][hit.id][0], "in full text, many are equal"
    assert json.loads(json.dumps(told.as_dict())) == told.as_dict()


def test_a_search_that_is_not_asked_for_reasons_gives_none(notes: Index) -> None:
    hits = notes.search("ferry", k=2)
    assert hits.explanation is None
    assert hits[0].explained is None


def test_an_index_that_served_is_named(make_index: Make, docs: Path) -> None:
    lines = [{"id": i, "text": f"number{i} of the words word{i % 7} word{i % 11}"} for i in range(400)]
    (docs / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    index = make_index(sources=[{"type": "files", "root": str(docs), "rows": {}}])
    index.ingest()
    maintain(index.spec, open_store(index.spec), limits=MaintenanceLimits(vector_index_rows=300))
    hits = index.search("word3 of number17", explain=True)
    assert hits.explanation is not None
    assert hits.explanation.indexes.keys() == {"full-text", "dense"}
    assert "RQ" in hits.explanation.indexes["dense"].upper()
    assert index.search("word3 of number17", mode="full-text", explain=True).explanation.query_vector == ""  # type: ignore[union-attr]


def test_rows_that_moved_while_they_were_found_are_read_all_the_same(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody compacts the table between the finding and the reading: rows have other places then."""
    from relance.search import hybrid_query

    index = make_index()
    for i in range(6):
        (docs / f"{i}.md").write_text(f"The ferry number {i}.", encoding="utf-8")
        index.ingest()
    (docs / "0.md").unlink()
    index.ingest()
    expected = [(hit.uri, hit.text) for hit in index.search("ferry number", k=10)]
    best = hybrid_query.HybridQuery.best

    def moved(self: Any, *arguments: Any) -> Any:
        found = best(self, *arguments)
        index.table().optimize()
        return found

    monkeypatch.setattr(hybrid_query.HybridQuery, "best", moved)
    assert [(hit.uri, hit.text) for hit in index.search("ferry number", k=10)] == expected
    assert len(expected) == 5


# ── what cannot be, and what would be ignored ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (
            {"query": "ferry", "mode": "smell"},
            "mode smell: there is no such mode; there are dense, full-text, sparse, hybrid",
        ),
        ({"query": "ferry", "mode": "vector"}, "^mode vector: it is called dense now$"),
        ({"query": "ferry", "mode": "text"}, "^mode text: it is called full-text now$"),
        ({"query": "ferry", "mode": "full-text", "instruct": "retrieval"}, "instruct is for the model"),
        ({"like": "docs/a.md", "instruct": "retrieval"}, "instruct is for the model"),
        ({"like": "docs/a.md", "mode": "full-text"}, "found by dense search, not with mode full-text"),
        ({"query": "ferry", "k": 2.5}, "k and offset are whole numbers"),
    ],
)
def test_nothing_that_is_asked_is_ignored(few: Index, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        few.search(**asked)


def test_a_misspelt_column_is_told_wherever_it_was_meant(gallery: Any) -> None:
    gallery.paint("pics/a.png", "red")
    gallery.write("m.csv", "id,url,caption\n1,pics/a.png,an old barn\n")
    gallery.write("docs/j.md", "# Journal\n\nThe old barn at the lake.\n")
    index = gallery.index()
    index.ingest()
    with pytest.raises(FilterError, match="did you mean height"):
        index.search_both("barn", filter="hight > 1")
    with pytest.raises(FilterError, match="did you mean heading_path"):
        index.search_both("barn", filter="heading_pth = 'Journal'")
    texts, media = index.search_both("barn", filter="width > 1")
    assert (len(texts), len(media)) == (0, 1), "the picture and the row that names it are one hit"
    texts, media = index.search_both("barn", filter="heading_path = 'Journal'")
    assert [hit.uri for hit in texts] == ["docs/j.md"]
    assert len(index.search("barn", filter="width > 1")) == 0, "a column of the other table, and no misspelt page"
    with pytest.raises(InputError, match="rerank needs a query"):
        index.search_both(image=gallery.folder / "pics/a.png", rerank="lancedb/mrr")
