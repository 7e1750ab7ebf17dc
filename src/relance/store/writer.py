"""The writing side of a run: few commits, each whole, and a flag that tells when one was cut short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from relance.config import IndexSpec
from relance.documents import Item, document_id
from relance.store import Store
from relance.store.chunks import EmbeddedDocument
from relance.store.embeddings import prune, table_name
from relance.store.index_tables import IndexTables
from relance.store.maintenance import compact, compact_if_due, index_lookups, refresh_indexes

__all__ = ["Writer"]


class Writer:
    """Writes an index for one run; used by one thread at a time.

    Attributes:
        wrote: whether anything was written that `tidy` has to look after.
    """

    def __init__(self, store: Store, spec: IndexSpec, tables: IndexTables, run_id: str,
                 check_lock: Callable[[], None]) -> None:  # fmt: skip
        self.tables = tables
        self.wrote = False
        self._store = store
        self._spec = spec.store
        self._language = spec.search.language
        self._run_id = run_id
        self._check_lock = check_lock
        self._retention = timedelta(days=spec.store.retention_days)
        self._commits = 0
        self._compact_at = 256
        self._begun = False
        self._half_done: set[str] = set()
        self._collections: Sequence[str] = ()

    def repair(self) -> None:
        """Let documents that an interrupted run left half done look changed, so that this run writes them anew."""
        if self.tables.writer is None:
            return
        manifest = self.tables.manifest
        torn = self.tables.torn()
        rows = manifest.rows(sorted(torn))
        collections = {row["uri"]: row["doc_id"] for row in manifest.all(["uri", "doc_id", "collection"])
                      if row["collection"]}  # fmt: skip
        blank = {"collection": False, "version": "", "content_hash": "", "fingerprint": "", "marker": 0, "title": "",
                 "chunks": -1, "tokens": 0, "run_id": None, "updated_at": datetime.now(UTC)}  # fmt: skip
        for doc_id, uri in torn.items():
            file = next((name for name in collections if uri.startswith(f"{name}#")), None)
            known = rows.get(doc_id, {"doc_id": doc_id, "uri": uri, "parent": collections[file] if file else None})
            rows[doc_id] = {**known, **blank}
        manifest.upsert(list(rows.values()))
        manifest.forget_markers(list(collections.values()))
        self.wrote = True

    def expect(self, collections: Sequence[str]) -> None:
        """Name the files of rows (by id) whose rows will be written: from then on they count as unread until done."""
        self._collections = collections

    def write(self, documents: list[EmbeddedDocument], rows: list[dict[str, Any]], known: Sequence[str]) -> None:
        """Replace documents in the table, then write their manifest rows (and those of touched ones)."""
        self._begin()
        ids = {each.document.id for each in documents}
        self._half_done |= ids
        known = [doc_id for doc_id in known if doc_id in ids]
        if documents:
            self.tables.chunks.replace(documents, known=known, run_id=self._run_id, now=datetime.now(UTC))
        self.tables.manifest.upsert(rows)
        self._half_done -= ids
        self._commits += 1
        if self._commits >= self._compact_at:
            # Every commit reads a little of every file there is; rarer and rarer, or rewriting would cost too much.
            for table in (self.tables.chunks.table, self.tables.manifest.table):
                compact(table, retention=self._retention)
            self._compact_at *= 2

    def remove(self, doc_ids: list[str]) -> int:
        """Delete documents and collections; returns how many documents that were."""
        if not doc_ids:
            return 0
        self._begin()
        rows = self.tables.manifest.rows(doc_ids)
        # The manifest first: rows without a manifest entry are found after a crash, the reverse would look whole.
        self._half_done |= set(doc_ids)
        self.tables.manifest.delete(doc_ids)
        self.tables.chunks.delete(doc_ids)
        self._half_done -= set(doc_ids)
        return len(doc_ids) - sum(row["collection"] for row in rows.values())

    def finish_collections(self, items: list[Item], versions: Callable[[Item], dict[str, Any]]) -> None:
        """Note that all rows of these files are in, so that the next run need not read them."""
        if not items:
            return
        self._begin()
        rows = [
            {"doc_id": document_id(item.uri), "uri": item.uri, "parent": None, "collection": True, "content_hash": None,
             "title": None, "chunks": 0, "tokens": 0, "run_id": self._run_id, "updated_at": datetime.now(UTC),
             **versions(item)}
            for item in items
        ]  # fmt: skip
        self.tables.manifest.upsert(rows)

    def tidy(self, *, bought: int) -> None:
        """Sweep tombstones, refresh indexes, compact, and keep the store of vectors within its size."""
        if not self.wrote:
            return
        tables, retention = self.tables, self._retention
        tables.chunks.sweep()
        if tables.chunks.table is not None:
            refresh_indexes(tables.chunks.table, retention=retention, language=self._language)
        for table in (tables.chunks.table, tables.manifest.table, tables.failures.table, tables.catalog.table):
            compact_if_due(table, retention=retention)
        if bought:
            vectors = self._store.open(table_name(tables.space))
            index_lookups(vectors, "key")
            compact_if_due(vectors, retention=timedelta(hours=1))
            prune(self._store, max_bytes=int(self._spec.cache_max_bytes))

    def publish(self, *, complete: bool) -> str | None:
        """Let readers use what was written; returns why not, if they still use the tables of another model."""
        alias = self.tables.alias
        if alias is not None and alias["table"] == self.tables.name:
            return None
        if alias is not None and not complete:
            return f"readers still use {alias['table']}: {self.tables.name} (another model) is not complete; run again"
        self.tables.chunks.create()  # an empty index can be searched, too
        self.tables.serve()
        return None

    def close(self) -> None:
        """Say that everything is whole, unless a commit failed between two tables."""
        if self.wrote and not self._half_done:
            self.tables.mark(None)

    def _begin(self) -> None:
        self._check_lock()
        if self._begun:
            return
        self.tables.chunks.create()
        if self.tables.alias is None:
            self.tables.serve()
        self.tables.mark(self._run_id)
        self.tables.manifest.forget_markers(self._collections)
        self._begun = self.wrote = True
