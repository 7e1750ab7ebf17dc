"""The tables of one index: which physical ones serve it, and whether they are whole.

An index has one set of tables for its texts, and one for its media if the spec declares those.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from relance.config import IndexSpec
from relance.documents import digest
from relance.embedding.providers import ModelInfo
from relance.store import Store, schemas
from relance.store.catalog import Catalog
from relance.store.chunks import ChunkTable
from relance.store.failures import Failures
from relance.store.manifest import Manifest

__all__ = ["IndexTables", "part_name", "space_of"]


def space_of(info: ModelInfo) -> str:
    """Name a vector space in eight hex digits."""
    return digest("space", info.space or info.name, str(info.dimension), size=4)


def part_name(index: str, *, media: bool) -> str:
    """Name a part of an index in the catalog and the log of runs: its texts have the index's own name."""
    return f"{index}/media" if media else index


class IndexTables:
    """The chunks, manifest and failures of an index in one vector space."""

    def __init__(self, store: Store, index: str, name: str, schema: Any = None) -> None:
        self.index = index
        self.name = name
        self.catalog = Catalog(store)
        self.chunks = ChunkTable(store, name, schema)
        self.manifest = Manifest(store, name)
        self.failures = Failures(store, name)

    @classmethod
    def for_model(cls, store: Store, spec: IndexSpec, info: ModelInfo, *, media: bool = False) -> IndexTables:
        """Address the tables that vectors of this model belong into, whether they serve the index yet or not."""
        section = spec.media.embedding if media and spec.media else spec.embedding
        embedding = {"dimension": info.dimension, **{name: getattr(section, name) for name in section.decisive}}
        metadata = {
            "relance.index": spec.name,
            "relance.version": version("relance"),
            "relance.fingerprint": space_of(info),
            "relance.embedding": json.dumps(embedding),
        }
        name = f"{spec.name}__{'media__' if media else ''}{space_of(info)}"
        schema = schemas.chunks(info.dimension, metadata, sparse=info.sparse, media=media)
        return cls(store, part_name(spec.name, media=media), name, schema)

    @classmethod
    def serving(cls, store: Store, index: str, *, media: bool = False) -> IndexTables | None:
        """Address the tables readers use now, or None before the first run."""
        index = part_name(index, media=media)
        alias = Catalog(store).get(f"index/{index}")
        return None if alias is None else cls(store, index, alias["table"])

    @property
    def space(self) -> str:
        """The vector space, as it stands in the tables' names."""
        return self.name.rpartition("__")[2]

    @property
    def alias(self) -> dict[str, Any] | None:
        """Which table serves the index."""
        return self.catalog.get(f"index/{self.index}")

    def serve(self) -> None:
        """Let readers use these tables from now on; one compare-and-set."""
        current = self.alias
        if current is None or current["table"] != self.name:
            previous = current["table"] if current else None
            self.catalog.put(f"index/{self.index}", {"table": self.name, "previous": previous}, expected=current)

    @property
    def versions(self) -> tuple[int, int, int]:
        """The versions of chunks, documents and failures."""
        return self.chunks.version, self.manifest.version, self.failures.version

    @property
    def writer(self) -> str | None:
        """The run that began writing and has not said that it finished, if any."""
        value = self.catalog.get(f"table/{self.name}")
        return value["writer"] if value else None

    def mark(self, writer: str | None) -> None:
        """Note who is writing (None: nobody, all is whole); two commits a run instead of two a batch."""
        key = f"table/{self.name}"
        self.catalog.put(key, {"writer": writer}, expected=self.catalog.get(key))
