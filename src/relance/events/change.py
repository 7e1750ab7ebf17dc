"""What happened to the sources of an index, and the event that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from relance.errors import InputError

__all__ = ["ENDINGS", "EVENT", "MAX_BYTES", "MAX_URIS", "Change", "merge"]

EVENT = "relance.source.changed"
# How a run ended, by the type of its last state: the end of the event `relance.index.…` that says so.
ENDINGS = {"COMPLETED": "in-sync", "FAILED": "failed", "CRASHED": "crashed", "CANCELLED": "cancelled"}

# A server drops events over 1.5 MB without a word, and shows each in a page: more than this is told as "everything".
MAX_URIS = 1000
MAX_BYTES = 64 * 1024
_MAX_SOURCE = 200
_RESOURCE = "relance.index."


@dataclass(frozen=True, slots=True)
class Change:
    """Documents that were changed or removed, or the word that everything has to be looked at.

    Too many uris, or one that no database can keep, make it `everything`; then no uris are kept.

    Attributes:
        index: name of the index.
        source: where it happened, for people; may be empty.
        changed: uris of documents (or of tables) that are new or different.
        removed: uris of documents that are gone; none of them is in `changed`.
        everything: look at all documents; only what really changed is read.
    """

    index: str
    source: str = ""
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    everything: bool = False

    def __post_init__(self) -> None:
        changed = tuple(dict.fromkeys(self.changed))
        removed = tuple(dict.fromkeys(uri for uri in self.removed if uri not in set(changed)))
        everything = self.everything or not _fits([*changed, *removed])
        for name, value in {
            "changed": () if everything else changed,
            "removed": () if everything else removed,
            "everything": everything,
            "source": _clean(self.source),
        }.items():
            object.__setattr__(self, name, value)

    def __bool__(self) -> bool:
        return self.everything or bool(self.changed or self.removed)

    def __str__(self) -> str:
        if self.everything:
            return f"{self.index}: everything"
        counts = [
            f"{len(uris):,} {name}" for name, uris in (("changed", self.changed), ("removed", self.removed)) if uris
        ]
        return f"{self.index}: {', '.join(counts) or 'nothing'}"

    def as_event(self, *, own: bool, id: UUID | str, occurred: datetime) -> dict[str, Any]:  # noqa: A002  # Prefect's word
        """Write the event as `POST /api/events` takes it.

        Args:
            own: whether the index has a deployment of its own; else the one for all indexes handles it.
            id: a UUID; a second event with the same one is the same event.
            occurred: when, with a time zone.
        """
        return {
            "id": str(id),
            "occurred": occurred.isoformat(),
            "event": EVENT,
            "resource": {
                "prefect.resource.id": f"{_RESOURCE}{self.index}",
                "prefect.resource.name": self.index,
                "relance.index": self.index,
                "relance.source": self.source,
                "relance.deployment": "own" if own else "shared",
            },
            "related": [],
            "payload": {
                "index": self.index,
                "source": self.source,
                "changed": list(self.changed),
                "removed": list(self.removed),
                "everything": self.everything,
            },
        }

    @classmethod
    def of_event(cls, event: Mapping[str, Any]) -> Change:
        """Read an event, whoever wrote it: what is missing or malformed makes it `everything`.

        Raises InputError only where it names no index.
        """
        payload, resource = (_mapping(_mapping(event).get(key)) for key in ("payload", "resource"))
        identity = resource.get("prefect.resource.id")
        named = identity.removeprefix(_RESOURCE) if isinstance(identity, str) and _RESOURCE in identity else ""
        index = next((name for name in (payload.get("index"), resource.get("relance.index"), named)
                      if isinstance(name, str) and name), "")  # fmt: skip
        if not index:
            msg = f"the event names no index; expected payload.index, or the resource {_RESOURCE}<name>"
            raise InputError(msg)
        source = payload.get("source", resource.get("relance.source", ""))
        changed, removed = _uris(payload.get("changed")), _uris(payload.get("removed"))
        told = changed is not None and removed is not None and payload.get("everything") is False
        return cls(index, source if isinstance(source, str) else "", tuple(changed or ()), tuple(removed or ()),
                   everything=not told)  # fmt: skip


def merge(changes: Iterable[Change]) -> Change:
    """Put the changes of one index, oldest first, into one; of what happened to a uri, the last word counts."""
    listed = list(changes)
    indexes, sources = {change.index for change in listed}, {change.source for change in listed}
    if len(indexes) != 1:
        msg = f"expected changes of one index, got those of {sorted(indexes) or 'none'}"
        raise ValueError(msg)
    there: dict[str, bool] = {}
    for change in listed:
        last = dict.fromkeys(change.changed, True) | dict.fromkeys(change.removed, False)
        # A uri stands where it was named last, so that merging in steps gives the same order.
        there = {uri: kept for uri, kept in there.items() if uri not in last} | last
    return Change(
        indexes.pop(),
        sources.pop() if len(sources) == 1 else "",
        changed=tuple(uri for uri, kept in there.items() if kept),
        removed=tuple(uri for uri, kept in there.items() if not kept),
        everything=any(change.everything for change in listed),
    )


def _fits(uris: list[str]) -> bool:
    if len(uris) > MAX_URIS or any(not uri or "\0" in uri for uri in uris):  # PostgreSQL keeps no NUL in JSON
        return False
    try:
        return sum(len(uri.encode()) + 3 for uri in uris) <= MAX_BYTES
    except UnicodeEncodeError:  # half of a surrogate pair is no text that JSON could carry
        return False


def _clean(source: str) -> str:
    return source.encode(errors="replace").decode().replace("\0", "")[:_MAX_SOURCE]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _uris(value: Any) -> list[str] | None:
    return value if isinstance(value, list) and all(isinstance(uri, str) for uri in value) else None
