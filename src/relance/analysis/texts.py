"""Texts that are not in an index, as points beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relance.analysis.points import unit
from relance.embedding.budget import Budget, CostMeter
from relance.embedding.providers import InputType
from relance.errors import ConfigurationError, InputError
from relance.search.query_encoder import open_model
from relance.store import open_store
from relance.store.embeddings import EmbeddingStore

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["embed_texts"]


def embed_texts(index: Index, texts: Sequence[str], *, media: bool = False,
                input_type: InputType = "document") -> NDArray[np.float32]:  # fmt: skip
    """Embed texts with the model that made the index, or its media; float32, shape (texts, dimension), unit length.

    What was bought before, by a run or by this, is not bought again. Where all texts play the same part (classes,
    anomalies, tastes) they are documents, those of the index too: only what looks for something else is a query.

    Raises InputError where a text is refused, and BudgetError over `limits.max_cost_usd`.
    """
    from relance.embedding.runtime import EmbeddingLoop

    table = index.table(media=media)
    provider, section = open_model(index.spec, table)
    info = provider.info
    if not info.dimension:
        msg = f"index {index.spec.name!r} has sparse vectors only; set embedding.output_type to dense or dense&sparse"
        raise ConfigurationError(msg)
    if not texts:
        return np.zeros((0, info.dimension), np.float32)
    space = table.name.rpartition("__")[2]
    store = EmbeddingStore(open_store(index.spec), space, info.dimension, sparse=info.sparse)
    meter = CostMeter(info, Budget(index.spec.limits.max_cost_usd))
    with contextlib.closing(store), EmbeddingLoop(provider, section, store, meter=meter) as embedder:
        result = embedder.call(list(texts), input_type=input_type)
    if result.failures:
        at, reason = min(result.failures.items())
        msg = f"text {at + 1} ({texts[at][:40]!r}): {reason}"
        raise InputError(msg)
    return unit(result.vectors)
