"""The neighbours of a point, by the table's own search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relance.documents import document_id
from relance.search import FilterError

__all__ = ["near_uris"]

_REFINE = 10  # candidates compared exactly for each: one bit a dimension loses order
_IN_LIST = 1000  # LanceDB plans longer ones slowly


def near_uris(table: Any, point: NDArray[np.float32], limit: int, *, where: str | None = None,
              without: Sequence[str] = ()) -> list[str]:  # fmt: skip
    """Find the uris of the `limit` rows nearest to a point, shape (dimension,), each uri once, nearest first."""
    conditions = [f"({where})"] if where else []
    gone = [document_id(uri) for uri in without]
    for start in range(0, len(gone), _IN_LIST):
        some = ", ".join(f"'{name}'" for name in gone[start : start + _IN_LIST])
        conditions.append(f"doc_id NOT IN ({some})")
    query = table.search(point, vector_column_name="vector", query_type="vector").distance_type("cosine")
    if "vector" in {index.columns[0] for index in table.list_indices()}:
        query = query.refine_factor(_REFINE)
    query = query.where(" AND ".join([*conditions, "active"])).limit(limit).select(["uri", "_distance"])
    try:
        return list(dict.fromkeys(query.to_arrow()["uri"].to_pylist()))
    except (ValueError, RuntimeError) as error:
        if where is None:
            raise
        raise FilterError.of_lancedb(f"the condition {where!r}", error, table.schema.names) from error
