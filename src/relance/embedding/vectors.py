"""Which of the vectors a service sent are fit to be stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from relance.documents import Media
from relance.embedding.providers import Input

__all__ = ["check_vectors", "repeated_vector", "unfit_vectors"]

# Models that cut long texts off give two with the same beginning the same vector.
_BEGINNING = 200


def unfit_vectors(vectors: NDArray[np.float32]) -> dict[int, str]:
    """Say of float32 vectors, shape (n, dimension ≥ 1), which cannot be stored, and what those are made of."""
    norms = _norms(vectors)
    bad = np.flatnonzero(~(np.isfinite(norms) & (norms > 0))).tolist()
    return {at: "of zeros" if norms[at] == 0 else "with values that are not finite numbers" for at in bad}


def check_vectors(vectors: NDArray[np.float32], *, normalized: bool) -> tuple[NDArray[np.float32], dict[int, str]]:
    """Check float32 vectors, shape (n, dimension ≥ 1), and give them unit length if the model's have that.

    Returns the vectors, all of them, and for each that cannot be stored its position and what it is made of.
    """
    bad = unfit_vectors(vectors)
    if normalized:
        norms = _norms(vectors)
        norms[list(bad)] = 1.0
        if np.abs(norms - 1).max(initial=0.0) > 1e-3:
            vectors = (vectors / norms[:, None]).astype(np.float32)
    return vectors, bad


def repeated_vector(inputs: Sequence[Input], vectors: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Find a vector that more than half of the inputs share although they are different; None if there is none.

    Inputs that differ in case, punctuation or spaces only, or only far behind their beginning, rightly share one.
    """
    if len(inputs) < 2:
        return None
    rows = [row.tobytes() for row in vectors]
    most, count = Counter(rows).most_common(1)[0]
    at = [position for position, row in enumerate(rows) if row == most]
    if count * 2 <= len(inputs) or len({_essence(inputs[position]) for position in at}) < 2:
        return None
    return vectors[at[0]]


def _norms(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))


def _essence(value: Input) -> str:
    if isinstance(value, Media):
        return value.identity
    return "".join(filter(str.isalnum, value.casefold()))[:_BEGINNING]
