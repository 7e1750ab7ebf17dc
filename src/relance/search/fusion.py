"""How lists are merged: everything that decides it.

A hit scores, summed over the lists it is in, weight × how far its score stands out there: squared standard deviations
above the mean of the list, counted from what the lowest scores. Below the mean the square runs out smoothly, so that
what stands out nowhere is still in order. Ranks alone (reciprocal rank fusion) cannot tell that one list has found
something and the other is noise: on Chinese texts under an English model they lost 0.13 of the nDCG that full text
alone reaches. By how far scores stand out, hybrid search is level with its better part or above it on all that was
measured (docs/quality.md).

Copies count once in mean and deviation, so they do not change the scores of other hits. Rows with the same score in
every list, one of them of vectors, are copies. Equal scores of a full-text search alone say nothing: BM25 of a single
word has few values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEPTH", "WEIGHTS", "Usual", "fused", "usual"]

# How much each list counts.
WEIGHTS = {"dense": 1.0, "full-text": 1.0, "sparse": 1.0}
# How far down each list is looked, however few hits are wanted: far enough to know what a usual score is, and that what
# is second in the dense list and fiftieth in full text comes before what is first by a stray word alone.
DEPTH = 1000
# Scores this close to each other, relative to the highest, are the same: below it a 32-bit score is rounding. Asking
# whether the deviation is zero is no test of that: three times 5.809956604890656 has one of 1e-15.
SAME = 1e-7


class Usual(NamedTuple):
    """What is usual in a list: its lowest score, the mean and the standard deviation; 0 where all are the same."""

    lowest: float
    mean: float
    spread: float
    count: int

    def deviations(self, score: float) -> float:
        """Say how many standard deviations a score is above the mean."""
        return (score - self.mean) / self.spread if self.spread else 0.0


def usual(lists: Mapping[str, Sequence[tuple[str, float]]]) -> dict[str, Usual]:
    """Say what is usual in each list that is not empty. Arguments: see `fused`.

    Full-text and sparse lists have only rows with some of the words: they are filled up with zeros, which is what
    other rows score, to the length of the longest list.
    """
    copies = _copies(lists)
    scores = {mode: [score for name, score in ranked if name not in copies] for mode, ranked in lists.items()}
    longest = max(map(len, scores.values()), default=0)
    made = {}
    for mode, each in scores.items():
        if each:
            whole = np.array(sorted(each))  # the same sum in any order
            whole = whole if mode == "dense" else np.pad(whole, (longest - whole.size, 0))
            same = np.ptp(whole) <= SAME * np.abs(whole).max()
            made[mode] = Usual(float(whole.min()), float(whole.mean()), 0.0 if same else float(whole.std()), longest)
    return made


def _copies(lists: Mapping[str, Sequence[tuple[str, float]]]) -> set[str]:
    """Name the rows that have the same scores in every list as another one; only those tied by their vectors can."""
    tied: dict[str, None] = {}
    for mode in {"dense", "sparse"} & lists.keys():
        counts = Counter(score for _, score in lists[mode])
        if len(counts) < len(lists[mode]):
            tied |= dict.fromkeys(name for name, score in lists[mode] if counts[score] > 1)
    if not tied:
        return set()
    found = [dict(ranked) for ranked in lists.values()]
    first: dict[tuple[float | None, ...], str] = {}
    return {name for name in tied if first.setdefault(tuple(each.get(name) for each in found), name) != name}


def fused(lists: Mapping[str, Sequence[tuple[str, float]]],
          known: Mapping[str, Usual] | None = None) -> list[tuple[str, float]]:  # fmt: skip
    """Merge lists of (id, score) by mode, each best first; returns (id, score), best first, equals by id.

    `known` is what `usual` says of them, where it was asked already.
    """
    names = list(dict.fromkeys(name for ranked in lists.values() for name, _ in ranked))
    columns = {name: column for column, name in enumerate(names)}
    shares = np.zeros((len(lists), len(names)))
    known = usual(lists) if known is None else known
    for row, (mode, ranked) in enumerate(lists.items()):
        if not ranked:
            continue
        scores = np.array([score for _, score in ranked], dtype=np.float64)
        lowest, mean, spread, _ = known[mode]
        # Where all scores are the same, the list says of its rows that they are found, and no more.
        share = _out((scores - mean) / spread) - _out((lowest - mean) / spread) if spread else np.ones(scores.size)
        shares[row, [columns[name] for name, _ in ranked]] = WEIGHTS[mode] * share
    # Summed smallest first, so that equals are equal whichever lists they are in.
    totals = np.sort(shares, axis=0).sum(axis=0)
    return [(name, -lost) for lost, name in sorted(zip((-totals).tolist(), names, strict=True))]


def _out(z: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Square standard deviations above the mean, and let those below run out: (ln(1 + e^2z) / 2)²."""
    return (np.logaddexp(0.0, 2 * z) / 2) ** 2
