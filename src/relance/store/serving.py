"""The tables that serve an index now: found in the catalog at every search, read again where that has changed."""

from __future__ import annotations

import json
from typing import Any

from relance.config import IndexSpec
from relance.errors import ConfigurationError
from relance.store.catalog import NAME
from relance.store.connection import Store
from relance.store.index_tables import part_name
from relance.store.open_tables import OpenTables, TableVersion

__all__ = ["ServingTables"]


class ServingTables:
    """The tables of one index that readers use; they stay open. Used by several threads."""

    def __init__(self, spec: IndexSpec, store: Store) -> None:
        self._spec = spec
        self._store = store
        self.tables = OpenTables(store)

    def name(self, *, media: bool = False) -> str | None:
        """Name the table that serves; None before the first run."""
        catalog = self.tables.newest(NAME)
        if catalog is None:
            return None
        key = f"index/{part_name(self._spec.name, media=media)}"
        return catalog.once(key, lambda: _table_of(catalog, key))

    def newest(self, *, media: bool = False) -> TableVersion:
        """Return the newest version of the table with the chunks, or with the media.

        Raises ConfigurationError where the index has no media, or is not in the store yet.
        """
        if media and self._spec.media is None:
            msg = f"index {self._spec.name!r} has no media; add a `media` section to its spec"
            raise ConfigurationError(msg)
        name = self.name(media=media)
        table = self.tables.newest(name) if name else None
        if table is None:
            what = "the media of index" if media else "index"
            msg = f"{what} {self._spec.name!r} is not in {self._store.uri} yet; run `relance ingest` first"
            raise ConfigurationError(msg)
        return table

    def forget(self) -> None:
        """Open everything anew when it is needed next."""
        self.tables = OpenTables(self._store)


def _table_of(catalog: Any, key: str) -> str | None:
    """Read the table of an index from the catalog; as text, because LanceDB's expressions take 0.7 ms longer."""
    rows = catalog.search().where(f"key = '{key}'").limit(1).to_list()
    return json.loads(rows[0]["value"])["table"] if rows else None
