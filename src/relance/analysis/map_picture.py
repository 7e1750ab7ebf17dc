"""The map of an index as a PNG."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from relance.analysis.cluster import Clusters
from relance.analysis.legend import Mark, cut, legend
from relance.errors import InputError, MissingExtraError

__all__ = ["map_picture"]

_INCHES = (12.0, 8.0)
_AXES = (0.01, 0.02, 0.70, 0.90)
_SHAPES = ("o", "s", "^", "D")
_BOX = "□"
_INK, _QUIET = "#1d1f23", "#5c6169"
_LISTED = 25
_TOLD = 5  # characters that no font has
# Where a label may stand, in heights of the frame from its cluster's middle, whose point it never covers.
_SHIFTS = (0.022, -0.022, 0.05, -0.05, 0.078, -0.078)
_LONG = 38
# Fonts that have Chinese, most common first; DejaVu comes with matplotlib and has none.
_HAN = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Hiragino Sans GB",
        "Microsoft YaHei", "SimHei", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "AR PL UMing CN", "Arial Unicode MS",
        "Droid Sans Fallback")  # fmt: skip


def map_picture(found: Clusters, path: Path | str, *, title: str = "") -> str:
    """Draw the map into a PNG file: points, labels where their clusters are, and a legend with sizes.

    Returns what is missing in it, for a person to read, else nothing: Chinese labels need an installed font that has
    Chinese, and without one their characters are boxes.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        msg = "a picture of the map"
        raise MissingExtraError(msg, "analysis") from None
    if np.isnan(found.positions).any():
        msg = "these clusters have no map; run `relance cluster` again with a projection"
        raise InputError(msg)
    # Without pyplot, whose state belongs to the whole process, so that threads may draw at once.
    figure = Figure(figsize=_INCHES, dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    font, marks = _font(), legend(found)
    axes = figure.add_axes(_AXES)
    axes.set_axis_off()
    # Both axes alike: the one that fills its side of the frame decides.
    sides = np.array(_AXES[2:]) * _INCHES
    half = (np.maximum(np.abs(found.positions).max(axis=0, initial=0), 1e-3) / sides).max() * sides * 1.06
    axes.set_xlim(-half[0], half[0])
    axes.set_ylim(-half[1], half[1])
    size = float(np.clip(9000 / max(1, len(found.ids)), 3, 70))
    for mark in reversed(marks):
        positions = found.positions[found.labels == mark.cluster.id]
        noise = mark.cluster.id < 0
        axes.scatter(positions[:, 0], positions[:, 1], s=size * (0.6 if noise else 1), c=mark.colour,
                     marker=_SHAPES[mark.shape], alpha=0.35 if noise else 0.8, linewidths=0)  # fmt: skip
    figure.text(0.02, 0.955, **font.style(title or f"Map of {found.index}", 15, bold=True))
    figure.text(0.98, 0.955, ha="right", **font.style(f"{len(found.ids):,} {found.level}", 11, _QUIET))
    _legend(figure, axes, marks, font)
    _labels(figure, axes, marks, font)
    figure.savefig(path, format="png")
    boxes = font.lacks("".join([title, *(mark.cluster.label for mark in marks)]))
    return f"no installed font has {boxes}, so they are boxes; install one (Chinese: fonts-noto-cjk)" if boxes else ""


def _labels(figure: Any, axes: Any, marks: list[Mark], font: _Font) -> None:
    """Write labels, the largest cluster's first; one that would cover another is moved up or down, or left out."""
    from matplotlib.patheffects import withStroke

    renderer, taken = figure.canvas.get_renderer(), []
    within = axes.get_window_extent(renderer)
    high = float(np.ptp(axes.get_ylim()))
    for mark in marks:
        if mark.cluster.id < 0 or mark.x is None or mark.y is None:
            continue
        text = axes.text(mark.x, mark.y, ha="center", zorder=5, **font.style(" · ".join(mark.short), 10, bold=True),
                         path_effects=[withStroke(linewidth=3, foreground="white")])  # fmt: skip
        for shift in _SHIFTS:
            text.set_position((mark.x, mark.y + shift * high))
            box = text.get_window_extent(renderer)
            sideways = max(0.0, within.x0 - box.x0) - max(0.0, box.x1 - within.x1)
            if sideways:
                moved = axes.transData.inverted().transform((box.x0 + sideways + box.width / 2, box.y0))
                text.set_x(moved[0])
                box = text.get_window_extent(renderer)
            if not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
        else:
            text.remove()


def _legend(figure: Any, axes: Any, marks: list[Mark], font: _Font) -> None:
    step = min(0.036, 0.86 / max(1, min(len(marks), _LISTED) + 1))
    for row, mark in enumerate(marks[:_LISTED]):
        y = 0.90 - row * step
        figure.text(0.748, y, ha="right", **font.style(f"{mark.cluster.size:,}", 8.5, _QUIET))
        figure.text(0.765, y, **font.style(cut(mark.cluster.label, _LONG), 9.5))
        axes.plot([0.757], [y], marker=_SHAPES[mark.shape], color=mark.colour, markersize=6, clip_on=False,
                  transform=figure.transFigure)  # fmt: skip
    if len(marks) > _LISTED:
        figure.text(0.765, 0.90 - _LISTED * step, **font.style(f"and {len(marks) - _LISTED} more", 9.5, _QUIET))


@dataclass(slots=True, frozen=True)
class _Font:
    """The families text is drawn in, one after the other, and the characters they have."""

    families: list[str]
    characters: frozenset[int]

    def lacks(self, text: str) -> str:
        """Name the first few characters that no font has, with blanks between them."""
        missing = dict.fromkeys(letter for letter in text if ord(letter) not in self.characters)
        return " ".join(list(missing)[:_TOLD]) + (" …" if len(missing) > _TOLD else "")

    def style(self, text: str, size: float, colour: str = _INK, *, bold: bool = False) -> dict[str, Any]:
        """Return a text with its style; a box stands for a character that no font has, and dollars are no formula."""
        drawn = "".join(letter if ord(letter) in self.characters else _BOX for letter in text)
        weight = "bold" if bold else "normal"
        return {"s": drawn, "family": self.families, "size": size, "color": colour, "weight": weight, "va": "center",
                "parse_math": False}  # fmt: skip


@cache
def _font(han: tuple[str, ...] = _HAN) -> _Font:
    """Choose matplotlib's own font, and after it one with Chinese (the first of `han`) if one is installed."""
    from matplotlib.font_manager import FontProperties, findfont, findSystemFonts, fontManager, get_font

    installed = {each.name for each in fontManager.ttflist}
    if not installed.intersection(han):
        # The list is kept from one process to the next, so it may be older than a font.
        for path in set(findSystemFonts()).difference(each.fname for each in fontManager.ttflist):
            with contextlib.suppress(Exception):  # some files are no fonts, or not ones that it reads
                fontManager.addfont(path)
        installed = {each.name for each in fontManager.ttflist}
    families = ["DejaVu Sans", *[name for name in han if name in installed][:1]]
    characters: set[int] = set()
    for family in families:
        weights = [findfont(FontProperties(family=family, weight=weight)) for weight in ("normal", "bold")]
        characters |= set.intersection(*(set(get_font(path).get_charmap()) for path in weights))
    return _Font(families, frozenset(characters))
