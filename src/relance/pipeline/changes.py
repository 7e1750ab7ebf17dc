"""What a plan says about single documents: which are added, changed and removed, grouped by the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

    from relance.store.manifest import Manifest

__all__ = ["LISTED", "Changes", "PlannedChange"]

LISTED = 20  # documents of each reason, unless more are wanted

Action = Literal["added", "changed", "removed"]
_VERSIONS = ["doc_id", "version", "content_hash", "fingerprint"]


@dataclass(slots=True)
class PlannedChange:
    """Documents that a run would add, change or remove for one reason.

    Attributes:
        documents: how many.
        uris: of the first of them.
    """

    action: Action
    reason: str
    documents: int = 0
    uris: list[str] = field(default_factory=list)


class Changes:
    """Collects the changes of a plan; of each reason at most `listed` uris are held."""

    def __init__(self, manifest: Manifest, *, listed: int, rebuild: bool, full: bool) -> None:
        self._manifest, self._listed, self._full = manifest, listed, full
        self._new = "to be written to the tables of the new model" if rebuild else "new"
        self._found: dict[tuple[Action, str], PlannedChange] = {}

    def add(self, documents: pa.Table, known: pa.Array) -> None:
        """Add the documents of a batch; `known` are the ids that the index may hold."""
        ids = set(known.to_pylist())
        before = {row["doc_id"]: row for row in self._manifest.select(list(ids), _VERSIONS).to_pylist()}
        for row in documents.select(["uri", *_VERSIONS]).to_pylist():
            old = before.get(row["doc_id"])
            if row["doc_id"] not in ids:
                self._count("added", self._new, row["uri"])
            else:
                self._count("changed", _reason(old, row, full=self._full), row["uri"])

    def remove(self, ids: Iterable[str], *, total: int) -> None:
        """Take the documents that would be removed, `total` in all: of some no uri is known."""
        reason = "no longer in the sources, or excluded now"
        some = [each for each, _ in zip(ids, range(self._listed), strict=False)]
        rows = self._manifest.rows(some)
        for uri in sorted(row["uri"] for row in rows.values() if not row["collection"])[:total]:
            self._count("removed", reason, uri)
        if total:
            self._change("removed", reason).documents = total

    def all(self) -> list[PlannedChange]:
        """Return the groups: added, changed and removed, each the largest first."""

        def order(change: PlannedChange) -> tuple[str, int, str]:
            return change.action, -change.documents, change.reason

        return sorted(self._found.values(), key=order)

    def _count(self, action: Action, reason: str, uri: str) -> None:
        change = self._change(action, reason)
        change.documents += 1
        if len(change.uris) < self._listed:
            change.uris.append(uri)

    def _change(self, action: Action, reason: str) -> PlannedChange:
        return self._found.setdefault((action, reason), PlannedChange(action, reason))


def _reason(old: dict[str, str] | None, new: dict[str, str], *, full: bool) -> str:
    if old is None:
        return "written only in part by an earlier run"
    if old["content_hash"] != new["content_hash"]:
        return "content changed"
    if old["fingerprint"] != new["fingerprint"]:
        return "chunking, parser or model changed"
    return "written again, because of --full" if full else "its version changed, its content did not"
