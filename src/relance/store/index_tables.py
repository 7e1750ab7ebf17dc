"""The tables of one index: which physical ones serve it, and whether they are whole.

An index has one set of tables for its texts, and one for its media if the spec declares those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from pydantic import SecretStr

from relance.config import EmbeddingSpec, IndexSpec
from relance.config.plugins import Plugins
from relance.documents import digest
from relance.embedding.providers import ModelInfo
from relance.errors import StoreError
from relance.store import Store, schemas
from relance.store.catalog import Catalog
from relance.store.chunks import ChunkTable
from relance.store.failures import Failures
from relance.store.manifest import Manifest
from relance.store.seal import seal_of

__all__ = ["IndexTables", "made_by", "part_name", "section_by", "section_of", "space_of"]

_LATER = ("revision",)  # decisive fields that tables of earlier versions do not name
_OWN = ("tokenizer", "max_input_tokens", "price_per_million_tokens")  # what else is one model's and not another's


def space_of(info: ModelInfo) -> str:
    """Name a vector space in eight hex digits."""
    return digest("space", info.space or info.name, str(info.dimension), size=4)


def part_name(index: str, *, media: bool) -> str:
    """Name a part of an index in the catalog and the log of runs: its texts have the index's own name."""
    return f"{index}/media" if media else index


def made_by(table: Any) -> dict[str, Any]:
    """Return the fields of the section by which a table's vectors were made, as far as the table says."""
    return json.loads((table.schema.metadata or {}).get(b"relance.embedding", b"{}"))


def section_of(section: EmbeddingSpec, table: Any, plugins: Plugins) -> EmbeddingSpec:
    """Return the section by which a table's vectors were made, where the spec's names another model.

    What the table does not say is as the spec says, but a key, which must not go to a strange address.
    """
    return section_by(section, made_by(table), plugins)


def section_by(section: EmbeddingSpec, made: Mapping[str, Any], plugins: Plugins) -> EmbeddingSpec:
    """Return a section with the fields that `made_by` gives."""
    key = {} if made.get("base_url") == section.base_url else {"api_key": SecretStr("")}
    return section.changed(dict.fromkeys(_LATER, "") | dict(made) | key, plugins)


def _plain(spec: IndexSpec, info: ModelInfo, *, media: bool) -> str:
    return f"{spec.name}__{'media__' if media else ''}{space_of(info)}"


class IndexTables:
    """The chunks, manifest and failures of an index in one vector space."""

    def __init__(self, store: Store, index: str, name: str, schema: Any = None) -> None:
        self.index = index
        self.name = name
        self._store = store
        self.catalog = Catalog(store)
        self.chunks = ChunkTable(store, name, schema)
        self.manifest = Manifest(store, name)
        self.failures = Failures(store, name)

    @classmethod
    def for_model(cls, store: Store, spec: IndexSpec, info: ModelInfo, *, media: bool = False,
                  serving: str | None = None) -> IndexTables:  # fmt: skip
        """Address the tables that vectors of this model belong into: those that serve, if they are by this model.

        `serving` is the name of those, "" where there are none; looked up by default.
        """
        serving = cls._name(store, spec, media=media) if serving is None else serving
        there = serving.rpartition("__")[2] == space_of(info)
        return cls._made(store, spec, info, serving if there else _plain(spec, info, media=media), media=media)

    @classmethod
    def beside(cls, store: Store, spec: IndexSpec, info: ModelInfo, *, media: bool = False,
               serving: str | None = None) -> IndexTables:  # fmt: skip
        """Address the tables to build beside those that serve: by another model, or by the same and split otherwise."""
        plain = _plain(spec, info, media=media)
        serving = cls._name(store, spec, media=media) if serving is None else serving
        again = plain.removesuffix(space_of(info)) + f"2__{space_of(info)}"
        return cls._made(store, spec, info, again if serving == plain else plain, media=media)

    @classmethod
    def _name(cls, store: Store, spec: IndexSpec, *, media: bool) -> str:
        serving = cls.serving(store, spec.name, media=media)
        return serving.name if serving is not None else ""

    @classmethod
    def _made(cls, store: Store, spec: IndexSpec, info: ModelInfo, name: str, *, media: bool) -> IndexTables:
        section = spec.media.embedding if media and spec.media else spec.embedding
        embedding = {"dimension": info.dimension, **{name: getattr(section, name) for name in section.decisive}}
        embedding |= {name: getattr(section, name) for name in _OWN}
        metadata = {
            "relance.index": spec.name,
            "relance.version": version("relance"),
            "relance.fingerprint": space_of(info),
            "relance.embedding": json.dumps(embedding),
        }
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
        """Note who is writing (None: nobody, all is whole); two commits a run instead of two a batch.

        Readers stay at the versions that are found now until then, or at those that a run found which was cut short.
        """
        key = f"table/{self.name}"
        before = self.catalog.get(key)
        value: dict[str, Any] = {"writer": writer}
        if writer is not None and self.chunks.table is not None:
            interrupted = before is not None and before["writer"] is not None
            value["found"] = before.get("found") if before and interrupted else list(self.versions)
        self.catalog.put(key, value, expected=before)

    def forget_found(self) -> None:
        """Let readers stay at the versions there are now: those that a run found, which was cut short, do not read."""
        if (writer := self.writer) is not None:
            found = {"found": list(self.versions)} if self.chunks.table is not None else {}
            self.catalog.replace({f"table/{self.name}": {"writer": writer} | found})

    @property
    def parts(self) -> tuple[ChunkTable, Manifest, Failures]:
        """The three tables."""
        return self.chunks, self.manifest, self.failures

    @staticmethod
    def seal(tables: Sequence[IndexTables], *, serve: Sequence[IndexTables] = ()) -> None:
        """Note that nobody writes these tables and all are whole as they are: readers move on to them at once.

        `serve`: those that readers move on to from other tables, in the same commit; the caller holds the parts, so
        nobody else moves readers.
        """
        if tables:
            sealed = {f"table/{each.name}": each.sealed() for each in tables}
            tables[0].catalog.replace(sealed | IndexTables._aliases(serve))

    @staticmethod
    def serve_all(tables: Sequence[IndexTables]) -> None:
        """Let readers use texts and media at the same moment; the caller holds the parts."""
        if aliases := IndexTables._aliases(tables):
            tables[0].catalog.replace(aliases)

    @staticmethod
    def _aliases(tables: Sequence[IndexTables]) -> dict[str, dict[str, Any]]:
        """Say in the catalog's words that readers use these tables, of those that they do not use yet."""
        found: dict[str, dict[str, Any]] = {}
        for each in tables:
            current = each.alias
            if current is None or current["table"] != each.name:
                found[f"index/{each.index}"] = {"table": each.name, "previous": current["table"] if current else None}
        return found

    def sealed(self) -> dict[str, Any]:
        """Say in the catalog's words that the tables are whole as they are, and nobody writes them."""
        return {"writer": None, "seal": seal_of(self._store, self.parts)}

    @property
    def is_sealed(self) -> bool:
        """Whether the tables are as they were when they were sealed; what differs is to be looked at."""
        try:
            return self.catalog.get(f"table/{self.name}") == self.sealed()
        except StoreError:  # one of them cannot even be opened
            return False

    @property
    def is_hurt(self) -> bool:
        """Whether the tables are not as the last run left them, though nobody writes them."""
        return self.writer is None and any(part.exists for part in self.parts) and not self.is_sealed

    def reopen(self) -> None:
        """Open the tables anew when they are needed next."""
        for table in self.parts:
            table.reopen()
