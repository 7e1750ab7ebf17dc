"""What stands before the background of a picture: figures by colour, number and silhouette; what lies above and below.

This is classical picture analysis and no model. A silhouette is how wide a figure is at eight heights, and has the name
of the nearest one of a few that everybody draws alike; of a photograph it says little. It is here so that a question
finds drawn things, sometimes: what a real model sees, it does not.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHINESE_OUTLINES", "outlines"]

CHINESE_OUTLINES = {
    "ball": "球",
    "box": "箱子",
    "triangle": "三角形",
    "house": "房子",
    "tree": "树",
    "car": "汽车",
    "boat": "船",
    "kite": "风筝",
    "umbrella": "雨伞",
    "one": "一个",
    "two": "两个",
    "three": "三个",
    "many": "许多",
    "sand": "沙滩",
    "grass": "草地",
    "snow": "雪地",
    "water": "水",
    "street": "街道",
    "sky": "天空",
    "night": "夜晚",
    "clouds": "云",
}
# How wide a figure is at eight heights from its top, of its widest.
SILHOUETTES = {
    "ball": (0.48, 0.78, 0.93, 1.0, 1.0, 0.93, 0.78, 0.48),
    "box": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    "triangle": (0.06, 0.19, 0.31, 0.44, 0.56, 0.69, 0.81, 0.94),
    "house": (0.15, 0.46, 0.77, 0.9, 0.8, 0.8, 0.8, 0.8),
    "tree": (0.08, 0.25, 0.42, 0.58, 0.75, 0.92, 0.2, 0.2),
    "car": (0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 0.7, 0.45),
    "boat": (0.06, 0.12, 0.18, 0.25, 0.32, 0.9, 0.85, 0.7),
    "kite": (0.18, 0.53, 0.88, 0.93, 0.73, 0.53, 0.31, 0.1),
    "umbrella": (0.48, 0.78, 0.93, 1.0, 0.1, 0.1, 0.1, 0.1),
}
UNLIKE = 0.2  # root mean square, beyond which a silhouette is like none of them
# What a colour that fills most of the lower or upper edge may be.
BELOW = {"yellow": "sand", "orange": "sand", "brown": "sand", "green": "grass", "white": "snow", "blue": "water",
         "grey": "street"}  # fmt: skip
ABOVE = {"turquoise": "sky", "black": "night", "grey": "clouds"}
EDGE = 0.6  # of the edge's fields
LARGEST = 0.2  # of the picture: a larger patch is background
SMALLEST = 12  # fields of a figure
COUNTS = {1: "one", 2: "two", 3: "three"}
COLOUR, THING, NUMBER, AROUND = 0.8, 0.8, 0.3, 0.5  # what a word weighs


class Figure(NamedTuple):
    """Neighbouring fields that are no background, by their commonest colour."""

    colour: str
    silhouette: str


def outlines(names: NDArray[np.str_]) -> dict[str, float]:
    """Describe a picture, given the name of each field's colour, shape (height, width): word → weight.

    The colours of figures are among the words, also where they are a small part of the whole.
    """
    words: dict[str, float] = {}
    if (names == names[0, 0]).all():
        return words
    above, below = _most(names[: len(names) // 4]), _most(names[-len(names) // 4 :])
    if above != below:  # a picture of one colour has no ground
        words |= {ABOVE[above]: AROUND} if above in ABOVE else {}
        words |= {BELOW[below]: AROUND} if below in BELOW else {}
    for (colour, silhouette), count in sorted(Counter(_figures(names)).items()):
        words |= {colour: COLOUR, COUNTS.get(count, "many"): NUMBER} | ({silhouette: THING} if silhouette else {})
    return words


def _most(names: NDArray[np.str_]) -> str:
    found, counts = np.unique(names, return_counts=True)
    return str(found[counts.argmax()]) if counts.max() > EDGE * names.size else ""


def _figures(names: NDArray[np.str_]) -> list[Figure]:
    """Find what is no background: patches that touch an edge, or are most of the picture, are."""
    patches = _labelled(names)
    numbers, sizes = np.unique(patches, return_counts=True)
    behind = {*numbers[sizes > LARGEST * names.size], *patches[0], *patches[-1], *patches[:, 0], *patches[:, -1]}
    before = ~np.isin(patches, list(behind))
    figures = _labelled(before)
    found = []
    for number, size in zip(*np.unique(figures[before], return_counts=True), strict=True):
        if size >= SMALLEST:
            own = figures == number
            colours, counts = np.unique(names[own], return_counts=True)
            found.append(Figure(str(colours[counts.argmax()]), _silhouette(own)))
    return found


def _labelled(values: NDArray[np.generic]) -> NDArray[np.intp]:
    """Give neighbouring fields of the same value the same number: each takes the least around it until none changes."""
    labels = np.arange(values.size).reshape(values.shape)
    across, down = values[:, 1:] == values[:, :-1], values[1:] == values[:-1]
    while True:
        before = labels.copy()
        for one, other, alike in ((labels[:, :-1], labels[:, 1:], across), (labels[:-1], labels[1:], down)):
            least = np.minimum(one, other)
            np.minimum(one, least, out=one, where=alike)
            np.minimum(other, least, out=other, where=alike)
        labels = labels.ravel()[labels]  # and the least of that field's: so far ends are near
        if (labels == before).all():
            return labels


def _silhouette(own: NDArray[np.bool_]) -> str:
    """Name a figure, shape (height, width), by how wide it is at eight heights; empty where it is like none."""
    widths = own.sum(axis=1)
    rows = widths[widths > 0].astype(np.float64)
    heights = (np.arange(8) + 0.5) / 8 * len(rows) - 0.5
    profile = np.interp(heights, np.arange(len(rows)), rows) / rows.max()
    apart = {name: float(np.sqrt(np.mean((profile - known) ** 2))) for name, known in SILHOUETTES.items()}
    nearest = min(apart, key=apart.__getitem__)
    return nearest if apart[nearest] < UNLIKE else ""
