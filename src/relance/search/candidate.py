"""A row on its way to becoming a hit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from relance.search.hit import Explained

__all__ = ["Candidate"]


@dataclass(slots=True)
class Candidate:
    """A row that was found.

    Attributes:
        id: of the row.
        row: its columns, as far as they have been read.
        score: what it is ranked by.
        ranks: its place in each list; as in `Explained`, as are `scores`.
    """

    id: str
    row: dict[str, Any]
    score: float = 0.0
    ranks: dict[str, int] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)

    def explained(self) -> Explained:
        """Tell where its place comes from."""
        names = {"dense": "cosine", "full-text": "bm25"}
        return Explained(dict(self.ranks), **{names.get(mode, mode): score for mode, score in self.scores.items()})
