"""Who may read a thing, as texts to filter by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["ANYONE_WITH_LINK", "link_of", "principals_of", "unknown_readers"]

# Of nobody by itself: who has the link reads, and who has it is not known.
ANYONE_WITH_LINK = "link:anyone"
_KINDS = {"users": "user", "groups": "group", "access_classes": "access-class"}


def principals_of(permissions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return readers as `user:ID`, `group:ID`, `access-class:ID`, sorted; an empty list means nobody.

    `permissions` is what unstructured-ingest calls permissions_data: operations with ids by kind.
    """
    found = set()
    for each in permissions:
        for kind, names in (each.get("read") or {}).items():
            found.update(f"{_KINDS.get(kind, kind)}:{name}" for name in names if name)
    return sorted(found)


def link_of(principal: str) -> str:
    """Name those of a principal who have the link of a thing, for example `link:domain:example.com`."""
    return f"link:{principal}"


def unknown_readers(why: str) -> str:
    """Say that the readers of a thing cannot be found out, and what to do."""
    because = f" ({why})" if why else ""
    return (
        f"who may read it cannot be found out{because}; what is indexed of it stays. If everybody who searches may "
        "read all of it, say permissions: false"
    )
