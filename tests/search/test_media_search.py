"""Asking for images and videos: by words, by a picture, beside the texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from relance.errors import BudgetError, ConfigurationError, DocumentError, InputError
from relance.index import Index
from relance.search.rerankers import Reranker, RerankerInfo
from relance.search.reranking import shares

COLOURS = {"a": "red", "b": "green", "c": "blue", "d": "yellow"}


@pytest.fixture
def index(four_colours: Any) -> Index:
    index = four_colours.index()
    index.ingest()
    return index


def test_words_find_the_picture_that_shows_them(index: Index) -> None:
    for name, colour in COLOURS.items():
        hits = index.search_media(colour, k=4, mode="dense")
        assert f"pics/{name}.png" in (hits[0].url, *hits[0].also)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_words_find_captions(index: Index) -> None:
    (hit,) = index.search_media("barn", mode="full-text")
    assert (hit.uri, hit.caption, hit.url, hit.title) == ("m.csv#1", "an old barn", "pics/a.png", "a.png")
    assert index.search_media("barn in the meadow", k=2)[0].caption in {"an old barn", "a meadow in May"}
    (hit,) = index.search_media("house", mode="full-text")
    assert (hit.heading_path, hit.metadata["shown_in"]) == (["Journal", "Morning"], "docs/j.md")


def test_the_same_picture_in_several_places_is_one_hit_that_names_them(index: Index) -> None:
    hits = index.search_media("red", k=10, mode="dense")
    assert len(hits) == len(COLOURS)
    places = {hits[0].uri, *hits[0].also}
    assert places == {"pics/a.png", "m.csv#1", "docs/j.md#../pics/a.png"}


def test_no_more_hits_than_asked_for(index: Index) -> None:
    for k in (1, 2, 3, 4, 100):
        for mode in ("dense", "hybrid"):
            assert len(index.search_media("red", k=k, mode=mode)) == min(k, len(COLOURS))


def test_a_picture_finds_itself_from_a_file_or_an_address(index: Index, four_colours: Any, web: Any) -> None:
    for image in (
        four_colours.folder / "pics/d.png",
        str(four_colours.folder / "pics/d.png"),
        web.put("/d.png", four_colours.png("yellow")),
    ):
        hits = index.search_media(image=image, k=2)
        assert hits[0].url == "pics/d.png"
        assert hits[0].score == pytest.approx(1.0, abs=1e-4)
        assert hits[1].score < 0.9


def test_a_picture_that_is_too_large_is_scaled_to_ask_with(index: Index, four_colours: Any) -> None:
    path = four_colours.write("question.webp", four_colours.png("yellow", size=(400, 400), form="WEBP"))
    assert index.search_media(image=path, k=1)[0].url == "pics/d.png"


def test_a_question_that_cannot_be_asked_is_refused_in_a_sentence(index: Index, subtests: pytest.Subtests) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "one of them"),
        ({"query": "x", "image": "y"}, "one of them"),
        ({"query": " "}, "one of them"),
        ({"image": "gone.png"}, "gone.png: no such file"),
        ({"query": "x", "k": 0}, "k must be"),
        ({"image": "http://10.0.0.7/a.png"}, "10.0.0.7"),
        ({"query": "x", "where": "nothing = 1"}, "not understood"),
    ]
    for arguments, message in refused:
        with subtests.test(message, **arguments), pytest.raises(InputError, match=message):
            index.search_media(**arguments)


def test_a_file_that_is_no_picture_cannot_be_asked_with(index: Index, four_colours: Any) -> None:
    with pytest.raises(DocumentError, match="no image or video"):
        index.search_media(image=four_colours.folder / "docs/j.md")


def test_filters_hold_for_columns_and_metadata(four_colours: Any) -> None:
    four_colours.write("n.csv", "id,url,caption,year\n1,pics/a.png,barn,2020\n2,pics/b.png,barn,2021\n")
    source = {"type": "files", "root": str(four_colours.folder), "include": ["n.csv"],
              "rows": {"url": "url", "caption": "caption", "metadata": ["year"]}}  # fmt: skip
    index = four_colours.index(sources=[source])
    index.ingest()
    for mode in ("dense", "full-text", "hybrid"):
        hits = index.search_media("barn", mode=mode, where="json_get_string(metadata, 'year') = '2021'")
        assert [hit.uri for hit in hits] == ["n.csv#2"]
        assert len(index.search_media("barn", mode=mode, where="kind = 'image' AND width = 24")) == 2
        assert index.search_media("barn", mode=mode, where="kind = 'video'") == []


def test_an_index_of_media_alone_answers_a_question_for_texts_with_none(gallery: Any) -> None:
    """And one of pictures without any caption can be searched in every way but by words."""
    gallery.paint("pics/a.png")
    index = gallery.index(sources=[{"type": "files", "root": str(gallery.folder), "include": ["*.png"]}])
    report = index.ingest()
    assert (report.added, report.media.added, report.status) == (0, 1, "completed")
    for mode in ("hybrid", "dense", "full-text"):
        assert index.search("red", mode=mode) == []
    for mode in ("hybrid", "dense"):
        assert [hit.url for hit in index.search_media("red", mode=mode)] == ["pics/a.png"]
    assert index.search_media("red", mode="full-text") == []


def test_a_video_is_found_and_its_length_told(gallery: Any, web: Any) -> None:
    url = web.put("/film.mp4", gallery.mp4("red", seconds=2), media_type="video/mp4")
    gallery.write("m.csv", f"id,url,caption\n1,{url},a film\n")
    gallery.paint("pics/b.png", "blue")
    index = gallery.index()
    index.ingest()
    hit = index.search_media("red", k=1, mode="dense")[0]
    assert (hit.url, hit.kind, hit.duration_s, hit.width, hit.media_type) == (url, "video", 2.0, 32, "video/mp4")


def test_without_media_the_message_says_what_to_add(four_colours: Any) -> None:
    source = {"type": "files", "root": str(four_colours.folder / "docs")}
    plain = four_colours.index(media=None, sources=[source])
    plain.ingest()
    with pytest.raises(ConfigurationError, match="add a `media` section"):
        plain.search_media("red")
    with pytest.raises(ConfigurationError, match="run `relance ingest` first"):
        four_colours.index(sources=[source]).search_media("red")


def test_questions_go_to_the_model_that_made_the_table_while_another_is_being_built(
    index: Index, four_colours: Any, emulator: Any
) -> None:
    embedding = {"model": "dashscope/qwen3-vl-embedding", "region": "beijing", "fuse": True}
    changed = four_colours.index(media=four_colours.media(embedding=embedding))
    hit = changed.search_media("blue", k=1, mode="dense")[0]
    assert hit.url == "pics/c.png"
    assert changed.search_media(image=four_colours.folder / "pics/c.png", k=1)[0].url == "pics/c.png"
    assert set(emulator.stats()["tokens_by_model"]) == {"tongyi-embedding-vision-plus"}


def test_an_instruction_is_for_questions_only(four_colours: Any, emulator: Any) -> None:
    index = four_colours.index(media=four_colours.media(embedding={"instruct": "Find the painting"}))
    index.ingest()
    index.search_media("red", mode="dense")
    bodies = [json.loads(each["body"]) for each in emulator.requests()]
    assert "instruct" not in bodies[0]["parameters"]
    assert bodies[-1]["parameters"]["instruct"] == "Find the painting"


def test_hits_are_plain_values(index: Index) -> None:
    for hit in index.search_media("red"):
        assert json.loads(json.dumps(hit.as_dict())) == hit.as_dict()
    assert Path(index.search_media("blue", k=1, mode="dense")[0].url) == Path("pics/c.png")


@pytest.fixture
def shop(gallery: Any, web: Any, monkeypatch: pytest.MonkeyPatch) -> Index:
    """Pictures on the web whose captions say nothing of what they show; red and blue only differ to who looks."""
    monkeypatch.setenv("DASHSCOPE_BASE_URL", f"{gallery.embed_url}/api/v1")
    rows = [f"{colour},{web.put(f'/{colour}.png', gallery.png(colour))},lot 7" for colour in COLOURS.values()]
    gallery.write("m.csv", "\n".join(["id,url,caption", *rows, ""]))
    index = gallery.index(search={"rerank": {"model": "dashscope/qwen3-vl-rerank", "region": "beijing"}})
    index.ingest()
    return index


def test_a_reranker_that_sees_sorts_pictures(shop: Index, emulator: Any) -> None:
    hits = shop.search_media("blue", k=2, mode="hybrid", explain=True)
    assert hits[0].uri == "m.csv#blue"
    assert hits.explanation is not None
    assert (hits.explanation.rerank, hits.explanation.reranked) == ("dashscope/qwen3-vl-rerank", len(COLOURS))
    assert hits.explanation.tokens == emulator.stats()["tokens_by_model"]["qwen3-vl-rerank"] > 0
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[0].score != shop.search_media("blue", k=2, rerank="none")[0].score
    _, media = shop.search_both("blue", k=1, explain=True)
    assert media.explanation is not None
    assert media.explanation.reranked == len(COLOURS)


def test_a_reranker_that_reads_texts_only_is_for_texts(shop: Index) -> None:
    with pytest.raises(InputError, match="sees no images and videos; dashscope/qwen3-vl-rerank does"):
        shop.search_media("blue", rerank="dashscope/gte-rerank-v2")
    _, media = shop.search_both("blue", k=1, rerank="dashscope/gte-rerank-v2", explain=True)
    assert media[0].uri == "m.csv#blue"
    assert media.explanation is not None
    assert media.explanation.rerank == ""
    with pytest.raises(InputError, match="rerank needs a query"):
        shop.search_media(image="m.png", rerank="dashscope/qwen3-vl-rerank")


def test_texts_and_pictures_are_reranked_in_one_request(shop: Index, gallery: Any, emulator: Any) -> None:
    gallery.write("docs/j.md", "The sky was blue that morning.\n")
    gallery.write("docs/k.md", "Nothing but invoices and receipts.\n")
    shop.ingest()
    before = emulator.stats()["tokens_by_model"].get("qwen3-vl-rerank", 0)
    texts, media = shop.search_both("blue sky", k=4, explain=True, floor=0)
    (body,) = [json.loads(each["body"]) for each in emulator.requests() if b"vl-rerank" in each["body"].encode()]
    kinds = [kind for document in body["input"]["documents"] for kind in document]
    assert (kinds.count("text"), kinds.count("image")) == (2, len(COLOURS))
    assert texts.together
    assert media.together
    ranked = sorted([*texts, *media], key=lambda hit: -hit.score)
    assert [hit.uri for hit in ranked[:2]] in (["docs/j.md", "m.csv#blue"], ["m.csv#blue", "docs/j.md"])
    assert ranked[-1].uri != "m.csv#blue"
    assert texts.explanation is not None
    assert media.explanation is not None
    assert (texts.explanation.reranked, media.explanation.reranked) == (2, len(COLOURS))
    assert texts.explanation.together
    spent = emulator.stats()["tokens_by_model"]["qwen3-vl-rerank"] - before
    assert (texts.explanation.tokens, media.explanation.tokens) == (spent, 0)
    plain = shop.search_both("blue sky", k=4, rerank="none")
    assert not plain[0].together


def test_a_budget_counts_texts_and_pictures_together(shop: Index, gallery: Any, emulator: Any) -> None:
    gallery.write("docs/j.md", "The sky was blue that morning.\n")
    shop.ingest()
    # A picture is estimated at 1,247 tokens of $0.2484 a million: four of them are $0.00124.
    section = {"model": "dashscope/qwen3-vl-rerank", "region": "beijing", "max_cost_usd": 0.0012}
    poor = gallery.index(search={"rerank": section})
    with pytest.raises(BudgetError, match="nothing was sent"):
        poor.search_both("blue sky", floor=0)
    assert "qwen3-vl-rerank" not in emulator.stats()["tokens_by_model"]
    with pytest.raises(BudgetError, match="nothing was sent"):
        poor.search_media("blue sky", floor=0)
    assert poor.search("blue sky")


def test_what_only_one_of_the_two_tables_can_be_filtered_by_is_reranked_alone(shop: Index, gallery: Any) -> None:
    gallery.write("docs/j.md", "The sky was blue that morning.\n")
    shop.ingest()
    texts, media = shop.search_both("blue sky", filter="kind = 'image'", floor=0)
    assert (len(texts), len(media)) == (0, len(COLOURS))
    texts, media = shop.search_both("blue sky", filter="page = 1 or seq = 0")
    assert [hit.uri for hit in texts] == ["docs/j.md"]


@pytest.mark.parametrize(("k", "candidates", "wanted"), [(5, 50, (50, 40)), (5, 100, (60, 40)), (45, 20, (45, 45)),
                                                         (3, 10, (10, 10))])  # fmt: skip
def test_so_many_are_looked_at_that_one_request_takes_them(k: int, candidates: int, wanted: tuple[int, int]) -> None:
    class Seeing:
        info = RerankerInfo("x/y", max_documents=100, max_media=40, sees=True)

    assert shares(cast("Reranker", Seeing()), candidates, k) == wanted
