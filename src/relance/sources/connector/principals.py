"""Who may read a thing, as texts to filter by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["principals_of"]

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
