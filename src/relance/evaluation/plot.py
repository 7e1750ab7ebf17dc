"""Pictures of an evaluation, as PNG: systems with their intervals, and the curve of shorter vectors."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from relance.counted import counted
from relance.errors import MissingExtraError
from relance.evaluation.measures import Measure, title_of

if TYPE_CHECKING:
    from relance.evaluation.compare import Comparison
    from relance.evaluation.dimensions import TradeOff

__all__ = ["comparison_png", "trade_off_png"]

_DPI = 150
_LABEL = 0.13  # of the width of an axis
# Okabe and Ito's colours, told apart by everybody.
_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#767676"
_SHOWN: tuple[Measure, ...] = ("ndcg", "recall")
# What may be installed with Chinese, Japanese and Korean in it, after the font that matplotlib brings.
_FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC",
          "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Microsoft YaHei", "PingFang SC", "Hiragino Sans GB",
          "Arial Unicode MS")  # fmt: skip


def comparison_png(comparison: Comparison, *, title: str = "") -> bytes:
    """Draw every system as a point with its interval, for the compared measure and one more, best first.

    A filled point differs from the reference by more than chance (each measure is tested), or is the reference; a
    hollow one does not.
    Raises MissingExtraError without matplotlib.
    """
    canvas, fonts = _canvas(8.6, 1.6 + 0.36 * len(comparison.systems))
    systems = sorted(comparison.systems, key=lambda each: getattr(each, comparison.measure), reverse=True)[::-1]
    panels: list[Measure] = [comparison.measure, next(each for each in _SHOWN if each != comparison.measure)]
    places = range(len(systems))
    axes = canvas.figure.subplots(1, 2, sharey=True)
    for axis, measure in zip(axes, panels, strict=True):
        compared = comparison.by(measure)
        for place, each in zip(places, systems, strict=True):
            value, (low, high) = getattr(each, measure), each.intervals[measure]
            reference = each.label == comparison.reference
            against = compared.with_reference(each.label)
            filled = reference or (against is not None and against.significant)
            colour = _ORANGE if reference else _BLUE
            axis.plot([low, high], [place, place], color=colour, linewidth=1.6, solid_capstyle="round", alpha=0.75)
            axis.plot(value, place, "o", color=colour, markerfacecolor=colour if filled else "white", markersize=6.5)
            axis.annotate(f"{value:.3f}", (value, place), xytext=(0, 6), textcoords="offset points", ha="center",
                          fontsize=7.5, color="#333333")  # fmt: skip
        _tidy(axis, title_of(measure, comparison.k))
        axis.margins(x=0.08)
    axes[0].set_ylim(-0.6, len(systems) - 0.3)
    axes[0].set_yticks(list(places), [_drawable(each.label, fonts) for each in systems])
    _caption(canvas.figure, title, f"{counted(systems[0].queries, 'question')}; bars: 95 % bootstrap intervals; "
             f"orange: {_role(comparison)}; hollow: no difference to it is shown", fonts)  # fmt: skip
    return _png(canvas)


def trade_off_png(curve: TradeOff, *, title: str = "") -> bytes:
    """Draw nDCG and recall over the bytes of a vector, with their intervals.

    Raises MissingExtraError without matplotlib.
    """
    canvas, fonts = _canvas(6.4, 3.9)
    axis = canvas.figure.subplots()
    sizes = [step.bytes_per_vector for step in curve.steps]
    for measure, colour, aside in zip(_SHOWN, (_ORANGE, _BLUE), (0.985, 1.015), strict=True):
        values = [getattr(step, measure) for step in curve.steps]
        at = [size * aside for size in sizes]  # so that bars do not lie on each other
        axis.plot(at, values, "o-", color=colour, markersize=5, label=title_of(measure, curve.k))
        axis.vlines(at, *zip(*(step.intervals[measure] for step in curve.steps), strict=True), color=colour,
                    linewidth=1.6, alpha=0.45)  # fmt: skip
    axis.set_xscale("log", base=2)
    axis.set_xticks(sizes, _ticks(sizes))
    axis.minorticks_off()
    axis.set_xlabel("dimension, and bytes of a vector", fontsize=8.5, color="#333333")
    _tidy(axis, "")
    axis.legend(frameon=False, fontsize=8.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))  # no bar is behind it there
    _caption(canvas.figure, title or f"{curve.index}: what shorter vectors lose",
             f"{curve.model}; {counted(curve.queries, 'question')}; bars: 95 % bootstrap intervals", fonts)  # fmt: skip
    return _png(canvas)


def _ticks(sizes: Sequence[int]) -> list[str]:
    """Label lengths of vectors, longest first; one that would lie on its neighbour's label has none."""
    span = math.log2(sizes[0] / sizes[-1])
    labels: list[str] = []
    beside = math.inf
    for size in sizes:
        free = math.log2(beside / size) >= _LABEL * span
        labels.append(f"{size // 4:,}\n{size:,} B" if free else "")
        beside = size if free else beside
    return labels


def _canvas(width: float, height: float) -> tuple[Any, list[str]]:
    """Make a picture without pyplot, whose state all threads of a process share."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.font_manager import fontManager
    except ImportError as error:
        raise MissingExtraError("a picture", "analysis") from error
    installed = {font.name for font in fontManager.ttflist}
    fonts = [name for name in _FONTS if name in installed][:3]
    return FigureCanvasAgg(Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")), fonts


def _tidy(axis: Any, title: str) -> None:
    axis.set_title(title, fontsize=9.5, color="#222222")
    axis.grid(axis="both", color="#e6e6e6", linewidth=0.7)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=8.5, length=0, colors="#333333")
    for side in axis.spines.values():
        side.set_visible(False)


def _caption(figure: Any, title: str, below: str, fonts: list[str]) -> None:
    if title:
        figure.suptitle(_drawable(title, fonts), fontsize=11, fontweight="bold", color="#222222")
    figure.supxlabel(_drawable(below, fonts), fontsize=7.5, color=_GREY)
    for text in figure.findobj(lambda artist: hasattr(artist, "set_fontfamily")):
        text.set_fontfamily(fonts)


def _role(comparison: Comparison) -> str:
    values = {each.label: getattr(each, comparison.measure) for each in comparison.systems}
    best = [label for label, value in values.items() if value >= max(values.values()) - 1e-12]
    if comparison.reference not in best:
        return "the baseline"
    return "the best" if len(best) == 1 else "one of the best"


def _drawable(text: str, fonts: list[str]) -> str:
    """Replace what no installed font has; `$` would begin a formula."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    faces = [get_font(findfont(FontProperties(family=name))) for name in fonts]
    known = "".join(letter if any(face.get_char_index(ord(letter)) for face in faces) else "?" for letter in text)
    return known.replace("$", r"\$")


def _png(canvas: Any) -> bytes:
    file = io.BytesIO()
    canvas.print_png(file, metadata={"Software": "relance"})
    return file.getvalue()
