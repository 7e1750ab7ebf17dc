"""Which points belong together: k-means, with a number of clusters it finds itself, and HDBSCAN."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from relance.analysis.projection import Layout

__all__ = ["Method", "Partition", "by_density", "by_means", "quality"]

Method = Literal["kmeans", "hdbscan"]

# Tried when no number is given. More than twenty clusters nobody reads, unless there plainly are more.
_TRIED = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20)
_MANY = (25, 30, 35, 40, 50)
# Silhouettes compare every point with every other: 2,000 take 0.1 s.
_JUDGED = 2_000
# Of texts a silhouette is low and hardly changes with k (Cranfield: 0.055 for 2, 0.071 for 20), so that the best one
# says little; the finest division that is about as good says most.
_ABOUT = 0.9
# Points without any structure, in 256 dimensions, reach 0.016.
_STRUCTURE = 0.03
_STARTS = 4
_VOTES = 5


class Partition(Protocol):
    """Clusters that new points can be assigned to."""

    labels: NDArray[np.int32]

    def assign(self, reduced: NDArray[np.float32]) -> NDArray[np.int32]:
        """Return the cluster of each point, -1 for none."""
        ...


class by_means:  # noqa: N801  # reads as what it is: a partition by means
    """K-means of points of a `Space`; `k` of None lets `_choose` decide.

    Of unit vectors the squared Euclidean distance is twice the cosine distance, so this is k-means by cosine but for
    the length of the means (Dhillon and Modha 2001).
    """

    def __init__(self, reduced: NDArray[np.float32], k: int | None = None, *, seed: int = 0) -> None:
        distinct = len(np.unique(reduced.round(6), axis=0))
        k = min(_choose(reduced, distinct, seed) if k is None else k, distinct)
        self._model = _kmeans(reduced, k, seed)
        self.labels: NDArray[np.int32] = self._model.labels_.astype(np.int32)

    def assign(self, reduced: NDArray[np.float32]) -> NDArray[np.int32]:
        """See `Partition`."""
        return self._model.predict(np.ascontiguousarray(reduced)).astype(np.int32)


class by_density:  # noqa: N801
    """HDBSCAN (Campello et al. 2013) of points where they lie on their map; what is thinly settled is noise.

    In 50 dimensions nothing of a text corpus is dense: on Cranfield everything is noise there, and with 10 dimensions
    what is found is no better than chance. On the t-SNE map it is 34 clusters and 27 % noise, in which documents that
    answer the same question meet 10 times as often as by chance.
    """

    def __init__(self, reduced: NDArray[np.float32], layout: Layout) -> None:
        from sklearn.cluster import HDBSCAN
        from sklearn.neighbors import KNeighborsClassifier

        positions, n = layout.place(reduced), len(reduced)
        smallest = int(np.clip(round(np.sqrt(n) / 4), 3, 50))
        if n <= smallest or np.ptp(positions, axis=0).max() < 1e-9:
            self.labels: NDArray[np.int32] = np.zeros(n, np.int32)
        else:
            model = HDBSCAN(min_cluster_size=smallest, min_samples=min(5, smallest), copy=True)
            self.labels = model.fit_predict(positions.astype(np.float64)).astype(np.int32)
        # A point votes by its nearness, so that those it was made from keep their own label.
        votes = KNeighborsClassifier(min(_VOTES, n), weights="distance", algorithm="brute")
        self._votes = votes.fit(reduced, self.labels)

    def assign(self, reduced: NDArray[np.float32]) -> NDArray[np.int32]:
        """See `Partition`: by the vote of the five nearest points."""
        return self._votes.predict(reduced).astype(np.int32)


def quality(reduced: NDArray[np.float32], labels: NDArray[np.int32], *, seed: int = 0,
            most: int = _JUDGED) -> float | None:  # fmt: skip
    """Return the mean silhouette (Rousseeuw 1987), -1 to 1; None of fewer than two clusters.

    Of more than `most` points (2,000) it is that of a sample of so many.
    """
    from sklearn.metrics import silhouette_score

    reduced, labels = reduced[labels >= 0], labels[labels >= 0]
    if len(labels) > most:
        chosen = np.random.default_rng(seed).choice(len(labels), most, replace=False)
        reduced, labels = reduced[chosen], labels[chosen]
    if not 2 <= len(np.unique(labels)) < len(labels):
        return None
    return float(silhouette_score(reduced, labels))


def _choose(reduced: NDArray[np.float32], distinct: int, seed: int) -> int:
    """Choose how many clusters: the most whose silhouette is within a tenth of the best, if any is worth it.

    More than twenty have to be better than all fewer by a tenth. Divisions with a cluster of one point are left out.
    """
    if len(reduced) > 2 * _JUDGED:
        reduced = reduced[np.random.default_rng(seed).choice(len(reduced), 2 * _JUDGED, replace=False)]
    scores: dict[int, float] = {}
    for k in (*_TRIED, *_MANY):
        if k > min(distinct, len(reduced) // 2):
            break
        labels = _kmeans(reduced, k, seed).labels_
        score = quality(reduced, labels, seed=seed)
        if score is not None and np.bincount(labels).min() > 1:
            scores[k] = score
    few = max((score for k, score in scores.items() if k in _TRIED), default=0.0)
    scores = {k: score for k, score in scores.items() if k in _TRIED or score * _ABOUT > few}
    best = max(scores.values(), default=0.0)
    return max((k for k, score in scores.items() if score >= best * _ABOUT), default=1) if best >= _STRUCTURE else 1


def _kmeans(reduced: NDArray[np.float32], k: int, seed: int) -> Any:
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=_STARTS, random_state=seed).fit(np.ascontiguousarray(reduced))
