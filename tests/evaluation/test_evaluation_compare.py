"""Comparing systems: intervals, tests and what is said of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from relance.errors import InputError
from relance.evaluation import Answer, Comparison, Evaluation, Footprint, compare
from relance.evaluation.bootstrap import holm, intervals, randomization_test
from relance.evaluation.measures import MEASURES
from relance.evaluation.page import evaluation_page
from relance.evaluation.plot import comparison_png
from relance.evaluation.tables import comparison_markdown, quality_cells
from relance.search import Mode

MODES: tuple[Mode, ...] = ("full-text", "dense")
PNG = b"\x89PNG\r\n\x1a\n"


def system(values: Sequence[float] | NDArray[np.float64], label: str = "", *, mode: Mode = "dense", model: str = "local/a",
           dimension: int = 256, missing: Sequence[str] = (), index: str = "notes", chunking: str = "auto 256",
           recall: Sequence[float] | None = None) -> Evaluation:  # fmt: skip
    """Make up an evaluation whose questions have these values in every measure, but for `recall` if that is given."""
    answers = [Answer(f"q{n}", "?", [], value, found, *[float(value)] * 3, latency_ms=1.0)
               for n, (value, found) in enumerate(zip(map(float, values), recall or values, strict=True))]  # fmt: skip
    mean = math.fsum(values) / len(answers)
    bounds = tuple(intervals(np.array(values, dtype=float)[:, None])[0].tolist())
    taken = Footprint("" if mode == "full-text" else model, dimension, chunking, 0.07, 4.0 * dimension, 100, 2**20)
    return Evaluation(
        index=index, mode=mode, k=10, queries=len(answers), **dict.fromkeys(MEASURES, mean),
        intervals=dict.fromkeys(MEASURES, bounds), latency_ms_p50=1, latency_ms_p95=2, embed_ms_p50=None, skipped=0,
        missing=len(missing), missing_documents=list(missing),
        fingerprint="0", table_version=1, footprint=taken, label=label, answers=answers,
    )  # fmt: skip


def draw(*means: float, questions: int = 60, seed: int = 1) -> list[NDArray[np.float64]]:
    """Make systems whose questions are alike hard, with these means."""
    rng = np.random.default_rng(seed)
    hard = rng.uniform(-0.2, 0.2, questions)
    return [np.clip(mean + hard + rng.normal(0, 0.05, questions), 0, 1) for mean in means]


# -- resampling -------------------------------------------------------------------------------------------------


def test_an_interval_is_what_theory_says_of_many_questions() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.2, (400, 1))
    ((low, high),) = intervals(values)
    half = 1.96 * values.std() / math.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.002)


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Of 400 samples of 50 questions, 95 % of the intervals should hold the mean they were drawn from."""
    rng = np.random.default_rng(7)
    bounds = intervals(rng.beta(2, 1, (50, 400)))  # columns are samples of their own
    covered = np.mean([low <= 2 / 3 <= high for low, high in bounds])
    assert 0.91 <= covered <= 0.97


def test_resampling_is_repeatable_and_needs_questions() -> None:
    values = np.random.default_rng(0).random((30, 2))
    assert (intervals(values) == intervals(values)).all()
    assert (intervals(values, seed=1) != intervals(values)).any()
    assert randomization_test(values) == pytest.approx(randomization_test(values))
    assert intervals(np.full((20, 1), 0.3)) == pytest.approx(np.full((1, 2), 0.3))
    with pytest.raises(InputError, match="without questions"):
        intervals(np.zeros((0, 1)))


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=8))
def test_few_questions_are_tested_exactly(differences: list[float]) -> None:
    """By all signs, one after the other."""
    seen = abs(sum(differences))
    sums = [abs(sum(sign * each for sign, each in zip(signs, differences, strict=True)))
            for signs in itertools.product((1, -1), repeat=len(differences))]  # fmt: skip
    expected = np.mean([each >= seen - 1e-12 for each in sums])
    assert randomization_test(np.array(differences)[:, None])[0] == pytest.approx(expected)


def test_chance_alone_is_seldom_called_significant() -> None:
    noise = np.random.default_rng(3).normal(0, 1, (40, 300))
    assert 0.02 <= (randomization_test(noise) < 0.05).mean() <= 0.08


def test_several_tests_are_adjusted_as_holm_says() -> None:
    # 3 × 0.01, 2 × 0.02, 1 × 0.03 raised to the one before; the order given is kept.
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


# -- systems side by side ---------------------------------------------------------------------------------------


def test_a_difference_is_told_from_chance() -> None:
    low, mid, high = draw(0.4, 0.6, 0.605)
    found = compare([system(low, "weak"), system(mid, "good"), system(high, "best")])
    assert (found.reference, len(found.differences)) == ("best", 3)
    weak, good, itself = (found.with_reference(name) for name in ("weak", "good", "best"))
    assert itself is None
    assert weak is not None
    assert good is not None
    assert (weak.significant, good.significant) == (True, False)
    assert weak.low <= weak.mean <= weak.high < 0
    assert weak.mean == pytest.approx(low.mean() - high.mean())
    assert weak.wins + weak.losses <= 60
    assert found.findings[0] == "best has the highest nDCG@10."
    assert found.findings[1].startswith("best is better than weak: +0.2")
    assert found.findings[2].startswith("No difference is shown between best and good")


