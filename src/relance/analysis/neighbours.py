"""The neighbours of a point, by the table's own search."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relance.search.grouping import grouped
from relance.search.hybrid_query import HybridQuery

__all__ = ["neighbour_uris"]

_ROWS_EACH = 3  # looked at for each document at first


def neighbour_uris(table: Any, point: NDArray[np.float32], limit: int, *, where: str | None = None) -> list[str]:
    """Find the uris nearest to a point, shape (dimension,), nearest first: `limit` of them if there are so many.

    A document counts once, however many of its chunks are near: behind a long one, more rows are looked at.

    Raises FilterError where LanceDB does not understand the condition.
    """
    hybrid = HybridQuery(table, "", (point, None), mode="dense", first=_ROWS_EACH * limit, where=where)
    groups = grouped(partial(hybrid.best, columns=["uri"]), limit, key="uri", rows_each=_ROWS_EACH)
    return [rows[0].row["uri"] for rows in groups]
