"""What a cluster is about: its terms, and the points at its heart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relance.analysis.points import Described, Level, describe_points
from relance.analysis.terms import distinguishing_terms

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["Central", "Cluster", "describe_clusters"]

_CENTRAL = 5
_NAME = 60  # characters of a text that stand for a title it does not have
_TERMS_SHOWN = 3
# Texts that terms are counted in: of each cluster at most, and of all together about.
_TEXTS = 200
_ALL_TEXTS = 6_000


@dataclass(slots=True, frozen=True)
class Central:
    """A point near the centre of its cluster; `similarity` is the cosine with it, `title` else how its text begins."""

    id: str
    uri: str
    title: str
    similarity: float


@dataclass(slots=True, frozen=True)
class Cluster:
    """Points that belong together.

    Attributes:
        id: 0 for the largest, and so on; -1 for the points that belong to none.
        label: its first three terms, or the title of its most central point where no term stands out.
        cohesion: mean cosine of its points with its centre, up to 1.
    """

    id: int
    size: int
    label: str
    terms: list[str]
    cohesion: float
    central: list[Central]


def describe_clusters(index: Index, level: Level, ids: Sequence[str], labels: NDArray[np.int32],
                      distances: NDArray[np.float32]) -> list[Cluster]:  # fmt: skip
    """Read the most central texts of each cluster, and tell from them what it is about."""
    numbers = sorted({*labels.tolist()}, key=lambda number: (number < 0, number))
    places = {}
    for number in numbers:
        at = np.flatnonzero(labels == number)
        places[number] = at[np.argsort(distances[at], kind="stable")]
    texts_each = int(np.clip(_ALL_TEXTS // len(numbers), _CENTRAL, _TEXTS))
    wanted = [ids[at] for number in numbers for at in places[number][:texts_each].tolist()]
    described = describe_points(index, level, wanted)
    texts = {number: [f"{described[name].title}\n{described[name].text}"
                      for at in places[number][:texts_each].tolist() if (name := ids[at]) in described]
             for number in numbers}  # fmt: skip
    real = [number for number in numbers if number >= 0]
    terms = dict(zip(real, distinguishing_terms([texts[number] for number in real], background=texts.get(-1, [])),
                     strict=True))  # fmt: skip
    clusters = []
    for number in numbers:
        at = places[number]
        central = [
            Central(ids[place], point.uri, _name(point), round(float(1 - distances[place]), 4))
            for place in at[:_CENTRAL].tolist()
            if (point := described.get(ids[place])) is not None
        ]
        words = terms.get(number, [])
        title = next((each.title or each.uri for each in central), f"cluster {number}")
        label = "in no cluster" if number < 0 else " · ".join(words[:_TERMS_SHOWN]) or title
        cohesion = round(float(1 - distances[at].mean()), 4)
        clusters.append(Cluster(number, len(at), label, words, cohesion, central))
    return clusters


def _name(point: Described) -> str:
    return point.title or " ".join(point.text.split())[:_NAME]
