"""Why a question with a filter has no hits: a key that no document has, or a filter that nothing passes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from relance.search.filters import parse_filter
from relance.search.filters.metadata import MetadataValue
from relance.search.filters.tree import names

if TYPE_CHECKING:
    from relance.search.hits import Hits
    from relance.store.open_tables import TableVersion
    from relance.store.serving import Pinned

__all__ = ["explained"]

T = TypeVar("T", bound="Hits[Any] | tuple[Hits[Any], ...]")
_SAMPLE = 1000  # rows whose keys are proposed for a misspelt one


def explained(filter: str | None, ask: Callable[[Pinned], T], pinned: Pinned) -> T:  # noqa: A002  # what it is called everywhere
    """Answer a question; where its filter may be why nothing was found, the hits say so (`Hits.hints`)."""
    found = ask(pinned)
    pages: Sequence[Hits[Any]] = found if isinstance(found, tuple) else (found,)
    if filter and filter.strip() and not any(pages):
        pages[0].hints += list(_unknown_keys(filter, list(pinned.all()))) or [
            "the filter may leave nothing that fits: search without it, or with less of it"
        ]
    return found


def _unknown_keys(text: str, tables: Sequence[TableVersion]) -> Iterator[str]:
    """Name keys of a filter that no row of the tables has, with the one that was probably meant."""
    columns = {name for table in tables for name in table.schema.names}
    known: set[str] | None = None
    for name in dict.fromkeys(names(parse_filter(text))):
        key = name.path[0]
        if (key in columns and not name.metadata) or any(_has(table, key) for table in tables):
            continue
        if known is None:
            known = columns.union(*map(_keys, tables))
        close = get_close_matches(key.lower(), known, 1, 0.6)
        yield f"no document has the metadata key {key!r}" + (f"; did you mean {close[0]!r}?" if close else "")


def _has(table: TableVersion, key: str) -> bool:
    exists = MetadataValue((key,)).exists()
    return table.search().where("active").where(exists).select(["doc_id"]).limit(1).to_arrow().num_rows > 0


def _keys(table: TableVersion) -> set[str]:
    rows = table.search().where("active").select(["metadata"]).limit(_SAMPLE).to_arrow()
    kept = (json.loads(value) for value in rows["metadata"].to_pylist() if value)
    return {key for metadata in kept for key, value in metadata.items() if value is not None}
