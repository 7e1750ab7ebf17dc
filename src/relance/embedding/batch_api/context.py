"""What batches are ordered with: a model, a place for its vectors, money, and somebody who hears of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from relance.config import EmbeddingSpec
from relance.embedding.budget import Budget
from relance.embedding.embedder import VectorStore
from relance.embedding.providers import Provider

__all__ = ["Catalog", "FillContext", "VectorCache"]


class VectorCache(VectorStore, Protocol):
    """A store of vectors that is asked for many keys at once, and says when all is written."""

    def contains(self, keys: list[str]) -> NDArray[np.bool_]:
        """Tell which keys have a vector; shape (len(keys),)."""
        ...

    def drain(self) -> None:
        """Wait until there is room for more."""
        ...

    def flush(self) -> None:
        """Write everything that was put."""
        ...


class Catalog(Protocol):
    """Small values by key, changed by compare-and-set."""

    def get(self, key: str, /) -> dict[str, Any] | None:
        """Return a value, or None if there is none."""
        ...

    def put(self, key: str, value: dict[str, Any], /, *, expected: dict[str, Any] | None) -> None:
        """Replace a value if it is the expected one; else RetryableError."""
        ...


@dataclass(slots=True, frozen=True)
class FillContext:
    """What `fill` works with.

    Attributes:
        spec: names the model and the service.
        vectors: where the vectors go.
        catalog: where open orders are written down.
        space: the vector space, which names them there.
        lock: keeps others from ordering for the same space while it is entered, and gives a check of that;
            raises IndexBusyError where another run does.
        budget: what batches are paid from.
        stop: ends the waiting; what is ordered stays so.
        count: adds to a counter of the run: `requests`, `embedded`, `tokens`, `cost_usd`.
        note: keeps a sentence for whoever reads the run's report.
        progress: shows how far it is.
    """

    spec: EmbeddingSpec
    provider: Provider
    vectors: VectorCache
    catalog: Catalog
    space: str
    lock: Callable[[], AbstractContextManager[Callable[[], None]]]
    budget: Budget
    stop: threading.Event
    count: Callable[[str, float], None]
    note: Callable[[str], None]
    progress: Callable[[str], None]