def test_a_baseline_named_beforehand_needs_fewer_tests() -> None:
    systems = [system(values, name) for name, values in zip("abcd", draw(0.5, 0.52, 0.53, 0.3), strict=True)]
    named, unnamed = compare(systems, baseline="a"), compare(systems)
    assert (len(named.differences), len(unnamed.differences)) == (3, 6)
    assert {each.system for each in named.differences} | {each.other for each in named.differences} == set("abcd")
    assert named.findings[0] == "a is the baseline by nDCG@10."
    assert any(each.startswith("a is better than d") for each in named.findings)
    same = next(each for each in unnamed.differences if {each.system, each.other} == {"a", "b"})
    with_a = next(each for each in named.differences if "b" in {each.system, each.other})
    assert with_a.p <= same.p
    assert (with_a.mean, with_a.low, with_a.high) == pytest.approx((same.mean, same.low, same.high))


def test_a_system_is_as_good_as_itself() -> None:
    values = draw(0.5)[0]
    (only,) = compare([system(values, "a"), system(values, "b")]).differences
    assert (only.mean, only.low, only.high, only.p, only.significant) == (0, 0, 0, 1, False)


def test_answers_are_paired_by_question_not_by_place() -> None:
    first, second = system([0.1, 0.9, 0.5], "a"), system([0.1, 0.9, 0.5], "b")
    second.answers.reverse()
    (only,) = compare([first, second]).differences
    assert (only.wins, only.losses) == (0, 0)


def test_systems_are_called_by_what_sets_them_apart() -> None:
    values = [0.5, 0.6]
    found = compare([system(values, mode="full-text", dimension=0), system(values), system(values, mode="hybrid")])
    assert [each.label for each in found.systems] == ["full-text", "dense", "hybrid"]
    found = compare([system(values), system(values, model="local/b", dimension=384)])
    assert [each.label for each in found.systems] == ["a", "b"]
    found = compare([system(values), system(values, dimension=64)])
    assert [each.label for each in found.systems] == ["256 d", "64 d"]
    found = compare([system(values), system(values, mode="hybrid"), system(values, mode="hybrid", model="local/b")])
    assert [each.label for each in found.systems] == ["a dense", "a hybrid", "b hybrid"]
    found = compare([system(values), system(values)])
    assert [each.label for each in found.systems] == ["notes dense", "notes dense (2)"]
    others = [system(values, mode=mode, index="other", model="local/b", chunking="text 64") for mode in MODES]
    found = compare([*(system(values, mode=mode) for mode in MODES), *others])
    assert [each.label for each in found.systems] == [
        "notes full-text",
        "notes dense",
        "other full-text",
        "other dense",
    ]


def test_labels_made_for_one_comparison_do_not_reach_the_next() -> None:
    a, c = system([0.5, 0.6], mode="full-text", index="a"), system([0.5, 0.7], mode="full-text", index="c")
    assert [compare([each]).systems[0].label for each in (a, c)] == ["a full-text", "c full-text"]
    assert [each.label for each in compare([a, c]).systems] == ["a", "c"]
    assert (a.label, c.label) == ("", "")
    twin = system([0.5, 0.7], mode="full-text", index="a")
    again = compare([*compare([a]).systems, *compare([twin]).systems])
    assert [each.label for each in again.systems] == ["a full-text", "a full-text (2)"]
    same = compare([system([0.5, 0.6], "x"), system([0.5, 0.7], "x"), system([0.5, 0.8], "x (2)")])
    assert [each.label for each in same.systems] == ["x", "x (3)", "x (2)"]
    assert same.reference == "x (2)"


def test_systems_that_are_level_are_none_the_best() -> None:
    level = compare([system([0.5, 0.25], "a"), system([0.25, 0.5], "b")])
    assert level.findings[0] == "All have the same nDCG@10."
    nothing = compare([system([0.0, 0.0], "a"), system([0.0, 0.0], "b")])
    assert nothing.findings[0] == "All have the same nDCG@10."
    assert "-0.000" not in comparison_markdown(nothing)
    turned = nothing.with_reference("b")
    assert turned is not None
    assert str(turned.mean) == str(turned.low) == str(turned.high) == "0.0"
    two = compare([system([0.5, 0.25], "a"), system([0.0, 0.0], "c"), system([0.25, 0.5], "b")])
    assert two.findings[0] == "a and b have the same nDCG@10, the highest."


