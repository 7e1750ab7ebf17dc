"""Failures and warnings by their reason: what 300 documents have in common is said once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relance.store.failures import Failure, FailureRow

__all__ = ["Reason", "by_reason"]

_LISTED = 3


@dataclass(slots=True)
class Reason:
    """Documents that failed, or have a warning, for one reason.

    Attributes:
        stage, indexed: as in `Failure`.
        documents: how many.
        uris: of the first of them.
    """

    reason: str
    stage: str
    indexed: bool
    documents: int = 0
    uris: list[str] = field(default_factory=list)


def by_reason(found: Iterable[Failure | FailureRow], *, listed: int = _LISTED) -> list[Reason]:
    """Group failures, then warnings, by reason, the most frequent first; of each at most `listed` uris are there."""
    groups: dict[tuple[bool, str, str], Reason] = {}
    for each in found:
        group = groups.setdefault(
            (each.indexed, each.stage, each.reason), Reason(each.reason, each.stage, each.indexed)
        )
        group.documents += 1
        if len(group.uris) < listed:
            group.uris.append(each.uri)
    return sorted(groups.values(), key=lambda group: (group.indexed, -group.documents))
