"""Tables of what was found out about an index, beside its own: `<index>__clusters`, `<index>__classes` and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relance.store import open_store
from relance.store.faults import store_errors

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["read_results", "result_table", "write_results"]


def result_table(index: Index, kind: str) -> str:
    """Name the table of results: no vector space is called by a word, so none of the index's own can be hit."""
    return f"{index.spec.name}__{kind}"


def write_results(index: Index, kind: str, rows: Any, metadata: dict[str, str] | None = None) -> str:
    """Put an Arrow table in the place of the last results, in one commit; returns the table's name.

    `metadata` says how they were made; read again from the schema as bytes.
    """
    store, name = open_store(index.spec), result_table(index, kind)
    mode = "create" if store.open(name) is None else "overwrite"  # overwriting nothing makes Lance warn on stderr
    with store_errors(f"writing {name}"):
        store.db.create_table(name, rows.replace_schema_metadata(metadata or {}), mode=mode)
    return name


def read_results(index: Index, kind: str) -> Any | None:
    """Read the last results as an Arrow table, or None if there are none."""
    table = open_store(index.spec).open(result_table(index, kind))
    return None if table is None else table.to_arrow()
