"""The moment of a film that answers: its key frames are rows of one content, and one of them is the hit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from relance.documents import document_id
from relance.store.schemas import in_lists
from relance.store.vector_table import dense_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relance.search.candidate import Candidate

__all__ = ["at_moments"]


def at_moments(table: Any, shown: Sequence[Candidate], vector: NDArray[np.float32] | None, where: str | None) -> None:
    """Let each film of a page stand at the key frame nearest to the question; without a vector no moment of it is.

    A list has the best row of a content, but where the words of another place answer, a row of that place is shown; so
    the few films of a page are compared once more, by their exact vectors.
    """
    films = {document_id(each.row["uri"]): each for each in shown if each.row.get("moment_s") is not None}
    for each in films.values():
        each.row = each.row | {"moment_s": None}
    if vector is None:
        return
    for some in in_lists("doc_id", list(films)):
        condition = f"({some.to_sql()}) AND active" + (f" AND ({where})" if where else "")
        columns = ["id", "doc_id", "moment_s", "vector"]
        rows = table.search().where(condition).select(columns).limit(None).to_arrow().sort_by("moment_s")
        scores = _cosines(dense_matrix(rows["vector"]), vector) if rows.num_rows else np.zeros(0)
        best: dict[str, float] = {}
        for row, score in zip(rows.drop_columns("vector").to_pylist(), scores.tolist(), strict=True):
            if score > best.get(row["doc_id"], -np.inf):
                best[row["doc_id"]] = score
                film = films[row["doc_id"]]
                film.id, film.row = row["id"], film.row | {"id": row["id"], "moment_s": row["moment_s"]}


def _cosines(vectors: NDArray[np.float32], question: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors @ question / np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
