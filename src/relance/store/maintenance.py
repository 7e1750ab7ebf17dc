"""Keeping tables fast: indexes, compaction, old versions. Never fails a run."""

from __future__ import annotations

import logging
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from relance.store.allocators import return_memory

__all__ = [
    "MEASURED",
    "MaintenanceLimits",
    "ages",
    "compact",
    "compact_if_due",
    "index_lookups",
    "reach",
    "refresh_indexes",
    "stemmed",
]

log = logging.getLogger(__name__)

_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceLimits:
    """From which sizes on keeping a table fast pays; the defaults are measured.

    Attributes:
        vector_index_rows: below, scanning is as fast (11-29 ms at 5,000 × 1,024) and exact.
        lookup_rows: indexed, one document is found in 5 ms instead of 8 among 20,000 rows, and instead of 23 among
            100,000; 10,000 kept vectors of 100,000 in 0.3 s instead of 0.8. An index is made in 22 to 280 ms; runs
            that change little take as long.
        unindexed_rows: brute force over so many costs 11-29 ms a query; then refreshing pays.
        small_files: after so many a run compacts. A hundred small files cost a reader a tenth, a thousand make
            look-ups eight times slower; compacting takes memory for much of the table (402 MB instead of 250 for
            100,000 × 256), so it is not done after LanceDB's 20 commits already.
        files: after so many maintenance compacts: rewriting is cheapest when nobody waits.
        leeway: added to the age from which on versions go: compacting comes first and may take long, and readers stay
            for a while at the version they began with.
    """

    vector_index_rows: int = 5000
    lookup_rows: int = 20_000
    unindexed_rows: int = 5000
    small_files: int = 128
    files: int = 16
    leeway: timedelta = timedelta(hours=1)


MEASURED = MaintenanceLimits()


def compact_if_due(table: Any | None, *, retention: timedelta, left: AbstractSet[int] | None = None,
                   limits: MaintenanceLimits = MEASURED) -> None:  # fmt: skip
    """Compact a table (None: there is none yet) if enough small files have gathered; `left` as in `reach`."""
    if table is not None and table.stats()["fragment_stats"]["num_small_fragments"] > limits.small_files:
        compact(table, retention=retention if left is None else reach(table, retention, limits, left=left))


def reach(table: Any | None, retention: timedelta, limits: MaintenanceLimits = MEASURED, *,
          left: AbstractSet[int] | None = None) -> timedelta:  # fmt: skip
    """Return the age from which on versions of a table (None: there is none) can go; LanceDB drops by age alone.

    The retention is stretched to the version that was the newest when it began: one of last month that was replaced
    yesterday is what readers found the day before. Where all are younger it ends with the oldest version in `left`,
    those that runs ended with: nobody goes back to what was there in the middle of a run.
    """
    found = {} if table is None else ages(table)
    old = [age for age in found.values() if age >= retention]
    if not old and left is not None:
        return max((found[version] for version in left & found.keys()), default=timedelta()) + limits.leeway
    return min(old, default=retention) + limits.leeway


def ages(table: Any) -> dict[int, timedelta]:
    """Return how old each version of a table is."""
    now = datetime.now(UTC)
    return {each["version"]: now - each["timestamp"].astimezone() for each in table.list_versions()}


def refresh_indexes(table: Any, *, retention: timedelta, language: str, limits: MaintenanceLimits = MEASURED) -> None:
    """Create or extend the vector and full-text indexes of a chunks table where that pays.

    Word endings are those of `language`; an index of words of another one is made anew.
    """
    from lancedb.index import FTS, IvfRq

    # Tombstones are swept before, so all rows count.
    rows = table.count_rows()
    indexes = {column: index for index in table.list_indices() for column in index.columns}
    try:
        # icu splits Chinese and Japanese into words. Common words stay: some questions have no other.
        words = FTS(base_tokenizer="icu", remove_stop_words=False, stem=language != "none")
        if words.stem:
            words.language = language.title()
        column = "words" if "words" in table.schema.names else "text"  # that of a table by an earlier version
        if rows and (column not in indexes or stemmed(indexes[column]) not in {language, ""}):
            table.create_index(column, config=words)
            return_memory()
        if column != "text" and "text" in indexes:
            table.drop_index(indexes["text"].name)
        if rows >= limits.vector_index_rows and "vector" in table.schema.names and "vector" not in indexes:
            table.create_index("vector", config=IvfRq(distance_type="cosine"))
    except Exception as error:
        log.warning("could not create an index on %s, searches scan instead: %s", table.name, str(error)[:300])
        return
    index_lookups(table, "doc_id", limits=limits)
    _index_access(table, limits)
    behind = max((_unindexed(table, index.name) for index in table.list_indices()), default=0)
    if behind > max(limits.unindexed_rows, rows // 10):
        compact(table, retention=retention)


def stemmed(index: Any) -> str:
    """Say by which language an index of words takes off endings: `none` by none, empty where that is not told."""
    details = index.index_details
    if not details:
        return ""
    return str(details["language"]).lower() if details.get("stem") else "none"


def index_lookups(table: Any | None, column: str, *, limits: MaintenanceLimits = MEASURED, again: bool = False) -> None:
    """Index a column that rows are looked up by, once a table is large; `again` makes the index anew."""
    if table is None or table.count_rows() < limits.lookup_rows:
        return
    from lancedb.index import BTree

    if again or column not in {name for index in table.list_indices() for name in index.columns}:
        try:
            table.create_index(column, config=BTree())
        except Exception as error:
            log.warning("could not index %s of %s, look-ups scan instead: %s", column, table.name, str(error)[:300])


def _index_access(table: Any, limits: MaintenanceLimits) -> None:
    """Index the principals of rows, once a table is large and has any."""
    from lancedb.index import LabelList

    if table.count_rows() < limits.lookup_rows or "access" not in table.schema.names:
        return
    if "access" in {name for index in table.list_indices() for name in index.columns}:
        return
    try:
        if table.count_rows("access IS NOT NULL"):
            table.create_index("access", config=LabelList())
    except Exception as error:
        log.warning("could not index access of %s, searches scan instead: %s", table.name, str(error)[:300])


def _unindexed(table: Any, name: str) -> int:
    stats = table.index_stats(name)
    return stats.num_unindexed_rows if stats else 0


def compact(table: Any, *, retention: timedelta) -> None:
    """Compact small files, extend indexes and drop versions older than `retention`; a lost race is only logged."""
    for attempt in range(_TRIES):
        try:
            table.optimize(cleanup_older_than=retention)
        except Exception as error:
            if "Retryable commit conflict" in str(error) and attempt + 1 < _TRIES:
                table.checkout_latest()
                continue
            log.warning("could not compact %s: %s", table.name, str(error)[:300])
        return
