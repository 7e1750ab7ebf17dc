"""More like this: a document stands for what is looked for."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relance.errors import ConfigurationError, InputError
from relance.search.filters.literals import quoted

__all__ = ["except_like", "has_document", "vector_of"]

_LOOKED_AT = 20_000  # uris among which the one that was meant is looked for


def has_document(table: Any, uri: str) -> bool:
    """Whether the table has rows of a document."""
    return bool(table.count_rows(_of(uri)))


def vector_of(table: Any, uri: str) -> NDArray[np.float32]:
    """Return a document's vector: the mean of its chunks' unit vectors, made unit length; shape (dimension,).

    Raises InputError where there is no such document, and ConfigurationError where the table has no dense vectors.
    """
    if "vector" not in table.schema.names:
        msg = f"{table.name} has sparse vectors only; more like this needs embedding.output_type dense or dense&sparse"
        raise ConfigurationError(msg)
    from relance.store.embeddings import dense_matrix

    rows = table.search().where(_of(uri)).select(["vector"]).limit(None).to_arrow()
    if not rows.num_rows:
        raise InputError(f"there is no document {uri!r} in this index{_meant(table, uri)}")
    vectors = dense_matrix(rows["vector"]).astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    mean = vectors.mean(axis=0)
    return (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)


def except_like(table: Any, uri: str) -> str:
    """Write the condition that leaves the document out, and with a medium its copies elsewhere."""
    if "content_hash" not in table.schema.names:
        return f"uri <> {quoted(uri)}"
    rows = table.search().where(_of(uri)).select(["content_hash"]).limit(None).to_list()
    copies = ", ".join(quoted(row["content_hash"]) for row in rows)
    return f"content_hash NOT IN ({copies})"


def _of(uri: str) -> str:
    return f"uri = {quoted(uri)} AND active"


def _meant(table: Any, uri: str) -> str:
    rows = table.search().where("active").select(["uri"]).limit(_LOOKED_AT).to_list()
    close = get_close_matches(uri, sorted({row["uri"] for row in rows}), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
