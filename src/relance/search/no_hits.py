"""Why a question with a filter has no hits: a key that no document has, or a filter that nothing passes."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from relance.search.filters import parse_filter
from relance.search.filters.metadata import MetadataValue
from relance.search.filters.tree import names

if TYPE_CHECKING:
    from relance.search.hits import Hits
    from relance.store.open_tables import TableVersion
    from relance.store.serving import Pinned

__all__ = ["explained", "unknown_keys"]

T = TypeVar("T", bound="Hits[Any] | tuple[Hits[Any], ...]")
_SAMPLE = 1000  # rows whose keys are proposed for a misspelt one


def explained(filter: str | None, ask: Callable[[Pinned], T], pinned: Pinned) -> T:  # noqa: A002  # what it is called everywhere
    """Answer a question; where its filter may be why nothing was found, the hits say so (`Hits.hints`)."""
    found = ask(pinned)
    pages: Sequence[Hits[Any]] = found if isinstance(found, tuple) else (found,)
    if filter and filter.strip() and not any(pages):
        pages[0].hints += list(_unknown(filter, list(pinned.all()))) or [
            "the filter may leave nothing that fits: search without it, or with less of it"
        ]
    return found


def unknown_keys(text: str, columns: Collection[str], has: Callable[[str], bool],
                 proposals: Callable[[], Collection[str]]) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Return the keys of a filter that no document has, each with the one that was probably meant, or nothing.

    Args:
        text: the filter.
        columns: that it may name, too.
        has: whether a document has a metadata key.
        proposals: names that may be meant; asked for only where a key is unknown.
    """
    for name in dict.fromkeys(names(parse_filter(text))):
        key = name.path[0]
        if not ((key in columns and not name.metadata) or has(key)):
            yield key, next(iter(get_close_matches(key.lower(), proposals(), 1, 0.6)), "")


def _unknown(text: str, tables: Sequence[TableVersion]) -> Iterator[str]:
    """Name the unknown keys of a filter in sentences."""
    columns = {name for table in tables for name in table.schema.names}
    proposals = cache(lambda: columns.union(*map(_keys, tables)))
    for key, meant in unknown_keys(text, columns, lambda key: any(_has(table, key) for table in tables), proposals):
        yield f"no document has the metadata key {key!r}" + (f"; did you mean {meant!r}?" if meant else "")


def _has(table: TableVersion, key: str) -> bool:
    exists = MetadataValue((key,)).exists()
    return table.search().where("active").where(exists).select(["doc_id"]).limit(1).to_arrow().num_rows > 0


def _keys(table: TableVersion) -> set[str]:
    rows = table.search().where("active").select(["metadata"]).limit(_SAMPLE).to_arrow()
    kept = (json.loads(value) for value in rows["metadata"].to_pylist() if value)
    return {key for metadata in kept for key, value in metadata.items() if value is not None}
