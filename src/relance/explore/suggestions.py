"""What the form of the search offers to choose from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import islice

__all__ = ["fields_of", "folders_of", "titles_of"]

_FOLDERS, _FIELDS, _TITLES, _LONGEST = 60, 16, 200, 80


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


def titles_of(titles: Iterable[str | None]) -> list[str]:
    """List the titles that a browser proposes while somebody types: the first 200 different ones, short ones only."""
    short = (title for title in titles if title and len(title) <= _LONGEST)
    return list(islice(dict.fromkeys(short), _TITLES))
