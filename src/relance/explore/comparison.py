"""Two searches of the same question side by side: where each has a document that the other has, too."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from relance.errors import RelanceError
from relance.explore.parameters import Parameters
from relance.search.mode import Mode, check_mode

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["Compared", "Side", "agreement"]

HITS = 10


@dataclass(slots=True, frozen=True)
class Side:
    """How one of the two searches.

    Attributes:
        index: name of the index that is searched.
        rerank: the reranker of the spec, or `none`.
    """

    index: str
    mode: Mode = "hybrid"
    filter: str = ""
    rerank: str = ""

    @classmethod
    def read(cls, given: Parameters, side: str, indexes: list[str], mode: Mode) -> Side:
        """Read the parameters of a side, such as `a_mode`; InputError for what cannot be meant."""
        return cls(
            index=given.choice(f"{side}_index", indexes),
            mode=check_mode(given.exact(f"{side}_mode") or mode),
            filter=given.exact(f"{side}_filter").strip(),
            rerank=given.choice(f"{side}_rerank", ("", "none")),
        )


@dataclass(slots=True, frozen=True)
class Compared:
    """What one of the two found, each document once.

    Attributes:
        problem: why it found nothing, if it could not search.
    """

    side: Side
    hits: list[Any] = field(default_factory=list)
    seconds: float = 0.0
    problem: str = ""

    @classmethod
    def of(cls, index: Index, words: str, side: Side) -> Compared:
        """Search; what is wrong with a side, or its model, is said in its place."""
        started = time.perf_counter()
        try:
            hits = index.search(words, k=HITS, mode=side.mode, filter=side.filter or None, group=True,
                                rerank=side.rerank or None)  # fmt: skip
        except RelanceError as error:
            return cls(side, problem=str(error))
        return cls(side, list(hits), time.perf_counter() - started)

    @property
    def ranks(self) -> dict[str, int]:
        """The place of each document, from 1."""
        return {hit.uri: rank for rank, hit in enumerate(self.hits, start=1)}


def agreement(one: Compared, other: Compared) -> int:
    """Count the documents that both found."""
    return len(one.ranks.keys() & other.ranks.keys())
