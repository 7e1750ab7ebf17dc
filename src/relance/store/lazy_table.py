"""A table that may not be there yet."""

from __future__ import annotations

from typing import Any

from relance.store.connection import Store

__all__ = ["LazyTable"]


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
