"""How lists are merged: everything that decides it.

Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): a hit scores the sum of weight / (K + rank) over the
lists it is in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from relance.sparse import fuse

__all__ = ["DEPTH", "WEIGHTS", "K", "fused"]

K = 60
# How much each way of searching counts.
WEIGHTS = {"vector": 1.0, "text": 1.0, "sparse": 1.0}
# How far down each list is looked, however few hits are wanted: what is second by meaning and thirtieth by words should
# come before what is first by a stray word alone. What is lower adds less than 1/160.
DEPTH = 100


def fused(rankings: Mapping[str, Sequence[str]]) -> list[tuple[str, float]]:
    """Merge lists of ids, best first, by way of searching; returns (id, score), best first."""
    return fuse(list(rankings.values()), k=K, weights=[WEIGHTS[way] for way in rankings])
