"""The question of a search: its instruction, its vector that is bought once, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relance.errors import ConfigurationError, InputError
from relance.index import Index
from relance.search import PRESETS, FilterError

Make = Callable[..., Index]


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
    make_index: Make, docs: Path, emulator: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from relance.store import Store
    from relance.store.embeddings import EmbeddingStore
    from relance.store.owner import Owner

    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    (docs / "a.md").write_text("A ferry.", encoding="utf-8")
    index = dashscope(make_index, emulator, monkeypatch)
    index.ingest()
    monkeypatch.setattr(Owner, "__init__", refuse)
    monkeypatch.setattr(Store, "create", refuse)
    monkeypatch.setattr(EmbeddingStore, "get", refuse)
    assert len(index.search("boat")) == 1
    assert not caplog.records


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
        with index.for_principals(["ada"]) as ada:  # who shares them
            ada.search("whoever asks")
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


# ── what cannot be, and what would be ignored ────────────────────────────────────────────────────────────────────────


def test_nothing_that_is_asked_is_ignored(few: Index, subtests: pytest.Subtests) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
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
    ]
    for asked, says in refused:
        with subtests.test(says), pytest.raises(InputError, match=says):
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
