"""Whether a table has the columns relance writes, and no others that keep it from writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relance.store import Store
from relance.store.columns import fit_columns
from relance.store.doctor.examination import Examination
from relance.store.doctor.finding import Finding
from relance.store.doctor.mending import begin_anew
from relance.store.doctor.reading import TableReading
from relance.store.faults import store_errors
from relance.store.schemas import ADDED_LATER

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

__all__ = ["check_columns"]

# Those without which rows cannot be told apart, or searched: then the table is written anew.
_NEEDED = {"id", "doc_id", "uri", "text", "run_id", "active", "key", "chunks", "collection", "marker", "parent"}


def check_columns(exam: Examination, store: Store, reading: TableReading, wanted: pa.Schema, *, part: str,
                  mark_all: Callable[[], str]) -> bool:  # fmt: skip
    """Compare the columns; returns whether those are there that the other checks read.

    `mark_all` lets all documents be written again. What an earlier version of relance made lacks columns that later
    ones have added, which the next run adds.
    """
    there, name = reading.table.schema, reading.name
    missing = [column for column in wanted.names if column not in there.names]
    needed = [column for column in missing if column in _NEEDED or column in {"vector", "sparse"}]
    if needed:
        exam.find(Finding(
            code="column-missing", where=f"{name}.{needed[0]}", part=part,
            what=f"{name} has no column {', '.join(needed)}: it was dropped by hand; searches and runs fail",
            remedy="puts the table aside; the next run writes it again",
            fix=lambda: begin_anew(store, name),
        ))  # fmt: skip
        return False
    missing = [column for column in missing if column not in ADDED_LATER]
    if missing:
        exam.find(Finding(
            code="column-missing", where=f"{name}.{missing[0]}", part=part,
            what=f"{name} has no column {', '.join(missing)}: dropped by hand",
            remedy="adds it, and marks all documents: the next run writes them again",
            fix=lambda: f"{_add(store, name, missing, wanted)}; {mark_all()}",
        ))  # fmt: skip
    for column in there:
        ours = wanted.field(column.name) if column.name in wanted.names else None
        if ours is None and not column.nullable:
            exam.find(Finding(
                code="column-added", where=f"{name}.{column.name}", part=part,
                what=f"the column {column.name} of {name} was added by hand and takes no NULL: runs cannot write rows",
                remedy="lets it be NULL",
                fix=lambda: fit_columns(store, name, wanted) or "",
            ))  # fmt: skip
        if ours is not None and not _alike(column, ours):
            exam.find(Finding(
                code="column-type", where=f"{name}.{column.name}", part=part,
                what=f"{name}.{column.name} is {column.type}, relance writes {ours.type}",
                remedy="puts the table aside; the next run writes it again",
                fix=lambda: begin_anew(store, name),
            ))  # fmt: skip
    return True


def _alike(there: pa.Field, ours: pa.Field) -> bool:
    """JSON is bytes in the schema a table reports; lists differ in how their items are called."""
    if str(ours.type).startswith("extension") or there.type == ours.type:
        return True
    import pyarrow as pa

    lists = (pa.types.is_list, pa.types.is_fixed_size_list, pa.types.is_struct)
    return any(each(there.type) and each(ours.type) for each in lists) and _size(there.type) == _size(ours.type)


def _size(kind: pa.DataType) -> int:
    return getattr(kind, "list_size", -1)


def _add(store: Store, name: str, missing: list[str], wanted: pa.Schema) -> str:
    table: Any = store.open(name)
    with store_errors(f"adding columns to {name}"):
        table.add_columns([wanted.field(column).with_nullable(True) for column in missing])
    return f"added {', '.join(missing)} to {name}"
