"""What a person has to agree to before a run: much money, or much of the index gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relance.config.limits import LimitsSpec
from relance.documents import document_id
from relance.errors import ApprovalNeededError
from relance.pipeline.report import Report
from relance.store.manifest import Manifest

if TYPE_CHECKING:
    from relance.pipeline.plan import Plan
    from relance.pipeline.run import Ingestion

__all__ = ["Loss", "Preview", "approval_needed", "check_loss", "loss_of", "note_decision"]

# Half of a small index is a morning's tidying, and nobody should be asked about that.
FEW = 10


@dataclass(slots=True, frozen=True)
class Preview:
    """What a run would do, and what of it a person has to approve (nothing: it may go on)."""

    plan: Plan
    reasons: list[str]


@dataclass(slots=True, frozen=True)
class Loss:
    """How many of the documents that readers find now a run would take away.

    Attributes:
        arriving: documents that are new or may have changed.
    """

    removed: int
    documents: int
    arriving: int


def approval_needed(plan: Plan, limits: LimitsSpec) -> list[str]:
    """Say what of a plan a person has to approve, as sentences that go on from "this run"."""
    reasons = [_of_cost(plan, limits.approve_above_usd), _of_loss(_planned(plan), "documents", limits)]
    if plan.media is not None:
        reasons.append(_of_loss(_planned(plan.media), "images and videos", limits))
    return [reason for reason in reasons if reason]


def check_loss(run: Ingestion, *, approved: bool) -> None:
    """Raise ApprovalNeededError if a run that has looked at its sources would remove more than `limits` allow.

    What was approved is noted in the run's report.
    """
    reason = _of_loss(loss_of(run), "images and videos" if run.media else "documents", run.spec.limits)
    if reason and not approved:
        raise ApprovalNeededError(run.spec.name, [reason])
    note_decision(run.report, [reason] if reason else [])


def note_decision(report: Report, reasons: Iterable[str]) -> None:
    """Keep in a run's report what was approved, once."""
    notes = (f"approved: {reason}" for reason in reasons)
    report.notes += [note for note in notes if note not in report.notes]


def loss_of(run: Ingestion) -> Loss:
    """Count what a run that has looked at its sources would remove."""
    discovery = run.discovery
    assert discovery is not None  # noqa: S101  # discover() comes first
    snapshot = discovery.snapshot
    gone, arriving = discovery.removed, discovery.candidates
    documents = len(snapshot) - int(snapshot.collections.sum())
    if not discovery.complete or (discovery.unchanged and not gone and not arriving):
        # Stopped, or as most runs are: even to ask which table serves would take 5 ms.
        return Loss(0, documents, arriving)
    alias = run.tables.alias
    if alias is None or alias["table"] == run.tables.name or discovery.only:
        removed = sum(not snapshot.collections[snapshot.place(doc_id)] for doc_id in gone)
        return Loss(removed, documents, arriving)
    # Another model: readers lose what the table that will be switched to does not get.
    coming = {document_id(each.item.uri) for batch in discovery.read() for each in batch if not each.known}
    documents = removed = 0
    for row in Manifest(run.store, alias["table"]).all(["doc_id", "collection"]):
        if not row["collection"]:
            place = snapshot.place(row["doc_id"])
            documents += 1
            removed += row["doc_id"] not in coming and (place < 0 or not snapshot.seen[place])
    return Loss(removed, documents, arriving)


def _planned(plan: Plan) -> Loss:
    return Loss(plan.removed, plan.documents, plan.added + plan.changed)


def _of_cost(plan: Plan, limit: float | None) -> str | None:
    if limit is None:
        return None
    tokens = plan.tokens + (plan.media.tokens if plan.media else 0)
    limited = f"limits.approve_above_usd is ${limit:g}"
    if plan.total_usd is None:
        return f"would embed {tokens:,} tokens at an unknown price ({limited})" if tokens else None
    return f"would cost ${plan.total_usd:.4f} for {tokens:,} tokens ({limited})" if plan.total_usd > limit else None


def _of_loss(loss: Loss, what: str, limits: LimitsSpec) -> str | None:
    fraction = limits.max_removed_fraction
    if not loss.removed or fraction == 1:
        return None
    if loss.removed == loss.documents and not loss.arriving:
        return f"would remove all {loss.documents:,} {what} and bring no others (is a source empty or not mounted?)"
    if loss.removed <= fraction * loss.documents or (loss.removed < FEW and fraction):
        return None
    others = f" while {loss.arriving:,} are new or changed" if loss.arriving else ""
    limited = f"limits.max_removed_fraction is {fraction:g}"
    return f"would remove {loss.removed:,} of {loss.documents:,} {what}{others} ({limited})"
