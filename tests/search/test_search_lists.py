"""The list of hits in every mode: filtered, page by page, by document, with the words marked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from relance.errors import InputError
from relance.index import Index
from relance.search import MAX_HITS, FilterError, Mode

Make = Callable[..., Index]
each_mode = pytest.mark.parametrize("mode", get_args(Mode))


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
