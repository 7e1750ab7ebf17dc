"""The tables that serve an index now: each search pins one version of them, which a whole run left.

A run commits many times, and says in the catalog when it begins (with the versions it found) and when it ends. Between
the two, readers stay at what it found: so they never see half of a run, also where one was killed, and move on with the
first search after its end. Of an index that no run has left whole yet, they see what there is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relance.config import IndexSpec
from relance.errors import ConfigurationError
from relance.store.catalog import NAME
from relance.store.connection import Store
from relance.store.failures import Failures
from relance.store.index_tables import part_name
from relance.store.lazy_table import LazyTable
from relance.store.manifest import Manifest
from relance.store.open_tables import OpenTables, TableVersion
from relance.store.principals import Reader
from relance.store.visible_table import seen_by

__all__ = ["Pinned", "ServingTables"]

# How often the catalog is read again where it changed while tables were opened: a run began, or a table took over.
_TRIES = 10
# Where the version of a table stands in what a run found.
_PLACES: dict[type[LazyTable] | None, int] = {None: 0, Manifest: 1, Failures: 2}


@dataclass(slots=True, frozen=True)
class _Part:
    """What the catalog says of the texts or the media of an index.

    Attributes:
        table: that serves; None before the first run.
        found: versions of chunks, documents and failures that the run at work found; None where none is at work.
        growing: whether the first run is at work.
    """

    table: str | None = None
    found: tuple[int, ...] | None = None
    growing: bool = False

    def version(self, kind: type[LazyTable] | None) -> int:
        """Return the version that readers stay at, or 0 for the newest."""
        return self.found[_PLACES[kind]] if self.found else 0


class Pinned:
    """The tables of one search, of texts and of media, each in one version, which fit together."""

    def __init__(self, spec: IndexSpec, uri: str, tables: tuple[TableVersion | None, ...]) -> None:
        self._spec = spec
        self._uri = uri
        self._tables = tables

    def table(self, *, media: bool = False) -> TableVersion:
        """Return the table with the chunks, or with the media.

        Raises ConfigurationError where the index has no media, or is not in the store yet.
        """
        if media and self._spec.media is None:
            msg = f"index {self._spec.name!r} has no media; add a `media` section to its spec"
            raise ConfigurationError(msg)
        table = self._tables[media]
        if table is None:
            what = "the media of index" if media else "index"
            msg = f"{what} {self._spec.name!r} is not in {self._uri} yet; run `relance ingest` first"
            raise ConfigurationError(msg)
        return table

    def seen_by(self, reader: Reader) -> Pinned:
        """Return the same tables as a reader sees them."""
        seen = tuple(None if table is None else seen_by(table, reader) for table in self._tables)
        return Pinned(self._spec, self._uri, seen)

    def all(self) -> list[TableVersion]:
        """Return all that the spec declares."""
        return [self.table(), self.table(media=True)] if self._spec.media else [self.table()]


class ServingTables:
    """The tables of one index that readers use; they stay open. Used by several threads.

    `named`: tables that are taken in place of those that serve, by whether they are of media.
    """

    def __init__(self, spec: IndexSpec, store: Store, named: Mapping[bool, str] | None = None) -> None:
        self._spec = spec
        self._named = named or {}
        self._store = store
        self._kinds = (False, True) if spec.media is not None else (False,)
        self._last: tuple[Any, ...] = ()
        self.tables = OpenTables(store)

    def name(self, *, media: bool = False) -> str | None:
        """Name the table that serves; None before the first run."""
        return self._part(media=media).table

    def pin(self, *, newest: bool = False) -> Pinned:
        """Pin the tables as the latest whole run left them, or as they are in the middle of one."""
        for _ in range(_TRIES):
            parts = [self._part(media=media) for media in self._kinds]
            tables = [self._open(part, None, newest=newest) for part in parts]
            if (parts, tables) == self._last:
                break
            # A run may have begun to write between the two.
            if parts == [self._part(media=media) for media in self._kinds]:
                self._last = parts, tables
                break
        return Pinned(self._spec, self._store.uri, tuple(tables))

    def newest(self, *, media: bool = False) -> TableVersion:
        """Return the version that searches see now of the table with the chunks, or with the media.

        Raises ConfigurationError where the index has no media, or is not in the store yet.
        """
        return self.pin().table(media=media)

    def beside(self, kind: type[LazyTable] | None, *, media: bool = False) -> TableVersion | None:
        """Return the version that fits it of the manifest, the failures or (None) the chunks; None if there is none."""
        part = self._part(media=media)
        return self._open(part, kind) if media in self._kinds else None

    def forget(self) -> None:
        """Open everything anew when it is needed next."""
        self._last = ()
        self.tables = OpenTables(self._store)

    def _open(self, part: _Part, kind: type[LazyTable] | None, *, newest: bool = False) -> TableVersion | None:
        if part.table is None:
            return None
        name = part.table if kind is None else kind(self._store, part.table).name
        version = 0 if newest else part.version(kind)
        table = self.tables.at(name, version) if version else None
        # Where what the run found was pruned since, or is torn, what there is is better than nothing.
        table = table or self.tables.newest(name)
        if table is not None:
            table.growing = part.growing
        return table

    def _part(self, *, media: bool) -> _Part:
        """Read in the catalog what serves."""
        catalog = self.tables.newest(NAME)
        if catalog is None:
            return _Part()
        key = f"index/{part_name(self._spec.name, media=media)}"
        return catalog.once(key, lambda: _read(catalog, key, self._named.get(media)))


def _read(catalog: Any, key: str, named: str | None) -> _Part:
    serving = {"table": named} if named else _value(catalog, key)
    if serving is None:
        return _Part()
    writer = _value(catalog, f"table/{serving['table']}") or {}
    at_work, found = bool(writer.get("writer")), writer.get("found")
    return _Part(serving["table"], tuple(found) if at_work and found else None, growing=at_work and not found)


def _value(catalog: Any, key: str) -> dict[str, Any] | None:
    """Read a value of the catalog; by text, because LanceDB's expressions take 0.7 ms longer."""
    rows = catalog.search().where(f"key = '{key}'").limit(1).to_list()
    return json.loads(rows[0]["value"]) if rows else None
