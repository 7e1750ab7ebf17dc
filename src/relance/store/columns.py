"""Columns that somebody added to a table of ours, or dropped from it, with other tools."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from relance.errors import StoreError
from relance.store.connection import Store
from relance.store.faults import store_errors
from relance.store.mending import set_aside

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["begin_anew", "fit_columns", "lacking"]


def fit_columns(store: Store, name: str, schema: pa.Schema, *, optional: Collection[str] = ()) -> str | None:
    """Let a table take rows of `schema`; returns what was done, as a sentence, or None if nothing had to be.

    Columns that somebody added stay, and may be NULL from now on. A table that lacks columns (but `optional` ones)
    begins anew: without them its rows say nothing.
    """
    if (table := store.open(name)) is None:
        return None
    if missing := lacking(table, schema, optional):
        return begin_anew(store, name, missing)
    return _loosen(table, schema)


def lacking(table: Any, schema: pa.Schema, optional: Collection[str] = ()) -> list[str]:
    """Name the columns of `schema` that a table has not, `optional` ones apart."""
    there = table.schema.names
    return [name for name in schema.names if name not in there and name not in optional]


def begin_anew(store: Store, name: str, missing: list[str]) -> str:
    """Set a table aside that lacks columns which nothing can fill; says so."""
    columns = ", ".join(missing)
    if (path := set_aside(store, name)) is None:
        raise StoreError(f"reading {name}", f"somebody dropped {columns}", "restore an older version of the table, or "
                         "drop it: the next run writes it anew, with the vectors of the embedding cache")  # fmt: skip
    return f"{name} lacked {columns}; set aside as {path} and begun anew"


def _loosen(table: Any, schema: pa.Schema) -> str | None:
    """Let columns of somebody else's be NULL in rows that we write: `add_columns` with a value forbids that."""
    strict = [field.name for field in table.schema if field.name not in schema.names and not field.nullable]
    if not strict:
        return None
    with store_errors(f"changing columns of {table.name}"):
        table.alter_columns(*({"path": name, "nullable": True} for name in strict))
    return f"{table.name} has columns that are not ours ({', '.join(strict)}): they stay, and are NULL in new rows"
