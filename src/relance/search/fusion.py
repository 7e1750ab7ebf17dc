"""How lists are merged: everything that decides it.

A hit scores, summed over the lists it is in, weight × z²: z is how many standard deviations its score lies above the
mean of the list, 0 if below. Ranks alone (reciprocal rank fusion) cannot tell that one list has found something and the
other is noise: on Chinese texts under an English model they lost 0.13 of the nDCG that words alone reach. By how far
scores stand out, hybrid search is level with its better part or above it on all that was measured (docs/quality.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["DEPTH", "WEIGHTS", "fused"]

# How much each way of searching counts.
WEIGHTS = {"vector": 1.0, "text": 1.0, "sparse": 1.0}
# How far down each list is looked, however few hits are wanted: far enough to know what a usual score is, and that what
# is second by meaning and fiftieth by words comes before what is first by a stray word alone.
DEPTH = 1000


def fused(lists: Mapping[str, Sequence[tuple[str, float]]]) -> list[tuple[str, float]]:
    """Merge lists of (id, score) by way of searching, each best first; returns (id, score), best first, equals by id.

    Lists of words and terms name only what has some of them: they are filled up with zeros, which is what other rows
    score, to the length of the longest list.
    """
    longest = max(map(len, lists.values()), default=0)
    shares: dict[str, list[float]] = {}
    for way, ranked in lists.items():
        scores = np.array([score for _, score in ranked], dtype=np.float64)
        if not scores.size:
            continue
        whole = scores if way == "vector" else np.pad(scores, (0, longest - scores.size))
        spread = float(whole.std())
        # Where all scores are the same, the list says of its rows that they are found, and no more.
        above = np.clip((scores - whole.mean()) / spread, 0.0, None) if spread else np.ones(scores.size)
        for (name, _), z in zip(ranked, above.tolist(), strict=True):
            shares.setdefault(name, []).append(WEIGHTS[way] * z * z)
    # fsum does not depend on the order of the lists, so that equals are equal.
    return sorted(((name, math.fsum(each)) for name, each in shares.items()), key=lambda hit: (-hit[1], hit[0]))
