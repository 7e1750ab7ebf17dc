"""A table that may not be there yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from relance.store import schemas
from relance.store.connection import Store
from relance.store.faults import store_errors

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
    def exists(self) -> bool:
        """Whether there is anything of the table, be it torn."""
        local = self._store.local
        return (local / f"{self.name}.lance").is_dir() if local is not None else self.table is not None

    def reopen(self) -> None:
        """Open the table anew when it is needed next: another one may have its name now."""
        self._table = None

    @property
    def version(self) -> int:
        """The table's version; 0 before the first write."""
        with store_errors(f"reading {self.name}"):
            return self.table.version if self.table is not None else 0

    @property
    def row_count(self) -> int:
        """How many rows the table has, tombstones included."""
        with store_errors(f"reading {self.name}"):
            return self.table.count_rows() if self.table is not None else 0

    def stream(self, columns: list[str], where: str | None = None) -> Iterator[pa.RecordBatch]:
        """Stream columns of all rows, or of those that meet a condition."""
        if self.table is None:
            return
        query = self.table.search() if where is None else self.table.search().where(where)
        with store_errors(f"reading {self.name}"):
            batches = iter(query.select(columns).limit(None).to_batches())
        while True:
            with store_errors(f"reading {self.name}"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def delete(self, doc_ids: Sequence[str]) -> None:
        """Delete the rows of documents."""
        if self.table is not None:
            for condition in schemas.in_lists("doc_id", doc_ids):
                with store_errors(f"deleting rows of {self.name}"):
                    self.table.delete(condition)

    def lookup(self, doc_ids: Sequence[str], columns: list[str]) -> list[pa.Table]:
        """Return columns (`doc_id` among them) of the rows of documents, in any order and in parts."""
        import pyarrow as pa
        import pyarrow.compute as pc

        table = self.table
        if table is None or not doc_ids:
            return []
        with store_errors(f"reading {self.name}"):
            if len(doc_ids) <= _LISTED:
                lists = schemas.in_lists("doc_id", doc_ids)
                return [table.search().where(each).select(columns).limit(None).to_arrow() for each in lists]
            whole = table.search().select(columns).limit(None).to_arrow()
        return [whole.filter(pc.field("doc_id").isin(pa.array(doc_ids, pa.string())))]
