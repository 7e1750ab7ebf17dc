"""Lists are merged by how far scores stand out, so that a list of noise does not drown one that has found something."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.search.fusion import WEIGHTS, fused

scores = st.floats(0.01, 100, allow_nan=False)
lists = st.dictionaries(
    st.sampled_from(["dense", "full-text", "sparse"]),
    st.dictionaries(st.sampled_from("abcdefgh"), scores, max_size=8).map(
        lambda d: sorted(d.items(), key=lambda e: -e[1])
    ),
)


@given(lists)
def test_every_id_is_there_once_best_first_whatever_the_order_of_the_lists(found):
    merged = fused(found)
    assert {name for name, _ in merged} == {name for ranked in found.values() for name, _ in ranked}
    assert merged == sorted(merged, key=lambda hit: (-hit[1], hit[0]))
    assert merged == fused(dict(reversed(found.items())))


@given(lists, st.floats(0.1, 10))
def test_the_scale_of_a_list_does_not_matter(found, scale):
    scaled = {way: [(name, score * scale) for name, score in ranked] for way, ranked in found.items()}
    assert dict(fused(scaled)) == pytest.approx(dict(fused(found)), rel=1e-3, abs=1e-3)


@given(st.permutations(["a", "b", "c"]))
def test_ids_with_the_same_scores_are_equal_to_the_last_bit_and_come_in_their_own_order(order):
    one, two, three = order
    lists = [[one, two, three], [two, three, one], [three, one, two]]
    found = dict(
        zip(
            ["dense", "full-text", "sparse"],
            [list(zip(each, [0.9, 0.5, 0.1], strict=True)) for each in lists],
            strict=True,
        )
    )
    merged = fused(found)
    assert [name for name, _ in merged] == ["a", "b", "c"]
    assert len({score for _, score in merged}) == 1


def test_a_list_counts_by_its_weight(monkeypatch):
    monkeypatch.setitem(WEIGHTS, "full-text", 3.0)
    assert fused({"dense": [("a", 0.5)], "full-text": [("b", 1.0)]}) == [("b", 3.0), ("a", 1.0)]


def test_what_stands_out_nowhere_is_in_order():
    order = [f"{n:02}" for n in range(30)]
    scores = [10.0] + [1.0 - n * 0.01 for n in range(1, 30)]
    merged = fused({way: list(zip(reversed(order), scores, strict=True)) for way in ("dense", "full-text")})
    assert [name for name, _ in merged] == order[::-1]
    assert len({score for _, score in merged}) == 30


def test_what_stands_out_by_words_comes_before_the_first_of_a_flat_list():
    flat = [(f"noise-{n:02}", 0.30 - n * 0.001) for n in range(50)]
    words = [("found", 12.0), ("other", 1.0)]
    assert fused({"dense": flat, "full-text": words})[0][0] == "found"
    assert fused({"full-text": [("a", 1.0)], "dense": [("a", 0.5)]}) == [("a", 2.0)]
