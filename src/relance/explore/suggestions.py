"""What the form of the search offers to choose from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

__all__ = ["fields_of", "folders_of"]

_FOLDERS, _FIELDS = 60, 16


def folders_of(uris: Iterable[str]) -> list[str]:
    """List the folders documents lie in, those with the most first."""
    counts: Counter[str] = Counter()
    for folder, count in Counter(uri.partition("#")[0].rpartition("/")[0] for uri in uris).items():
        parts = folder.split("/")
        counts.update({"/".join(parts[: depth + 1]): count for depth in range(len(parts)) if folder})
    return [folder for folder, _ in counts.most_common(_FOLDERS)]


def fields_of(metadata: Iterable[str | None]) -> list[tuple[str, str]]:
    """List what documents say about themselves, with an example of each: what filters may ask about."""
    found: dict[str, str] = {}
    for said in metadata:
        for name, value in json.loads(said or "{}").items():
            if name not in found and value not in (None, "", [], {}):
                found[name] = json.dumps(value, ensure_ascii=False)[:60]
    return sorted(found.items())[:_FIELDS]
