"""Projections keep what is near near, give the same picture every time, and stand tiny and degenerate inputs."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.analysis.points import unit
from relance.analysis.projection import Layout, Space, needs_sklearn
from relance.errors import MissingExtraError


@pytest.fixture(autouse=True)
def one_thread():
    with needs_sklearn("a map"):
        yield


def blobs(clusters: int, points: int, spread: float = 0.7, dimension: int = 64, seed: int = 0):
    """Unit vectors around random directions, and which direction each is around."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.normal(size=(clusters, dimension)).astype(np.float32))
    belongs = np.arange(points) % clusters
    noise = rng.normal(size=(points, dimension)) * spread / np.sqrt(dimension)
    return unit((centres[belongs] + noise).astype(np.float32)), belongs


@given(st.integers(1, 40), st.integers(2, 80))
@settings(max_examples=25)
def test_a_space_keeps_distances_of_few_points(n, dimension):
    vectors, _ = blobs(min(3, n), n, dimension=dimension)
    reduced = Space.fit(vectors).reduce(vectors)
    assert reduced.shape[1] <= 50
    if n > 1:
        before = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
        after = np.linalg.norm(reduced[:, None] - reduced[None], axis=2)
        if dimension <= 50 or n <= 51:
            np.testing.assert_allclose(after, before, atol=2e-3)


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_blobs_are_apart_on_the_map(method):
    vectors, belongs = blobs(3, 90)
    reduced = Space.fit(vectors).reduce(vectors)
    positions = Layout.fit(reduced, method).positions
    assert np.abs(positions).max() == pytest.approx(1, abs=1e-5)
    for at in range(len(positions)):
        others = np.linalg.norm(positions - positions[at], axis=1)
        others[at] = np.inf
        assert belongs[others.argmin()] == belongs[at]


def test_the_same_points_and_seed_give_the_same_map():
    vectors, _ = blobs(4, 60)
    reduced = Space.fit(vectors).reduce(vectors)
    one, two = Layout.fit(reduced, seed=3), Layout.fit(reduced, seed=3)
    np.testing.assert_array_equal(one.positions, two.positions)


def test_points_that_are_no_landmarks_lie_among_their_own():
    vectors, belongs = blobs(3, 300)
    reduced = Space.fit(vectors).reduce(vectors)
    layout = Layout.fit(reduced, most=60)
    assert len(layout.landmarks) == 60
    positions = layout.place(reduced)
    middles = np.stack([positions[belongs == each].mean(axis=0) for each in range(3)])
    nearest = np.linalg.norm(positions[:, None] - middles[None], axis=2).argmin(axis=1)
    assert (nearest == belongs).mean() > 0.99
    # A landmark keeps its own place, in whatever batch it comes.
    np.testing.assert_allclose(layout.place(layout.landmarks[7:9].copy()), layout.positions[7:9], atol=1e-3)


@pytest.mark.parametrize("method", ["tsne", "pca"])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9])
def test_few_points_have_places(method, n):
    vectors, _ = blobs(1, n)
    positions = Layout.fit(Space.fit(vectors).reduce(vectors), method).positions
    assert positions.shape == (n, 2)
    assert np.isfinite(positions).all()
    assert len(np.unique(positions, axis=0)) == n


@pytest.mark.parametrize("n", [1, 5, 30])
def test_points_that_are_all_the_same_lie_in_one_place(n):
    vectors = np.tile(unit(np.ones((1, 16), np.float32)), (n, 1))
    np.testing.assert_array_equal(Layout.fit(Space.fit(vectors).reduce(vectors)).positions, np.zeros((n, 2)))


def test_umap_says_how_it_is_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtraError, match=r"relance\[umap\]"):
        Layout.fit(blobs(2, 20)[0], "umap")


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(MissingExtraError, match=r"relance\[analysis\]"), needs_sklearn("clustering"):
        pytest.fail("it was not needed")
