"""The measures, each of one question: a ranking and the grades of documents to a number from 0 to 1.

They are trec_eval's, which BEIR (Thakur et al. 2021) takes as well, and equal it to 1e-9 (`pytrec_eval`):

| here | trec_eval |
|---|---|
| `ndcg` | `ndcg_cut_k`: gains are the grades as they are, discounted by log2(rank + 1); the ideal is cut at k, too |
| `recall` | `recall_k`, of all relevant documents |
| `reciprocal_rank` | `recip_rank` of the ranking cut at k |
| `average_precision` | `map_cut_k`: divided by all relevant documents, found or not |
| `precision` | `P_k`: divided by k, however few were found |

A grade above 0 is relevant, one of 0 or below is not and gains nothing, and a document nobody judged is like one of
grade 0. A question without a relevant document scores 0 everywhere; `evaluate` does not ask it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

__all__ = [
    "MEASURES",
    "Measure",
    "average_precision",
    "ndcg",
    "precision",
    "ranked",
    "recall",
    "reciprocal_rank",
    "title_of",
]

Measure = Literal["ndcg", "recall", "mrr", "map", "precision"]
Grades = Mapping[str, int]


def ndcg(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """Normalised discounted cumulative gain of the first `k` documents (Järvelin and Kekäläinen 2002)."""
    best = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
    ideal = _gain(best[:k])
    return _gain([max(0, grades.get(uri, 0)) for uri in ranking[:k]]) / ideal if ideal else 0.0


def recall(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """Share of the relevant documents that are among the first `k`."""
    relevant = _relevant(grades)
    return len(relevant.intersection(ranking[:k])) / len(relevant) if relevant else 0.0


def precision(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """Share of `k` places that have a relevant document."""
    return len(_relevant(grades).intersection(ranking[:k])) / k


def reciprocal_rank(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """One divided by the place of the first relevant document; 0 if it is not among the first `k`."""
    return next((1 / rank for rank, uri in enumerate(ranking[:k], start=1) if grades.get(uri, 0) > 0), 0.0)


def average_precision(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """Mean over all relevant documents of the precision at their places; 0 for those not among the first `k`."""
    relevant = _relevant(grades)
    found, total = 0, 0.0
    for rank, uri in enumerate(ranking[:k], start=1):
        if uri in relevant:
            found += 1
            total += found / rank
    return total / len(relevant) if relevant else 0.0


MEASURES: dict[Measure, Callable[[Sequence[str], Grades, int], float]] = {
    "ndcg": ndcg,
    "recall": recall,
    "mrr": reciprocal_rank,
    "map": average_precision,
    "precision": precision,
}

_TITLES: dict[Measure, str] = {"ndcg": "nDCG", "recall": "Recall", "mrr": "MRR", "map": "MAP", "precision": "P"}


def title_of(measure: Measure, k: int) -> str:
    """Name a measure as papers do: `nDCG@10`."""
    return f"{_TITLES[measure]}@{k}"


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Order documents by score as trec_eval does: in float32, and equals by id, the greater one first."""
    return sorted(scores, key=lambda name: (np.float32(scores[name]), name.encode()), reverse=True)


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def _relevant(grades: Grades) -> set[str]:
    return {uri for uri, grade in grades.items() if grade > 0}
