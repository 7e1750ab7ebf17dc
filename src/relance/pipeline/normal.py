"""What is normal: a set of points, and how far from it another one is.

Three ways to tell, all of them distances that grow with strangeness:

- `centroid`: one minus the cosine to the mean, as on DashScope's page. For a set that is about one thing.
- `knn`: the mean cosine distance to the nearest neighbours (Angiulli & Pizzuti 2002). For a set about several things.
- `lof`: the local outlier factor (Breunig et al. 2000), which compares how dense it is around a point with how dense it
  is around its neighbours. For a set of dense and sparse regions; 1 is normal whatever the model.

How far is too far is learnt from the set itself: each of its own points is scored as if it were not there, and the
threshold is their median plus so many deviations (3.5, as Iglewicz & Hoaglin 1993 take). A deviation is the scaled
median absolute one, which survives a set in which up to half of the points are strange themselves; or less, where by
that the farthest of the set's own points were well within: what is farther than all of n points that are normal is
normal with a chance of 1 in n + 1. No fixed cosine would do: those of multilingual-e5-small are between 0.7 and 1
whatever is compared, other models' spread over the whole range.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from relance.errors import InputError, MissingExtraError
from relance.store.points import Points

__all__ = ["FEWEST", "Method", "Normal", "threshold_of"]

Method = Literal["auto", "centroid", "knn", "lof"]

FEWEST = 4  # points that can tell what is normal, if need be
_BLOCK = 1024  # points compared at once: times a reference of 5,000 that is 20 MB
_SCALE = 1.4826  # turns a median absolute deviation into a standard deviation of a normal distribution
_MEAN_SCALE = 1.2533  # the same of a mean absolute deviation
_LOF_NEIGHBOURS = 20
_TOLERANCE = 3.5  # how many deviations the farthest of normal points may be away
_ENOUGH = 20  # points whose farthest tells something: one in 21 is farther by chance


class Normal:
    """A reference set and its threshold; `block` points are compared at once.

    Attributes:
        method: never `auto`, which is `knn`.
        threshold: scores above are anomalous; `median` is what is usual.
        scores: of the reference's own points, each as if it were not there; float32, shape (reference,).
    """

    def __init__(self, points: Points, *, method: Method = "auto", neighbours: int = 5, tolerance: float = 3.5,
                 block: int = _BLOCK) -> None:  # fmt: skip
        if len(points) < FEWEST:
            msg = f"{len(points)} documents are too few to know what is normal; it takes at least {FEWEST}"
            raise InputError(msg)
        if neighbours < 1 or not 0 < tolerance < math.inf:
            msg = f"neighbours and tolerance must be more than 0 and finite, got {neighbours} and {tolerance:g}"
            raise InputError(msg)
        self.points = points
        self._block = block
        self.method: Method = method if method != "auto" else "knn"
        least = _LOF_NEIGHBOURS if self.method == "lof" else 1
        self._neighbours = min(max(neighbours, least), len(points) - 1)
        self._places = {name: place for place, name in enumerate(points.ids)}
        self._model: Any = None
        if self.method == "centroid":
            self._fit_centre()
        elif self.method == "lof":
            self._fit_lof()
        else:
            self.scores = self._distances(points.vectors, points.ids)
        self.median, self.threshold = threshold_of(self.scores, tolerance)

    def score(self, vectors: NDArray[np.float32], ids: list[str]) -> NDArray[np.float32]:
        """Score points; vectors of unit length, shape (points, dimension): scores of shape (points,).

        One that is of the reference itself (by id) is not its own neighbour.
        """
        if self.method == "knn":
            return self._distances(vectors, ids)
        scores = 1 - vectors @ self._centre if self.method == "centroid" else -self._model.score_samples(vectors)
        own = [self._places.get(name, -1) for name in ids]
        return np.where(np.array(own, int) >= 0, self.scores[own], scores).astype(np.float32)

    def nearest(self, vectors: NDArray[np.float32], ids: list[str], n: int = 3) -> list[list[tuple[int, float]]]:
        """Find the `n` most similar points of the reference for each point: places and cosines, best first."""
        found = []
        for start in range(0, len(vectors), self._block):
            near = self._near(vectors[start : start + self._block], ids[start : start + self._block])
            best = np.argsort(-near, axis=1, kind="stable")[:, : min(n, len(self.points) - 1)]
            found += [[(int(at), float(row[at])) for at in places if row[at] > -1.5] for row, places in
                      zip(near, best, strict=True)]  # fmt: skip
        return found

    def _near(self, vectors: NDArray[np.float32], ids: list[str]) -> NDArray[np.float32]:
        near = vectors @ self.points.vectors.T
        for row, name in enumerate(ids):
            if name in self._places:
                near[row, self._places[name]] = -2.0
        return near

    def _distances(self, vectors: NDArray[np.float32], ids: list[str]) -> NDArray[np.float32]:
        """Average the distances to the nearest neighbours, a block of points at a time."""
        k = self._neighbours
        scores = np.empty(len(vectors), np.float32)
        for start in range(0, len(vectors), self._block):
            stop = start + self._block
            near = self._near(vectors[start:stop], ids[start:stop])
            scores[start:stop] = 1 - np.partition(near, -k, axis=1)[:, -k:].mean(axis=1)
        return scores

    def _fit_centre(self) -> None:
        """Average the means without each point, so that a few points and a new one are measured by the same stick."""
        vectors = self.points.vectors
        without = vectors.sum(axis=0) - vectors
        without /= np.maximum(np.linalg.norm(without, axis=1, keepdims=True), 1e-12)
        self._centre = without.mean(axis=0)
        self.scores = (1 - (vectors * without).sum(axis=1)).astype(np.float32)

    def _fit_lof(self) -> None:
        try:
            from sklearn.neighbors import LocalOutlierFactor
        except ImportError as error:
            what = "the local outlier factor"
            raise MissingExtraError(what, "analysis") from error
        # Distances of unit vectors are in the order of their cosines, whichever of both is taken.
        self._model = LocalOutlierFactor(n_neighbors=self._neighbours, novelty=True).fit(self.points.vectors)
        self.scores = (-self._model.negative_outlier_factor_).astype(np.float32)


def threshold_of(scores: NDArray[np.float32], tolerance: float) -> tuple[float, float]:
    """Return the median of scores, and what is `tolerance` deviations above it.

    Where more than half of the scores are the same, the mean absolute deviation stands in for the median one.
    """
    median = float(np.median(scores))
    deviations = np.abs(scores - median)
    spread = _SCALE * float(np.median(deviations)) or _MEAN_SCALE * float(deviations.mean())
    if len(scores) >= _ENOUGH:
        spread = min(spread, float(scores.max() - median) / _TOLERANCE)
    return median, median + tolerance * spread + 1e-6  # rounding makes no anomaly
