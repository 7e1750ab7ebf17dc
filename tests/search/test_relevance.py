"""Relevance: from 0 to 1, in the order of the scores."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.search.relevance import relevance

FOUND = [
    {"dense": 0.3},
    {"full-text": 2.0},
    {"sparse": 1.0},
    {"fused": 3.0, "dense": 0.1},
    {"rerank": 0.5, "fused": 9.0},
]


@pytest.mark.parametrize("found", FOUND, ids=lambda found: next(iter(found)))
@given(scores=st.lists(st.floats(-10, 1000), min_size=2))
def test_it_is_between_0_and_1_and_never_rises_where_the_score_falls(
    found: dict[str, float], scores: list[float]
) -> None:
    made = [relevance(score, found) for score in sorted(scores, reverse=True)]
    assert made == sorted(made, reverse=True)
    assert all(0 <= each <= 1 for each in made)


def test_what_is_half_relevant() -> None:
    assert relevance(0.5, {"dense": 0.5}) == 0.5
    assert relevance(5.0, {"full-text": 5.0}) == 0.5
    assert relevance(4.0, {"fused": 4.0, "full-text": 9.0}) == 0.5
    assert relevance(0.91, {"rerank": 0.91, "fused": 40.0}) == 0.91
