"""A change plan, and the report of a run, in a notebook; both import this, so it takes them as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from relance.counted import counted
from relance.notebook import card, escaped, line
from relance.pipeline.ignored_counts import ignored_lines

if TYPE_CHECKING:
    from relance.pipeline.changes import PlannedChange
    from relance.store.failures import Failure

__all__ = ["plan_card", "report_card"]

_REASONS = 5
_SIGNS = {"added": "+", "changed": "~", "removed": "−"}


def plan_card(plan: Any, title: str = "") -> str:
    """Show what a run would do and cost."""
    changes = _changes(plan)
    cost = "unknown" if plan.cost_usd is None else f"${plan.cost_usd:.4f}"
    sentence = f"the plan is {changes}" if changes else "nothing to do"
    rows = {
        "documents": f"{plan.documents:,} now, {plan.unchanged:,} unchanged",
        "chunks": f"{plan.chunks:,}, of which {plan.reused:,} {'has' if plan.reused == 1 else 'have'} a vector already",
        "cost": f"{cost} for {_bought(plan)}",
    }
    below = [_change(change) for change in plan.changes]
    if plan.rebuild:
        below.append(line("The model has changed: the index is built anew beside the one in use."))
    shown = card(f"{escaped(title or plan.index)}: {sentence}", rows, [*below, *_left_out(plan)])
    return shown if plan.media is None else shown + plan_card(plan.media, f"{plan.index} media")


def report_card(report: Any) -> str:
    """Show what a run did."""
    changes = _changes(report) or "nothing changed"
    rows = {
        "documents": f"{changes}, {report.unchanged:,} unchanged",
        "chunks": f"{report.chunks:,} written: {report.embedded:,} embedded, {report.reused:,} reused",
        "cost": f"${report.cost_usd:.4f} for {_bought(report)}",
    }
    if "total" in report.seconds:
        rows["time"] = counted(round(report.seconds["total"]), "second")
    shown = card(f"{escaped(report.title)}: {escaped(report.status)}", rows, _left_out(report))
    return shown if report.media is None else shown + report_card(report.media)


def _bought(counts: Any) -> str:
    return f"{counted(counts.tokens, 'token')} in {counted(counts.requests, 'request')}"


def _changes(counts: Any) -> str:
    named = {"added": counts.added, "changed": counts.changed, "removed": counts.removed}
    return ", ".join(f"{number:,} {name}" for name, number in named.items() if number)


def _change(change: PlannedChange) -> str:
    """List the documents of one reason, to be unfolded."""
    head = f"{_SIGNS[change.action]} {counted(change.documents, 'document')}: {escaped(change.reason)}"
    uris = "".join(line(escaped(uri), dim=True) for uri in change.uris)
    rest = change.documents - len(change.uris)
    rest_line = line(f"… and {rest:,} more", dim=True) if rest > 0 else ""
    return f"<details><summary>{head}</summary>{uris}{rest_line}</details>"


def _left_out(counts: Any) -> list[str]:
    """Say what is not in the index, or not whole, and what else there is to know."""
    lines = _found("failure", counts.failed, counts.failures) + _found("warning", counts.warned, counts.warnings)
    lines += [line(f"ignored: {escaped(each)}", dim=True) for each in ignored_lines(counts.ignored)]
    return [*lines, *(line(escaped(note), dim=True) for note in counts.notes)]


def _found(noun: str, number: int, found: Sequence[Failure]) -> list[str]:
    """Unfold the most frequent reasons of failures or warnings."""
    if not number:
        return []
    reasons = Counter(each.reason for each in found)
    lines = "".join(line(f"{count:,} × {escaped(reason)}", dim=True) for reason, count in reasons.most_common(_REASONS))
    rest = len(reasons) - _REASONS
    lines += line(f"… and {counted(rest, 'other reason')}", dim=True) if rest > 0 else ""
    return [f"<details><summary>{counted(number, noun)}</summary>{lines}</details>"]
