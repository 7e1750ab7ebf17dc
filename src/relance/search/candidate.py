"""A row on its way to becoming a hit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from relance.search.hit import Explained
from relance.search.relevance import relevance

__all__ = ["Candidate"]

STANDS_OUT = 1.0  # standard deviations above the mean of a list


@dataclass(slots=True)
class Candidate:
    """A row that was found.

    Attributes:
        id: of the row.
        row: its columns, as far as they have been read.
        score: what it is ranked by.
        ranks: its place in each list; as in `Explained`, as are `scores` and `deviations`.
    """

    id: str
    row: dict[str, Any]
    score: float = 0.0
    ranks: dict[str, int] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    deviations: dict[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What there is to read of it: its lead, and its text."""
        lead, text = self.row.get("lead"), self.row["text"] or ""
        return f"{lead}\n{text}" if lead else text

    @property
    def relevance(self) -> float:
        """How good it is, from 0 to 1."""
        return relevance(self.score, self.scores)

    @property
    def found_by(self) -> list[str]:
        """Name the lists that it stands out of, most of all first; where it does of none, the one it does most."""
        best = sorted(self.ranks, key=lambda mode: (-self.deviations.get(mode, 0.0), mode))
        return [mode for at, mode in enumerate(best) if not at or self.deviations.get(mode, 0.0) >= STANDS_OUT]

    def explained(self) -> Explained:
        """Tell where its place comes from."""
        names = {"dense": "cosine", "full-text": "bm25"}
        return Explained(
            dict(self.ranks),
            dict(self.deviations),
            **{names.get(mode, mode): score for mode, score in self.scores.items()},
        )
