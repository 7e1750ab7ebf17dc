"""Lists are merged by how far scores stand out, so that a list of noise does not drown one that has found something."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relance.search.fusion import WEIGHTS, fused, usual

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
# Three times this factor, divided by three, is another number: the deviation of equal scores is not zero.
@example({"dense": [("a", 1.0), ("b", 1.0), ("c", 1.0)]}, 5.809956604890656)
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


tables = st.integers(2, 12).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(-1, 1).map(lambda score: round(score, 6)), min_size=n, max_size=n),
        st.lists(st.none() | st.floats(0.1, 20).map(lambda score: round(score, 6)), min_size=n, max_size=n),
    )
)


def lists_of(
    dense: list[float], words: list[float | None], copies: dict[int, int]
) -> dict[str, list[tuple[str, float]]]:
    """Make the lists of a table, where a row may be there several times."""
    rows = [(f"{row:02}-{copy}", row) for row in range(len(dense)) for copy in range(1 + copies.get(row, 0))]
    found = {mode: [(name, score) for name, row in rows if (score := scores[row]) is not None]
             for mode, scores in (("dense", dense), ("full-text", words))}  # fmt: skip
    return {mode: sorted(each, key=lambda hit: (-hit[1], hit[0])) for mode, each in found.items()}


@given(tables, st.dictionaries(st.integers(0, 11), st.integers(1, 30), max_size=3))
def test_copies_of_rows_change_neither_the_score_nor_the_order_of_any(table, copies):
    plain, more = fused(lists_of(*table, {})), fused(lists_of(*table, copies))
    assert [each for each in more if each[0].endswith("-0")] == plain
    assert all(score == dict(plain)[name[:3] + "0"] for name, score in more)


@given(tables, st.dictionaries(st.integers(0, 11), st.integers(1, 30), max_size=3))
def test_copies_of_rows_do_not_change_what_is_usual(table, copies):
    assert usual(lists_of(*table, copies)) == usual(lists_of(*table, {}))


def test_equal_scores_by_words_alone_are_no_copies():
    words = [("a", 9.0), *((name, 2.0) for name in "bcdefgh")]
    assert usual({"full-text": words})["full-text"].mean == pytest.approx((9 + 7 * 2) / 8)
