"""A table that may not be there yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from relance.store import schemas
from relance.store.connection import Store

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LazyTable"]

# Among a million rows without an index a list of a thousand ids takes 0.15 CPU-s, reading the whole columns 0.3 to 0.5.
_LISTED = 3000


class LazyTable:
    """What the tables of an index have in common: a name, and being opened when they are first needed."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name
        self._table: Any = None

    @property
    def table(self) -> Any | None:
        """The LanceDB table, or None before the first write."""
        if self._table is None:
            self._table = self._store.open(self.name)
        return self._table

    @property
    def version(self) -> int:
        """The table's version; 0 before the first write."""
        return self.table.version if self.table is not None else 0

    def stream(self, columns: list[str], where: str | None = None) -> Iterable[pa.RecordBatch]:
        """Stream columns of all rows, or of those that meet a condition."""
        if self.table is None:
            return ()
        query = self.table.search() if where is None else self.table.search().where(where)
        return query.select(columns).limit(None).to_batches()

    def lookup(self, doc_ids: Sequence[str], columns: list[str]) -> list[pa.Table]:
        """Return columns (`doc_id` among them) of the rows of documents, in any order and in parts."""
        import pyarrow as pa
        import pyarrow.compute as pc

        table = self.table
        if table is None or not doc_ids:
            return []
        if len(doc_ids) <= _LISTED:
            lists = schemas.in_lists("doc_id", doc_ids)
            return [table.search().where(each).select(columns).limit(None).to_arrow() for each in lists]
        whole = table.search().select(columns).limit(None).to_arrow()
        return [whole.filter(pc.field("doc_id").isin(pa.array(doc_ids, pa.string())))]
