"""Letting documents look changed, so that the next run writes them anew from the embedding cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relance.counted import counted
from relance.store import Store
from relance.store.index_tables import IndexTables
from relance.store.repair import all_documents, find_torn, mark_torn

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["finish", "mark"]


def mark(store: Store, index: str, name: str, torn: pa.Table | None) -> str:
    """Mark documents (columns `doc_id` and `uri`; None: all there are) of the tables `name`."""
    tables = IndexTables(store, index, name)
    torn = all_documents(tables) if torn is None else torn
    mark_torn(tables, torn)
    return f"marked {counted(torn.num_rows, 'document')} of {name}"


def finish(store: Store, index: str, name: str) -> str:
    """Say that nothing of a run that was cut short is half done any more, after what was is marked."""
    tables = IndexTables(store, index, name)
    torn = find_torn(tables)
    if torn.num_rows:
        mark_torn(tables, torn)
    tables.mark(None)
    return f"half done, and marked: {counted(torn.num_rows, 'document')} of {name}"
