"""A column of labels in the table that readers search, so that they can filter by it.

LanceDB writes the files of a new column beside the others: vectors are not touched and search indexes stay whole. For
100,000 documents of 1024 dimensions that takes 4 s and one commit, where `update` rewrites every row in 7 s and a
hundred commits, and a merge of two columns reads every vector for each batch.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from relance.errors import ConfigurationError, InputError
from relance.store import open_store, schemas
from relance.store.faults import store_errors
from relance.store.index_tables import IndexTables
from relance.store.points import ID
from relance.store.runs import Runs

if TYPE_CHECKING:
    from relance.analysis.points import Level
    from relance.index import Index

__all__ = ["check_column", "write_column"]

_IDS = 100_000  # of one expression: LanceDB takes 4 s and 140 MB to read so many


def check_column(index: Index, column: str, level: Level) -> None:
    """Raise InputError for a name that cannot be a column of labels."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", column):
        msg = f"{column!r} is no name for a column; take lower-case letters, digits and single _"
        raise InputError(msg)
    own = schemas.chunks(1, {}, sparse=True, media=True).names
    if column in own:
        msg = f"the index has a column {column!r} of its own; choose another name"
        raise InputError(msg)
    index.table(media=level == "media")


def write_column(index: Index, column: str, labels: Mapping[str, str], *, level: Level,
                 check_lock: Callable[[], None], ids_at_once: int = _IDS) -> None:  # fmt: skip
    """Let a column of the index's table say `labels` (by the id of documents, chunks or media), and NULL elsewhere.

    The caller holds the index. Readers find the old labels until they find the new ones. Labels of more than
    `ids_at_once` ids are written in several commits. The log of runs says that it was done, so that a rollback without
    a run's id does not stop at it.
    """
    store = open_store(index.spec)
    tables = IndexTables.serving(store, index.spec.name, media=level == "media")
    table = tables.chunks.table if tables else None
    if tables is None or table is None:
        msg = f"index {index.spec.name!r} is not in {store.uri} yet; run `relance ingest` first"
        raise ConfigurationError(msg)
    began, before = datetime.now(UTC), tables.versions
    check_lock()
    with store_errors(f"writing column {column} of {table.name}"):
        _drop(table, [name for name in table.schema.names if name.startswith(f"{column}__")])  # left by a crash
        parts = _add_parts(table, column, labels, ID[level], check_lock, ids_at_once)
        _rename(table, column, parts[-1])
        _drop(table, [*parts[:-1], f"{column}__old"])
    Runs(store, tables.index).append(
        run_id=f"classify-{uuid.uuid4().hex[:12]}", table=tables.name, status="maintained", started_at=began,
        ended_at=datetime.now(UTC), versions=tables.versions,
        report={"index": tables.index, "served": True, "found": list(before), "column": column},
    )  # fmt: skip


def _add_parts(table: Any, column: str, labels: Mapping[str, str], key: str,
               check_lock: Callable[[], None], ids_at_once: int) -> list[str]:  # fmt: skip
    """Add columns that each know some of the ids, and one of all of them; returns their names, that one last."""
    items, parts = list(labels.items()), []
    for start in range(0, max(len(items), 1), ids_at_once):
        parts.append(f"{column}__{len(parts)}")
        check_lock()
        table.add_columns({parts[-1]: _expression(items[start : start + ids_at_once], key)})
    if len(parts) > 1:
        table.add_columns({f"{column}__all": f"coalesce({', '.join(parts)})"})
        parts.append(f"{column}__all")
    return parts


def _expression(items: Sequence[tuple[str, str]], key: str) -> str:
    """Write labels as SQL. Lance knows no CASE: a label is repeated once where the id is one of its own, else never."""
    ids: dict[str, list[str]] = {}
    for name, label in items:
        ids.setdefault(label, []).append(f"'{name}'")
    quoted = {label.replace("'", "''"): ", ".join(names) for label, names in ids.items()}
    choices = [f"nullif(repeat('{label}', CAST({key} IN ({names}) AS INT)), '')" for label, names in quoted.items()]
    return f"coalesce({', '.join(choices)}, nullif('', ''))" if choices else "nullif('', '')"


def _rename(table: Any, column: str, new: str) -> None:
    """Put a column in the place of the old one, in one commit."""
    old = [{"path": column, "rename": f"{column}__old"}] if column in table.schema.names else []
    table.alter_columns(*old, {"path": new, "rename": column})


def _drop(table: Any, names: list[str]) -> None:
    there = [name for name in names if name in table.schema.names]
    if there:
        table.drop_columns(there)
