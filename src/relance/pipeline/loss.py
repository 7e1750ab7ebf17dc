"""How much of an index a run would remove, and whether `limits` let it without a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from relance.config.limits import LimitsSpec
from relance.errors import ApprovalNeededError
from relance.pipeline.discovery import Discovery
from relance.pipeline.items import ids_of
from relance.pipeline.report import Report
from relance.store import Store
from relance.store.index_tables import IndexTables
from relance.store.manifest import Manifest

__all__ = ["FEW", "Loss", "check_loss", "loss_of", "loss_reason", "note_decision"]

# Half of a small index is a morning's tidying, and nobody should be asked about that.
FEW = 10


@dataclass(slots=True, frozen=True)
class Loss:
    """How many of the documents that readers find now a run would take away.

    Attributes:
        arriving: documents that are new or may have changed.
    """

    removed: int
    documents: int
    arriving: int


def loss_of(discovery: Discovery, tables: IndexTables, store: Store) -> Loss:
    """Count what a run that has looked at its sources would remove."""
    snapshot = discovery.snapshot
    gone, arriving = discovery.removed, discovery.candidates
    documents = len(snapshot) - int(snapshot.collections.sum())
    if not discovery.complete or (discovery.unchanged and not gone and not arriving):
        # Stopped, or as most runs are: even to ask which table serves would take 5 ms.
        return Loss(0, documents, arriving)
    alias = tables.alias
    if alias is None or alias["table"] == tables.name or discovery.only:
        return Loss(gone.documents, documents, arriving)
    # Another model: readers lose what the table that will be switched to does not get.
    served = Manifest(store, alias["table"]).snapshot()
    places = snapshot.places(served.ids(np.arange(len(served))))
    kept = served.collections.copy()
    kept[places >= 0] |= snapshot.seen[places[places >= 0]]
    for batch in discovery.batches():
        coming = served.places(ids_of(batch.filter(~pc.field("known"))))
        kept[coming[coming >= 0]] = True
    documents, removed = len(served) - int(served.collections.sum()), int((~kept).sum())
    return Loss(removed, documents, arriving)


def check_loss(loss: Loss, limits: LimitsSpec, report: Report, *, approved: bool) -> None:
    """Raise ApprovalNeededError if a run would remove more than `limits` allow; what was approved is noted."""
    reason = loss_reason(loss, "images and videos" if report.part == "media" else "documents", limits)
    if reason and not approved:
        raise ApprovalNeededError(report.index, [reason])
    note_decision(report, [reason] if reason else [])


def note_decision(report: Report, reasons: Iterable[str]) -> None:
    """Keep in a run's report what was approved, once."""
    notes = (f"approved: {reason}" for reason in reasons)
    report.notes += [note for note in notes if note not in report.notes]


def loss_reason(loss: Loss, what: str, limits: LimitsSpec) -> str | None:
    """Say why a person has to approve a loss, as a sentence that goes on from "this run"; None if nobody has to."""
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
