"""What images cost: the plan says it, and the budget holds for texts and media together."""

from __future__ import annotations

from typing import Any

import pytest
from rows import rows

from relance.errors import BudgetError, ConfigurationError


def test_media_that_would_exceed_the_budget_stop_before_anything_is_spent(filled: Any, emulator: Any) -> None:
    """Four pictures at 896 tokens and $0.09 a million: $0.00032."""
    index = filled.index(limits={"max_cost_usd": 0.0003})
    assert index.plan().total_usd == pytest.approx(4 * 896 * 0.09 / 1e6)
    with pytest.raises(BudgetError, match="nothing was spent"):
        index.ingest()
    assert emulator.stats()["requests"] == 0
    assert filled.index(limits={"max_cost_usd": 0.0004}).ingest().media.added == 8


def test_texts_and_media_spend_from_one_budget(filled: Any, emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the plan did not foresee is stopped by the run itself, before the request that would be too much."""
    embedding = filled.embedding(model="dashscope/text-embedding-v4", price_per_million_tokens=10.0)
    cost = filled.index(embedding=embedding).plan().cost_usd
    limit = {"max_cost_usd": cost + 3.5 * 896 * 0.09 / 1e6}
    index = filled.index(embedding=embedding, limits=limit)
    with pytest.raises(BudgetError, match="nothing was spent"):
        index.ingest()
    monkeypatch.setattr("relance.pipeline.run.check_budget", lambda *_: None)
    with pytest.raises(BudgetError, match="would bring this run to"):
        index.ingest()
    assert len(rows(index, vectors=True)) == 2, "the texts were paid for"
    assert list(emulator.stats()["tokens_by_model"]) == ["text-embedding-v4"]
    assert [run.status for run in index.runs()] == ["failed", "completed"]


def test_the_budget_needs_a_price_for_the_media(filled: Any) -> None:
    embedding = {"region": "hongkong"}
    with pytest.raises(ConfigurationError, match=r"media\.embedding"):
        filled.index(media=filled.media(embedding=embedding), limits={"max_cost_usd": 1}).ingest()


def test_pictures_that_are_known_cost_nothing_in_a_plan(filled: Any) -> None:
    index = filled.index()
    index.ingest()
    plan = index.plan().media
    assert (plan.unchanged, plan.tokens, plan.cost_usd) == (8, 0, 0.0)
    filled.paint("pics/new.png", "green")  # in the index already, as another file
    filled.paint("pics/other.png", "purple")
    plan = index.plan().media
    assert (plan.added, plan.chunks, plan.reused, plan.tokens) == (2, 2, 1, 896)


def test_planning_asks_no_address_and_writes_nothing(filled: Any, web: Any, emulator: Any) -> None:
    filled.write("docs/inline.md", "# Inline\n\n![dot](data:image/jpeg;base64,/9j/AA==)\n")
    index = filled.index()
    plan = index.plan().media
    assert (plan.added, plan.failed) == (8, 1), "the dot is damaged, and no address is needed to see that"
    assert (web.take(), emulator.stats()["requests"]) == ([], 0)
    assert not (filled.folder / "db").exists()
