"""How sure a mean over questions is, and whether two systems differ: by resampling, without assuming a distribution.

Questions are the sample: another set of questions would have given other means. What is not in the interval is whether
the questions are like those that will be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from relance.errors import InputError

__all__ = ["LEVEL", "holm", "intervals", "randomization_test"]

Draw = Callable[[np.random.Generator, int], NDArray[np.integer]]

LEVEL = 0.95
_SAMPLES = 10_000
_SLICE = 1000  # resamples at a time: 8 MB for a thousand questions
_EXACT = 13  # questions that differ, up to which all 2ⁿ signs are tried instead of a sample of them


def intervals(values: NDArray[np.float64], *, level: float = LEVEL, seed: int = 0) -> NDArray[np.float64]:
    """Bootstrap percentile intervals of means (Efron and Tibshirani 1993, chapter 13).

    Every column is resampled with the same questions, so that the interval of a difference of columns is a paired one.

    Args:
        values: float64, shape (questions, columns).
        level: share of resamples inside.
        seed: the same numbers for the same seed.

    Returns float64 of shape (columns, 2): low and high. Raises InputError without questions.
    """
    questions = len(values)
    if not questions:
        raise InputError("there is no interval without questions")
    even = np.full(questions, 1 / questions)
    means = [counts @ values / questions
             for counts in _slices(lambda rng, size: rng.multinomial(questions, even, size=size), seed)]  # fmt: skip
    tail = (1 - level) / 2
    return np.quantile(np.concatenate(means), [tail, 1 - tail], axis=0).T


def randomization_test(differences: NDArray[np.float64], *, seed: int = 0) -> NDArray[np.float64]:
    """Paired randomization test of whether means are zero, two-sided (Smucker, Allan and Carterette 2007).

    Were two systems alike, each question's difference could as well have the other sign. p is the share of random
    signs that give a mean as far from zero as the one seen; exact where few questions differ, otherwise from 10,000
    drawn signs, of which the ones seen are one more: never 0.

    Args:
        differences: float64, shape (questions, pairs).
        seed: the same numbers for the same seed.

    Returns float64 of shape (pairs,).
    """
    seen = np.abs(differences.sum(axis=0)) * (1 - 1e-9) - 1e-12  # sums of the same numbers in another order are equal
    questions = len(differences)
    further = np.zeros(differences.shape[1])
    for signs in _slices(lambda rng, size: rng.integers(0, 2, (size, questions), dtype=np.int8), seed):
        further += (np.abs((2.0 * signs - 1.0) @ differences) >= seen).sum(axis=0)
    p = (further + 1) / (_SAMPLES + 1)
    for pair, column in enumerate(differences.T):
        unequal = column[column != 0]
        if len(unequal) <= _EXACT:
            signs = 1.0 - 2.0 * ((np.arange(2 ** len(unequal))[:, None] >> np.arange(len(unequal))) & 1)
            p[pair] = (np.abs(signs @ unequal) >= seen[pair]).mean()
    return p


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p values of several tests so that all of them together err as seldom as one (Holm 1979)."""
    adjusted = [0.0] * len(p)
    largest = 0.0
    for done, place in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - done) * p[place]))
        adjusted[place] = largest
    return adjusted


def _slices(draw: Draw, seed: int) -> Iterator[NDArray[np.integer]]:
    rng = np.random.default_rng(seed)
    for _ in range(0, _SAMPLES, _SLICE):
        yield draw(rng, _SLICE)
