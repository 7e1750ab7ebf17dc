"""Which of the vectors a service sent are fit to be stored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_vectors"]


def check_vectors(vectors: NDArray[np.float32], *, normalized: bool) -> tuple[NDArray[np.float32], dict[int, str]]:
    """Check float32 vectors, shape (n, dimension ≥ 1), and give them unit length if the model's have that.

    Returns the vectors, all of them, and for each that cannot be stored its position and what it is made of.
    """
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    good = np.isfinite(norms) & (norms > 0)
    if normalized and np.abs(norms[good] - 1).max(initial=0.0) > 1e-3:
        vectors = vectors / np.where(good, norms, 1.0)[:, None].astype(np.float32)
    bad = np.flatnonzero(~good).tolist()
    return vectors, {at: "of zeros" if norms[at] == 0 else "with values that are not finite numbers" for at in bad}
