"""How lists are merged: everything that decides it.

A hit scores, summed over the lists it is in, weight × how far its score stands out there: squared standard deviations
above the mean of the list, counted from what the lowest scores. Below the mean the square runs out smoothly, so that
what stands out nowhere is still in order. Ranks alone (reciprocal rank fusion) cannot tell that one list has found
something and the other is noise: on Chinese texts under an English model they lost 0.13 of the nDCG that full text
alone reaches. By how far scores stand out, hybrid search is level with its better part or above it on all that was
measured (docs/quality.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEPTH", "WEIGHTS", "fused"]

# How much each list counts.
WEIGHTS = {"dense": 1.0, "full-text": 1.0, "sparse": 1.0}
# How far down each list is looked, however few hits are wanted: far enough to know what a usual score is, and that what
# is second in the dense list and fiftieth in full text comes before what is first by a stray word alone.
DEPTH = 1000


def fused(lists: Mapping[str, Sequence[tuple[str, float]]]) -> list[tuple[str, float]]:
    """Merge lists of (id, score) by mode, each best first; returns (id, score), best first, equals by id.

    Full-text and sparse lists have only rows with some of the words: they are filled up with zeros, which is what
    other rows score, to the length of the longest list.
    """
    longest = max(map(len, lists.values()), default=0)
    names = list(dict.fromkeys(name for ranked in lists.values() for name, _ in ranked))
    columns = {name: column for column, name in enumerate(names)}
    shares = np.zeros((len(lists), len(names)))
    for row, (mode, ranked) in enumerate(lists.items()):
        scores = np.array([score for _, score in ranked], dtype=np.float64)
        if not scores.size:
            continue
        whole = scores if mode == "dense" else np.pad(scores, (0, longest - scores.size))
        spread = float(whole.std())
        # Where all scores are the same, the list says of its rows that they are found, and no more.
        share = _out((scores - whole.mean()) / spread) if spread else np.ones(scores.size)
        share -= _out((whole.min() - whole.mean()) / spread) if spread else 0.0
        shares[row, [columns[name] for name, _ in ranked]] = WEIGHTS[mode] * share
    # Summed smallest first, so that equals are equal whichever lists they are in.
    totals = np.sort(shares, axis=0).sum(axis=0)
    return [(name, -lost) for lost, name in sorted(zip((-totals).tolist(), names, strict=True))]


def _out(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square standard deviations above the mean, and let those below run out: (ln(1 + e^2z) / 2)²."""
    return (np.logaddexp(0.0, 2 * z) / 2) ** 2
