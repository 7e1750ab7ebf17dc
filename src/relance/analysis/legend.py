"""How clusters look on a map, be it a page or a picture: colour, shape, and where the label stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relance.analysis.cluster import Cluster, Clusters

__all__ = ["NOISE", "Mark", "cut", "legend"]

# Ten hues of one lightness, then ten between them, lighter and darker in turn: OKLCH, legible on white and on black.
_COLOURS = (
    *("#3186e9", "#d55c13", "#03a14a", "#d9525a", "#9769dc", "#9e840a", "#03999f", "#ca549d", "#719503", "#6b79ea"),
    *("#445fa7", "#e4965b", "#107550", "#ec8d7a", "#7a4d94", "#b4b04e", "#09707f", "#e78aac", "#3f7227", "#a69ff3"),
)
NOISE = "#8a8f98"
_SHORT = 30
_LAST_NARROW = 0x2E7F
_SHAPES = 4  # circle, square, triangle, diamond: for clusters beyond those with a colour of their own


@dataclass(slots=True, frozen=True)
class Mark:
    """A cluster on the map.

    Attributes:
        short: the label to stand on the map, a word or two.
        shape: 0 circle, 1 square, 2 triangle, 3 diamond.
        x: of the label: that of the point nearest to the middle of the cluster, as `y`; None without a map.
    """

    cluster: Cluster
    short: list[str]
    colour: str
    shape: int
    x: float | None
    y: float | None


def legend(found: Clusters) -> list[Mark]:
    """Return a mark for each cluster, in their order."""
    marks = []
    for cluster in found.clusters:
        positions = found.positions[found.labels == cluster.id]
        x = y = None
        if len(positions) and not np.isnan(positions).any():
            middle = np.median(positions, axis=0)
            x, y = positions[np.square(positions - middle).sum(axis=1).argmin()].round(4).tolist()
        colour = _COLOURS[cluster.id % len(_COLOURS)] if cluster.id >= 0 else NOISE
        shape = cluster.id // len(_COLOURS) % _SHAPES if cluster.id >= 0 else 0
        marks.append(Mark(cluster, _short(cluster), colour, shape, x, y))
    return marks


def _short(cluster: Cluster) -> list[str]:
    """Take the first terms, as many as are no longer than a label should be."""
    if not cluster.terms:
        return [cut(cluster.label, _SHORT)]
    first, second = cut(cluster.terms[0], _SHORT), cluster.terms[1:2]
    return [first, *second] if second and len(first) + len(second[0]) <= _SHORT else [first]


def cut(text: str, most: int) -> str:
    """Shorten a text to a width in letters; a Chinese character is as wide as two of them."""
    width = 0
    for at, letter in enumerate(text):
        width += 2 if ord(letter) > _LAST_NARROW else 1
        if width > most:
            return f"{text[:at].rstrip(' ·')}…"
    return text
