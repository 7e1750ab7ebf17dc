"""Fewer dimensions: some fifty to measure in, and two to look at."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from relance.errors import MissingExtraError

__all__ = ["Layout", "Projection", "Space", "needs_sklearn"]

Projection = Literal["tsne", "pca", "umap"]

# Measured on Cranfield, by how often documents that answer the same question share one of 20 clusters: 6.3 times chance
# with 50 of 256 dimensions as with all of them, 5.9 with 10; and a fifth of the time.
_DIMENSIONS = 50
# So many points are laid out, in some 15 s; the others are put where their nearest ones are.
_LANDMARKS = 5_000
_NEIGHBOURS = 5
# t-SNE has nothing to weigh among fewer points than this.
_FEW = 8
# Half of scikit-learn's default: trustworthiness 0.949 instead of 0.951 on Cranfield, in half the time.
_ITERATIONS = 500
_PERPLEXITY = 30


@contextmanager
def needs_sklearn(what: str) -> Generator[None]:
    """Run numerics of scikit-learn on one thread; MissingExtraError where it is not installed.

    Its threads wait for each other by spinning. On two busy cores t-SNE took 11 s with two and 2.8 s with one; with one
    the same input gives the same result to the last bit, too.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise MissingExtraError(what, "analysis") from None
    with threadpool_limits(1):
        yield


@dataclass(slots=True, frozen=True)
class Space:
    """The directions vectors differ in most: their principal components, at most 50."""

    mean: NDArray[np.float32]
    components: NDArray[np.float32]

    @classmethod
    def fit(cls, vectors: NDArray[np.float32], *, seed: int = 0) -> Space:
        """Find them from vectors, shape (n ≥ 1, dimension)."""
        from sklearn.decomposition import PCA

        mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        size = min(_DIMENSIONS, len(vectors) - 1, vectors.shape[1])
        if size < 1 or np.ptp(vectors, axis=0).max() < 1e-6:  # one point, or the same again and again
            return cls(mean, np.zeros((1, vectors.shape[1]), np.float32))
        found = PCA(size, random_state=seed).fit(vectors)
        return cls(mean, np.asarray(found.components_, np.float32))

    def reduce(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the coordinates of vectors, float32, shape (n, components)."""
        return (vectors - self.mean) @ self.components.T


@dataclass(slots=True, frozen=True)
class Layout:
    """Some points in the plane, the landmarks, by which others are placed.

    Attributes:
        landmarks: float32, shape (m, components), in a `Space`.
        positions: float32, shape (m, 2), within -1 and 1.
    """

    landmarks: NDArray[np.float32]
    positions: NDArray[np.float32]
    nearest: Any

    @classmethod
    def fit(cls, reduced: NDArray[np.float32], method: Projection = "tsne", *, seed: int = 0,
            most: int = _LANDMARKS) -> Layout:  # fmt: skip
        """Lay out points of a `Space`, `most` of them (5,000) if there are more."""
        from sklearn.neighbors import NearestNeighbors

        landmarks = reduced
        if len(reduced) > most:
            chosen = np.random.default_rng(seed).choice(len(reduced), most, replace=False)
            landmarks = reduced[np.sort(chosen)]
        nearest = NearestNeighbors(n_neighbors=min(_NEIGHBOURS, len(landmarks)), algorithm="brute").fit(landmarks)
        return cls(landmarks, _within(_plane(landmarks, method, seed)), nearest)

    def place(self, reduced: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return positions, float32, shape (n, 2): of the landmarks their own, of others the mean of the nearest ones.

        A landmark counts by the inverse square of its distance.
        """
        if reduced is self.landmarks:
            return self.positions
        distances, at = self.nearest.kneighbors(reduced)
        weights = 1 / np.maximum(distances, 1e-6) ** 2
        weights /= weights.sum(axis=1, keepdims=True)
        return np.einsum("nk,nkd->nd", weights, self.positions[at]).astype(np.float32)


def _plane(points: NDArray[np.float32], method: Projection, seed: int) -> NDArray[np.float32]:
    if method == "pca" or len(points) < _FEW or np.ptp(points, axis=0).max() < 1e-6:
        return np.pad(points[:, :2], [(0, 0), (0, max(0, 2 - points.shape[1]))])  # components come largest first
    neighbours = min(_PERPLEXITY, (len(points) - 1) / 3)
    if method == "umap":
        try:
            umap = importlib.import_module("umap")
        except ImportError:
            msg = "a map by UMAP"
            raise MissingExtraError(msg, "umap") from None
        model = umap.UMAP(n_neighbors=max(2, round(neighbours / 2)), random_state=seed, n_jobs=1)
        return np.asarray(model.fit_transform(points), np.float32)
    from sklearn.manifold import TSNE

    return TSNE(perplexity=neighbours, max_iter=_ITERATIONS, init="pca", random_state=seed).fit_transform(points)


def _within(positions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centre positions and scale them, both axes alike, to lie within -1 and 1."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    return ((positions - (low + high) / 2) / (max((high - low).max(), 1e-9) / 2)).astype(np.float32)
