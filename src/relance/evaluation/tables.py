"""Tables of an evaluation, as cells: the terminal, Markdown and the page show the same ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relance.evaluation.measures import Measure, title_of

if TYPE_CHECKING:
    from relance.evaluation.compare import Comparison, Difference
    from relance.evaluation.dimensions import TradeOff
    from relance.evaluation.run import Evaluation

__all__ = ["Cells", "comparison_markdown", "cost_cells", "notes", "quality_cells", "trade_off_cells",
           "trade_off_markdown"]  # fmt: skip

_MIB = 2**20
_SHOWN: tuple[Measure, ...] = ("ndcg", "recall", "mrr", "map")


@dataclass(slots=True, frozen=True)
class Cells:
    """A table of texts: the first column names, the others hold numbers."""

    head: list[str]
    rows: list[list[str]]


def quality_cells(comparison: Comparison) -> Cells:
    """Every system's measures with their intervals, and its difference to the reference."""
    k, several = comparison.k, len(comparison.systems) > 1
    head = ["system", *(title_of(measure, k) for measure in _SHOWN)]
    rows = []
    for each in _ordered(comparison):
        row = [each.label, *(f"{getattr(each, measure):.3f} {_interval(*each.intervals[measure])}"
                             for measure in _SHOWN)]  # fmt: skip
        if several:
            row += _against(comparison.with_reference(each.label))
        rows.append(row)
    return Cells([*head, f"± {title_of(comparison.measure, k)}", "p"] if several else head, rows)


def cost_cells(comparison: Comparison) -> Cells:
    """What every system takes: dollars, bytes and time."""
    head = ["system", "model", "dim.", "chunks", "$/M", "GiB/M", "MiB", "p50 ms", "p95 ms", "embed ms"]
    rows = []
    for each in _ordered(comparison):
        taken = each.footprint
        price = "unknown" if taken.usd_per_million_tokens is None else f"{taken.usd_per_million_tokens:g}"
        rows.append([each.label, taken.model.rpartition("/")[2] or "—", f"{taken.dimension or '—'}",
                     f"{taken.chunks:,}", price, f"{taken.gib_per_million_chunks:.2f}",
                     f"{taken.table_bytes / _MIB:,.1f}", f"{each.latency_ms_p50:.0f}",
                     f"{each.latency_ms_p95:.0f}", _embed_ms(each)])  # fmt: skip
    return Cells(head, rows)


def trade_off_cells(curve: TradeOff) -> Cells:
    """Every length of vectors: what it takes, and how well it finds."""
    head = ["dimension", "bytes a vector", "GiB / million", *(title_of(measure, curve.k) for measure in _SHOWN)]
    full = curve.steps[0]
    rows = [[f"{step.dimension:,}", f"{step.bytes_per_vector:,}", f"{step.gib_per_million:.2f}",
             *(_share(getattr(step, measure), getattr(full, measure)) for measure in _SHOWN)]
            for step in curve.steps]  # fmt: skip
    return Cells(head, rows)


def notes(comparison: Comparison) -> list[str]:
    """Say what the numbers rest on: how many questions, what was left out, what the columns mean."""
    first = comparison.systems[0]
    said = [f"{first.queries:,} questions; in brackets 95 % bootstrap intervals over questions."]
    if len(comparison.systems) > 1:
        said.append(f"Differences are to {comparison.reference}; p by paired randomization, Holm-adjusted for "
                    f"{len(comparison.differences)} tests; *: more than chance.")  # fmt: skip
    said.append(
        "$/M: a million tokens; GiB/M: vectors of a million chunks that the search reads; MiB: the table on disk."
    )
    said.append("Times are of one search after the other; embed: making a question's vector, on top (median).")
    if first.skipped:
        said.append(f"{first.skipped:,} questions have no relevant document and were not asked.")
    for missing, labels in _missing(comparison).items():
        documents = "1 relevant document is" if missing == 1 else f"{missing:,} relevant documents are"
        said.append(f"{documents} not in the index, so no search can find what is missing ({', '.join(labels)}).")
    return said


def comparison_markdown(comparison: Comparison) -> str:
    """Write a comparison as Markdown: findings, quality, costs."""
    findings = [f"- {_escape(each)}" for each in comparison.findings]
    said = [_escape(each) for each in notes(comparison)]
    parts = ["\n".join(findings), _markdown(quality_cells(comparison)), " ".join(said),
             _markdown(cost_cells(comparison))]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def trade_off_markdown(curve: TradeOff) -> str:
    """Write the curve of shorter vectors as Markdown."""
    return f"{_markdown(trade_off_cells(curve))}\n\n{_escape(curve.note)}"


def _ordered(comparison: Comparison) -> list[Evaluation]:
    return sorted(comparison.systems, key=lambda each: -getattr(each, comparison.measure))


def _interval(low: float, high: float, sign: str = "") -> str:
    return f"[{low:{sign}.3f}, {high:{sign}.3f}]"


def _against(reference: Difference | None) -> list[str]:
    if reference is None:
        return ["—", "—"]
    chance = "< 0.001" if reference.p < 0.001 else f"{reference.p:.3f}"
    difference = f"{reference.mean:+.3f} {_interval(reference.low, reference.high, '+')}"
    return [difference, f"{chance} *" if reference.significant else chance]


def _embed_ms(each: Evaluation) -> str:
    return "—" if each.embed_ms_p50 is None else f"{each.embed_ms_p50:.1f}"


def _missing(comparison: Comparison) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for each in comparison.systems:
        if each.missing:
            found.setdefault(each.missing, []).append(each.label)
    return found


def _share(value: float, full: float) -> str:
    return f"{value:.3f} ({value / full:.0%})" if full else f"{value:.3f}"


def _markdown(cells: Cells) -> str:
    lines: Sequence[Sequence[str]] = [cells.head, ["---", *["---:"] * (len(cells.head) - 1)], *cells.rows]
    return "\n".join(f"| {' | '.join(_escape(cell) for cell in line)} |" for line in lines)


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|#~$])", r"\\\1", text)
