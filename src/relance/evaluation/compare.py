"""Systems side by side: which is best, and which differences are more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations, count
from math import comb
from typing import Any

import numpy as np

from relance.counted import counted
from relance.errors import InputError
from relance.evaluation.bootstrap import LEVEL, holm, intervals, randomization_test
from relance.evaluation.footprint import Footprint
from relance.evaluation.measures import MEASURES, Measure, title_of
from relance.evaluation.run import Evaluation
from relance.search import Mode

__all__ = ["Comparison", "Difference", "check_baseline", "compare", "labels", "numbered"]

ALPHA = 1 - LEVEL
_TRAITS = ("mode", "model", "index", "chunking", "dimension")  # what a name is made of, best first


@dataclass(slots=True, frozen=True)
class Difference:
    """How two systems differ, question by question.

    Attributes:
        system: label of the one, whose mean is higher by `mean` than that of `other`.
        low: of the bootstrap interval of the mean difference, as `high`.
        p: of a paired randomization test, adjusted by Holm for all pairs that were tested.
        wins: questions `system` answers better; those it answers worse are `losses`.
    """

    system: str
    other: str
    mean: float
    low: float
    high: float
    p: float
    wins: int
    losses: int

    @property
    def significant(self) -> bool:
        """Whether chance alone would show so large a difference in fewer than one of twenty such comparisons."""
        return self.p < ALPHA


@dataclass(slots=True, frozen=True)
class Comparison:
    """Several systems on the same questions.

    Attributes:
        measure: what they are compared by.
        reference: label of the one the others are held against: the best, or the one that was named.
        systems: in the order they were given, each with its label.
        differences: of all pairs, or of those with the reference if that was named beforehand.
        findings: which differences are significant, in sentences.
    """

    measure: Measure
    k: int
    reference: str
    systems: list[Evaluation]
    differences: list[Difference]
    findings: list[str]

    def as_dict(self, *, answers: bool = False) -> dict[str, Any]:
        """Return plain values; every answer of every system only if asked for."""
        differences = [asdict(each) | {"significant": each.significant} for each in self.differences]
        return {"measure": self.measure, "k": self.k, "reference": self.reference, "findings": self.findings,
                "systems": [each.as_dict(answers=answers) for each in self.systems],
                "differences": differences}  # fmt: skip

    def with_reference(self, name: str) -> Difference | None:
        """Return how a system differs from the reference (its mean minus the reference's); None for that itself."""
        for each in self.differences:
            if {each.system, each.other} == {name, self.reference}:
                return each if each.system == name else _turned(each)
        return None

    def by(self, measure: Measure) -> Comparison:
        """Compare the same systems with the same reference by another measure, testing as many pairs."""
        if measure == self.measure:
            return self
        named = len(self.differences) < comb(len(self.systems), 2)
        other = compare(self.systems, measure=measure, baseline=self.reference if named else "")
        return replace(other, reference=self.reference)


def compare(systems: Sequence[Evaluation], *, measure: Measure = "ndcg", baseline: str = "",
            seed: int = 0) -> Comparison:  # fmt: skip
    """Compare evaluations of the same questions; labels are made where they have none, and all of them told apart.

    All pairs are tested, since which one is best was not known beforehand. A `baseline` is: then only it is compared
    with the others, fewer tests are made, and smaller differences show.

    Args:
        systems: two or more, with answers, of the same dataset and k.
        measure: what they are compared by.
        baseline: label of the one to hold the others against; the best one by default.
        seed: of the resampling.

    Raises InputError if they did not answer the same questions, or no system is called like the baseline.
    """
    if not systems:
        raise InputError("there is nothing to compare")
    made = labels([(each.index, each.mode, each.footprint) for each in systems])
    names = numbered([each.label or name for each, name in zip(systems, made, strict=True)])
    systems = [replace(each, label=name) for each, name in zip(systems, names, strict=True)]
    _check(systems, measure)
    check_baseline(baseline, names)
    values = np.stack([each.values(measure) for each in systems], axis=1)
    means = values.mean(axis=0)
    reference = names.index(baseline) if baseline else int(means.argmax())
    pairs = [(a, b) if means[a] >= means[b] else (b, a) for a, b in combinations(range(len(names)), 2)
             if not baseline or reference in {a, b}]  # fmt: skip
    differences: list[Difference] = []
    if pairs:
        paired = np.stack([values[:, a] - values[:, b] for a, b in pairs], axis=1)
        chance = holm(randomization_test(paired, seed=seed).tolist())
        for (a, b), column, (low, high), p in zip(pairs, paired.T, intervals(paired, seed=seed), chance, strict=True):
            counts = int((column > 0).sum()), int((column < 0).sum())
            differences.append(
                Difference(names[a], names[b], float(column.mean()), float(low), float(high), p, *counts)
            )
    title = title_of(measure, systems[0].k)
    level = [name for name, mean in zip(names, means, strict=True) if np.isclose(mean, means[reference], atol=1e-12)]
    opening = f"{names[reference]} is the baseline by {title}." if baseline else _best(level, len(names), title)
    findings = _findings(names[reference], differences, opening)
    return Comparison(measure, systems[0].k, names[reference], list(systems), differences, findings)


def labels(systems: Sequence[tuple[str, Mode, Footprint]]) -> list[str]:
    """Name systems (index, mode, footprint) by as few of their traits as tell them apart."""
    every = [_traits(*each) for each in systems]
    choices = [chosen for size in range(1, len(_TRAITS) + 1) for chosen in combinations(_TRAITS, size)]
    telling = [chosen for chosen in choices if len({_name(traits, chosen) for traits in every}) == len(systems)]
    chosen = telling[0] if telling and len(systems) > 1 else ("mode", "index")
    return numbered([_name(traits, chosen) for traits in every])


def numbered(names: Sequence[str], form: str = "{} ({})") -> list[str]:
    """Make names differ: one that was there before has a number."""
    taken: dict[str, None] = {}
    for name in names:
        again = (form.format(name, number) for number in count(2))
        taken[name if name not in taken else next(each for each in again if each not in {*taken, *names})] = None
    return list(taken)


def check_baseline(baseline: str, names: Sequence[str]) -> None:
    """Raise InputError if no system is called like the baseline; none is well."""
    if baseline and baseline not in names:
        msg = f"no system is called {baseline!r}; there are: {'; '.join(names)}"
        raise InputError(msg)


def _traits(index: str, mode: Mode, taken: Footprint) -> dict[str, str]:
    return {"index": index, "model": taken.model.rpartition("/")[2], "chunking": f"({taken.chunking})",
            "dimension": f"{taken.dimension} d" if taken.dimension else "", "mode": mode}  # fmt: skip


def _name(traits: dict[str, str], chosen: Sequence[str]) -> str:
    return " ".join(trait for kind, trait in traits.items() if kind in chosen and trait)


def _check(systems: Sequence[Evaluation], measure: Measure) -> None:
    if measure not in MEASURES:
        msg = f"there is no measure {measure!r}; there are {', '.join(MEASURES)}"
        raise InputError(msg)
    if len({tuple(sorted((answer.id, answer.query) for answer in each.answers)) for each in systems}) > 1:
        raise InputError("systems can be compared by the same questions only; evaluate them with one dataset")
    if len({each.k for each in systems}) > 1:
        raise InputError("systems can be compared at the same k only")


def _best(level: Sequence[str], systems: int, title: str) -> str:
    """Say which system is best, or which ones are level."""
    if len(level) == 1:
        return f"{level[0]} has the highest {title}."
    if len(level) == systems:
        return f"All have the same {title}."
    return f"{', '.join(level[:-1])} and {level[-1]} have the same {title}, the highest."


def _findings(reference: str, differences: Sequence[Difference], opening: str) -> list[str]:
    """Say of every other system whether it differs from the reference by more than chance."""
    against = [each for each in differences if reference in {each.system, each.other}]
    if not against:
        return []
    better = [each for each in against if each.system == reference and each.significant]
    worse = [each for each in against if each.other == reference and each.significant]
    open_ones = [each for each in against if not each.significant]
    found = [opening]
    found += [f"{reference} is better than {each.other}: {_size(each)}." for each in better]
    found += [f"{each.system} is better than {reference}: {_size(each)}." for each in worse]
    found += [f"No difference is shown between {reference} and "
              f"{each.other if each.system == reference else each.system}: {_size(each)}."
              for each in open_ones]  # fmt: skip
    return found


def _size(each: Difference) -> str:
    chance = "p < 0.001" if each.p < 0.001 else f"p = {each.p:.3f}"
    wins = counted(each.wins, "question")
    return f"{each.mean:+z.3f} [{each.low:+z.3f}, {each.high:+z.3f}], {chance}, {wins} to {each.losses:,}"


def _turned(each: Difference) -> Difference:
    mean, low, high = (0.0 - value for value in (each.mean, each.high, each.low))  # no -0.0
    return Difference(each.other, each.system, mean, low, high, each.p, each.losses, each.wins)
