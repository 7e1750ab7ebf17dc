"""Tables of an evaluation, as cells: the terminal, Markdown and the page show the same ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relance.evaluation.measures import Measure, counted, title_of

if TYPE_CHECKING:
    from relance.evaluation.compare import Comparison, Difference
    from relance.evaluation.dimensions import TradeOff
    from relance.evaluation.run import Evaluation

__all__ = ["Cells", "comparison_markdown", "cost_cells", "notes", "quality_cells", "trade_off_cells",
           "trade_off_markdown"]  # fmt: skip

_MIB = 2**20
_NAMED = 3  # of the documents that an index lacks
_SHOWN: tuple[Measure, ...] = ("ndcg", "recall", "mrr", "map")


@dataclass(slots=True, frozen=True)
class Cells:
    """A table of texts: the first column names, the others hold numbers."""

    head: list[str]
    rows: list[list[str]]


def quality_cells(comparison: Comparison) -> Cells:
    """Every system's measures with their intervals; beside what is compared, its difference to the reference."""
    first, *others = [comparison.measure, *(measure for measure in _SHOWN if measure != comparison.measure)]
    title = title_of(first, comparison.k)
    against = [f"± {title}", "p"] if len(comparison.systems) > 1 else []
    head = ["system", title, *against, *(title_of(measure, comparison.k) for measure in others)]
    rows = []
    for each in _ordered(comparison):
        difference = _against(comparison.with_reference(each.label)) if against else []
        rows.append([each.label, _mean(each, first), *difference, *(_mean(each, measure) for measure in others)])
    return Cells(head, rows)


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
    what = ", answered by images and videos" if first.media else ""
    said = [f"{counted(first.queries, 'question')}{what}; in brackets 95 % bootstrap intervals over questions."]
    if len(comparison.systems) > 1:
        said.append(f"Differences are to {comparison.reference}; p by paired randomization, Holm-adjusted for "
                    f"{counted(len(comparison.differences), 'test')}; *: more than chance.")  # fmt: skip
    said.append(
        "$/M: a million tokens; GiB/M: vectors of a million chunks that the search reads; MiB: the table on disk."
    )
    said.append("Times are of one search after the other; embed: making a question's vector, on top (median).")
    for each in _ordered(comparison):
        if each.rerank_usd != 0.0:
            cost = "at a price nobody knows" if each.rerank_usd is None else f"for ${each.rerank_usd:.4f}"
            said.append(f"{each.label}: a reranker sorted the hits of {counted(each.queries, 'question')} {cost}.")
    if unjudged := first.skipped - first.blank:
        verbs = "has no relevant document and was" if unjudged == 1 else "have no relevant document and were"
        said.append(f"{counted(unjudged, 'question')} {verbs} not asked.")
    if first.blank:
        said.append(f"{counted(first.blank, 'question')} {'is' if first.blank == 1 else 'are'} blank and left out.")
    everywhere = len(comparison.systems)
    return said + [_told_missing(names, [] if len(labels) == everywhere else labels)
                   for names, labels in _missing(comparison).items()]  # fmt: skip


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


def _mean(each: Evaluation, measure: Measure) -> str:
    return f"{getattr(each, measure):.3f} {_interval(*each.intervals[measure])}"


def _interval(low: float, high: float, sign: str = "") -> str:
    return f"[{low:{sign}z.3f}, {high:{sign}z.3f}]"


def _against(reference: Difference | None) -> list[str]:
    if reference is None:
        return ["—", "—"]
    chance = "< 0.001" if reference.p < 0.001 else f"{reference.p:.3f}"
    difference = f"{reference.mean:+z.3f} {_interval(reference.low, reference.high, '+')}"
    return [difference, f"{chance} *" if reference.significant else chance]


def _embed_ms(each: Evaluation) -> str:
    return "—" if each.embed_ms_p50 is None else f"{each.embed_ms_p50:.1f}"


def _missing(comparison: Comparison) -> dict[tuple[int, str], list[str]]:
    """Group systems by how many documents they lack, and by the first of their names."""
    found: dict[tuple[int, str], list[str]] = {}
    for each in comparison.systems:
        if each.missing:
            found.setdefault((each.missing, ", ".join(each.missing_documents[:_NAMED])), []).append(each.label)
    return found


def _told_missing(missing: tuple[int, str], labels: Sequence[str]) -> str:
    number, names = missing
    documents = "1 relevant document is" if number == 1 else f"{number:,} relevant documents are"
    whose = f" of {', '.join(labels)}" if labels else ""
    named = f": {names}{', …' if number > _NAMED else ''}" if names else ""
    return f"{documents} not in the index{whose}, and no search can find what is missing{named}."


def _share(value: float, full: float) -> str:
    return f"{value:.3f} ({value / full:.0%})" if full else f"{value:.3f}"


def _markdown(cells: Cells) -> str:
    lines: Sequence[Sequence[str]] = [cells.head, ["---", *["---:"] * (len(cells.head) - 1)], *cells.rows]
    return "\n".join(f"| {' | '.join(_escape(cell) for cell in line)} |" for line in lines)


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|#~$])", r"\\\1", text)
