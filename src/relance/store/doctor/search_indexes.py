"""Whether the search indexes of a table can be read, and hold enough of its rows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from relance.store import Store
from relance.store.doctor.cause import cause_of, file_in
from relance.store.doctor.examination import Examination
from relance.store.doctor.finding import Finding
from relance.store.doctor.reading import TableReading
from relance.store.faults import store_errors
from relance.store.maintenance import MEASURED, MaintenanceLimits, compact, index_lookups, refresh_indexes

__all__ = ["check_search_indexes"]


def check_search_indexes(exam: Examination, store: Store, reading: TableReading, *, language: str, chunks: bool,
                         retention: timedelta, part: str = "",
                         limits: MaintenanceLimits = MEASURED) -> None:  # fmt: skip
    """Read the files of every search index.

    Args:
        exam: takes what is found.
        store: the store.
        reading: of the table.
        language: whose word endings an index of words takes off.
        chunks: whether it is a table that is searched by words.
        retention: of old versions, where the table is compacted.
        part: of the index.
        limits: from which sizes on indexes pay.
    """
    table, name = reading.table, reading.name
    there = table.list_indices()
    columns_of = {index.name: index.columns for index in there}

    def rebuild(dropped: str = "") -> str:
        open_table: Any = store.open(name)
        with store_errors(f"dropping the search index {dropped} of {name}"):
            if dropped:
                open_table.drop_index(dropped)
        if chunks:
            refresh_indexes(open_table, retention=retention, language=language, limits=limits)
        elif dropped:
            index_lookups(open_table, next(iter(columns_of[dropped])), limits=limits)
        else:
            compact(open_table, retention=retention)
        return f"built {dropped or 'the search indexes'} of {name} anew"

    for index in there:
        exam.search_indexes += 1
        where = f"{name}/{index.name}"
        try:
            table.prewarm_index(index.name)
            stats = table.index_stats(index.name)
        except Exception as error:
            exam.find(Finding(
                code="index-hurt", where=where, part=part,
                what=f"the search index of {', '.join(index.columns)} cannot be read: "
                f"{file_in(error).rpartition('/')[2] or 'a file of it'}: {cause_of(error)}; searches that use it fail",
                remedy="drops it and builds it anew from the rows",
                fix=lambda index=index: rebuild(index.name),
            ))  # fmt: skip
            continue
        behind = stats.num_unindexed_rows if stats else 0
        if behind > max(limits.unindexed_rows, reading.rows // 10):
            exam.find(Finding(
                code="index-behind", where=where, part=part, level="note",
                what=f"{behind:,} of {reading.rows:,} rows are not in it, and are scanned by each search",
                remedy="puts them in",
                fix=rebuild,
            ))  # fmt: skip
    columns = {column for names in columns_of.values() for column in names}
    if chunks and reading.rows and not columns & {"words", "text"}:
        exam.find(Finding(
            code="index-missing", where=f"{name}/words", part=part,
            what="there is no index of words: full-text and hybrid search fail or scan the table",
            remedy="builds it from the rows",
            fix=rebuild,
        ))  # fmt: skip