def test_the_tables_put_what_is_compared_and_how_sure_it_is_first() -> None:
    head = quality_cells(compare([system([0.1, 0.2], "a"), system([0.2, 0.3], "b")])).head
    assert head == ["system", "nDCG@10", "± nDCG@10", "p", "Recall@10", "MRR@10", "MAP@10"]
    head = quality_cells(compare([system([0.1, 0.2], "a"), system([0.2, 0.3], "b")], measure="precision")).head
    assert head == ["system", "P@10", "± P@10", "p", "nDCG@10", "Recall@10", "MRR@10", "MAP@10"]
    assert quality_cells(compare([system([0.1, 0.2], "a")])).head[1:3] == ["nDCG@10", "Recall@10"]


def test_one_is_not_many() -> None:
    one = compare([system([0.1], "a"), system([0.2], "b")])
    said = comparison_markdown(one)
    assert "1 question;" in said
    assert "1 question to 0" in said
    assert "for 1 test;" in said


def test_what_cannot_be_compared_is_refused() -> None:
    one = system([0.1, 0.2], "one")
    with pytest.raises(InputError, match="nothing to compare"):
        compare([])
    with pytest.raises(InputError, match="same questions"):
        compare([one, system([0.1], "other")])
    others = replace(one, answers=[replace(each, query="another one") for each in one.answers])
    with pytest.raises(InputError, match="same questions"):  # two golden files, each with a question 1 and 2
        compare([one, others])
    with pytest.raises(InputError, match="no system is called 'two'; there are: one"):
        compare([one], baseline="two")
    other = system([0.1, 0.2], "other")
    other.k = 5
    with pytest.raises(InputError, match="same k"):
        compare([one, other])


# -- what is shown ----------------------------------------------------------------------------------------------


@pytest.fixture
def shown() -> Comparison:
    low, high = draw(0.4, 0.6)
    return compare(
        [
            system(low, "全文 <script>$1|2", mode="full-text", missing=["a.md", "b.md", "c$.md", "d.md"]),
            system(high, "best"),
        ]
    )


def test_tables_are_safe_to_show(shown: Comparison) -> None:
    text = comparison_markdown(shown)
    assert r"全文 \<script\>\$1\|2" in text
    assert "| best | a | 256 | 100 | 0.07 | 0.95 | 1.0 | 1 | 2 | — |" in text
    assert r"4 relevant documents are not in the index of 全文 \<script\>\$1\|2" in text
    assert r"missing: a.md, b.md, c\$.md, …." in text
    widths = [line.replace(r"\|", "").count("|") for line in text.splitlines() if line.startswith("|")]
    assert len(set(widths[:4])) == 1, "a name does not break the table"


def test_a_page_needs_nothing_else_and_runs_nothing(shown: Comparison) -> None:
    page = evaluation_page(shown, [], title="<b>notes</b>")
    assert "<script" not in page
    assert "&lt;b&gt;notes&lt;/b&gt;" in page
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "data:image/png;base64,iVBOR" in page


def test_each_measure_of_the_picture_is_tested() -> None:
    """Of nDCG the difference is beyond chance, of recall it is not: the point of recall is hollow."""
    low, high, noise = draw(0.4, 0.6, 0.5)
    found = compare([system(high, "best", recall=list(noise)), system(low, "weak", recall=list(noise))])
    by_recall = found.by("recall")
    differences = found.with_reference("weak"), by_recall.with_reference("weak")
    assert [each is not None and each.significant for each in differences] == [True, False]
    assert (by_recall.reference, by_recall.measure) == ("best", "recall")
    assert _fills(found) == [["#0072B2", "#D55E00"], ["white", "#D55E00"]]


def test_another_measure_is_tested_by_as_many_pairs() -> None:
    systems = [system(values, name) for name, values in zip("abc", draw(0.5, 0.52, 0.53), strict=True)]
    assert [len(compare(systems, baseline=name).by("recall").differences) for name in ("", "a")] == [3, 2]
    assert compare(systems, baseline="a").by("recall").reference == "a"


def _fills(found: Comparison) -> list[list[str]]:
    """Draw, and return what the points of each panel are filled with, from below."""
    from matplotlib.axes import Axes

    fills: list[tuple[str, str]] = []
    plot = Axes.plot

    def noted(axis: Axes, *arguments: Any, **options: Any) -> Any:
        if "markerfacecolor" in options:
            fills.append((str(id(axis)), options["markerfacecolor"]))
        return plot(axis, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Axes, "plot", noted)
        comparison_png(found)
    panels = dict.fromkeys(axis for axis, _ in fills)
    return [[fill for axis, fill in fills if axis == panel] for panel in panels]


def test_a_picture_is_drawn_of_any_name_and_any_number(shown: Comparison) -> None:
    """Warnings are errors: no glyph may be missing, no formula may be begun."""
    assert comparison_png(shown, title="cmrc-zh 检索 \U000f1234 $x$ ☃").startswith(PNG)
    assert comparison_png(compare([system([0.2, 0.2], "one")])).startswith(PNG)
    many = compare([system(values, f"system {n}") for n, values in enumerate(draw(*[0.5] * 12))])
    assert comparison_png(many).startswith(PNG)
