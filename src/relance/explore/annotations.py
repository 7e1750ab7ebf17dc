"""What analysis found out about documents: their cluster, their class, and whether they are far from the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from relance.store import schemas

__all__ = ["read_annotations"]

# The column of a table of results that says it, and what it is called.
_SAID = {"clusters": ("label", "cluster"), "classes": ("label", "class"), "anomalies": ("anomalous", "anomaly")}


def read_annotations(results: Callable[[str], Any | None], uris: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read what the tables of results say of some documents, by uri; of chunks the first one speaks."""
    annotations: dict[str, dict[str, str]] = {}
    for kind, (column, said) in _SAID.items():
        table = results(kind) if uris else None
        if table is None or not {"uri", column} <= set(table.schema.names):
            continue
        for condition in schemas.in_lists("uri", list(uris)):
            for row in table.search().where(condition).select(["uri", column]).limit(None).to_list():
                if value := row[column]:
                    annotations.setdefault(row["uri"], {}).setdefault(said, "unusual" if value is True else str(value))
    return annotations
