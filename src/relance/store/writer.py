"""The writing side of a run: few commits, each whole, and a flag that tells when one was cut short."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from relance.config import IndexSpec
from relance.documents import Item, document_id
from relance.store import Store, schemas
from relance.store.allocators import return_memory
from relance.store.cache_spaces import prune
from relance.store.durable import sync_tables
from relance.store.ids import IdSet
from relance.store.index_tables import IndexTables
from relance.store.maintenance import compact_if_due, index_lookups, refresh_indexes
from relance.store.open_rows import settle_open_rows
from relance.store.pending import COMMIT_LIMITS, CommitLimits, Pending, without
from relance.store.repair import repair
from relance.store.runs import Runs

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Writer"]


class Writer:
    """Writes an index for one run; used by one thread at a time.

    Attributes:
        wrote: whether anything was written that `tidy` has to look after.
        takes_over: whether readers move on to these tables from others when they are sealed, with those of the media.
    """

    def __init__(self, store: Store, spec: IndexSpec, tables: IndexTables, run_id: str,
                 check_lock: Callable[[], None], limits: CommitLimits = COMMIT_LIMITS) -> None:  # fmt: skip
        self.tables = tables
        self.wrote = self.takes_over = False
        self._store = store
        self._spec = spec
        self._run_id = run_id
        self._check_lock = check_lock
        self._retention = timedelta(days=spec.store.retention_days)
        self._begun = False
        self._half_done: set[str] = set()
        self._collections: Sequence[str] = ()
        self._new, self._changed = Pending(limits), Pending(limits)
        self._appended = IdSet()
        self._rows = 0  # of both tables, as far as this run knows
        self._since_ns = time.time_ns()

    def repair(self) -> list[str]:
        """Mend tables that are not as the last run left them (see `relance.store.repair`); returns what was done.

        Costs two counts and a look at the names and sizes of files where nothing differs.
        """
        tables = self.tables
        if tables.is_sealed or not (tables.writer or any(part.exists for part in tables.parts)):
            return []
        notes = repair(self._store, tables)
        if notes or tables.writer is not None:
            self.wrote = True
        else:
            IndexTables.seal([tables])
        return notes

    def expect(self, collections: Sequence[str]) -> None:
        """Name the files of rows (by id) whose rows will be written: from then on they count as unread until done."""
        self._collections = collections

    def write(self, chunks: pa.Table, documents: pa.Table, *, known: Sequence[str]) -> None:
        """Take documents to be written: now, or with later ones in one commit; `flush` writes what waits.

        Writing a document again replaces what was written of it before.

        Args:
            chunks: all chunks of each document, in the columns of `schemas.values`.
            documents: a row a document for the manifest, also of those that have no chunks here: they were only
                touched, and what the index has of them stays; or they say that they have none, and it goes.
            known: ids of documents that the index may hold rows of.
        """
        self._begin()
        ids = documents["doc_id"].to_pylist()
        unknown = set(chunks["doc_id"].unique().to_pylist()).difference(known, self._appended.among(ids))
        old, new = [each for each in ids if each not in unknown], [each for each in ids if each in unknown]
        for waiting, mine, others in ((self._new, new, old), (self._changed, old, new)):
            waiting.drop(ids)
            if mine:
                waiting.put(without(chunks, others), without(documents, others))
        if self._new.due(self._rows):
            self._append()
        if self._changed.due(self._rows):
            self._replace()

    def flush(self) -> None:
        """Commit what waits."""
        if len(self._new):
            self._append()
        if len(self._changed):
            self._replace()

    def _append(self) -> None:
        """Commit new documents."""
        self._check_lock()
        (chunks, documents), now = self._new.tables(), datetime.now(UTC)
        # Whether a commit that failed came through is not known: from here on these documents are merged.
        self._appended.add(ids := documents["doc_id"].to_pylist())
        self._half_done.update(ids)
        try:
            self.tables.chunks.append(chunks, run_id=self._run_id, now=now)
            self.tables.manifest.append(self._stamped(documents, set(ids), now))
        except BaseException:
            self._changed.put(chunks, documents)
            self._new.clear()
            raise
        self._half_done.difference_update(ids)
        self._rows += chunks.num_rows + documents.num_rows
        self._new.clear()
        del chunks, documents
        return_memory()

    def _replace(self) -> None:
        """Commit changed documents, and the rows of touched ones."""
        import pyarrow.compute as pc

        self._check_lock()
        (chunks, documents), now = self._changed.tables(), datetime.now(UTC)
        empty = documents.filter(pc.field("chunks") == 0)["doc_id"]
        ids = {*chunks["doc_id"].unique().to_pylist(), *empty.to_pylist()}
        self._half_done |= ids
        if ids:
            self.tables.chunks.replace(chunks, known=list(ids), run_id=self._run_id, now=now)
        self.tables.manifest.upsert(self._stamped(documents, ids, now))
        self._half_done -= ids
        self._changed.clear()
        del chunks, documents
        return_memory()

    def remove(self, doc_ids: Sequence[str]) -> int:
        """Delete documents and collections; returns how many documents that were."""
        self.flush()
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
        self.flush()
        if not items:
            return
        self._begin()
        rows = schemas.manifest_rows(
            {"doc_id": document_id(item.uri), "uri": item.uri, "parent": None, "collection": True, "content_hash": None,
             "title": None, "chunks": 0, "tokens": 0, **versions(item)}
            for item in items
        )  # fmt: skip
        written = rows["doc_id"].to_pylist()
        known = list(self.tables.manifest.rows(written))
        rows = self._stamped(rows, set(written), datetime.now(UTC))
        # A merge reads the ids of all documents: 60 MB in a million.
        self.tables.manifest.append(without(rows, known))
        if known:
            self.tables.manifest.upsert(without(rows, [each for each in written if each not in known]))
        return_memory()

    def tidy(self, *, bought: int) -> None:
        """Commit what waits, sweep tombstones, refresh indexes, compact, and keep the cache within its size.

        When it returns a power cut takes nothing of it.
        """
        self.flush()
        if not self.wrote:
            return
        tables, retention = self.tables, self._retention
        tables.chunks.sweep()
        settle_open_rows(tables.chunks.table, self._spec)
        left = Runs(self._store, tables.index).versions(tables.name)
        parts = (tables.chunks.table, tables.manifest.table, tables.failures.table)
        # Before indexes are made: those of rows that move have to be written again.
        for table, versions in zip(parts, left, strict=True):
            compact_if_due(table, retention=retention, left=versions)
        compact_if_due(tables.catalog.table, retention=retention)
        if tables.chunks.table is not None:
            refresh_indexes(tables.chunks.table, retention=retention, language=self._spec.search.language)
        index_lookups(tables.manifest.table, "doc_id")
        if bought:
            prune(self._store, max_bytes=int(self._spec.store.cache_max_bytes))
        sync_tables(self._store, [part.name for part in tables.parts], since_ns=self._since_ns)

    def publish(self, *, complete: bool) -> str | None:
        """Let readers use what was written once it is sealed; returns why not, if another model's tables serve on."""
        alias = self.tables.alias
        if alias is not None and alias["table"] == self.tables.name:
            return None
        if alias is not None and not complete:
            return f"readers still use {alias['table']}: {self.tables.name} (another model) is not complete; run again"
        self.tables.chunks.create()  # an empty index can be searched, too
        self.takes_over = True
        self.wrote = True  # so that the next run finds them sealed
        return None

    @property
    def whole(self) -> bool:
        """Whether it wrote, and no commit failed between two tables."""
        return self.wrote and not (self._half_done or len(self._new) or len(self._changed))

    def close(self) -> None:
        """Let readers move on to what was written, if that is whole."""
        if self.whole:
            IndexTables.seal([self.tables], serve=[self.tables] * self.takes_over)

    def _stamped(self, documents: pa.Table, written: set[str], now: datetime) -> pa.Table:
        """Add the run to rows of the manifest; of documents that were only touched the run that wrote their chunks."""
        import pyarrow as pa
        import pyarrow.compute as pc

        ids = documents["doc_id"]
        touched = [doc_id for doc_id in ids.to_pylist() if doc_id not in written]
        before = self.tables.manifest.select(touched, ["doc_id", "run_id", "updated_at"])
        places = pc.index_in(ids, before["doc_id"])
        columns = dict(zip(documents.column_names, documents.columns, strict=True))
        for name, value in (("run_id", self._run_id), ("updated_at", now)):
            mine = pa.scalar(value, schemas.DOCUMENTS.field(name).type)
            columns[name] = pc.coalesce(before[name].take(places), mine)
        return pa.table(columns).select(schemas.DOCUMENTS.names).cast(schemas.DOCUMENTS)

    def _begin(self) -> None:
        self._check_lock()
        if self._begun:
            return
        self.tables.mark(self._run_id)  # before anything is written: readers stay at what there is now
        self.tables.chunks.create()
        if self.tables.alias is None:
            self.tables.serve()
        self.tables.manifest.forget_markers(self._collections)
        tables = (self.tables.chunks.table, self.tables.manifest.table)
        self._rows = sum(table.count_rows() for table in tables if table is not None)
        self._begun = self.wrote = True
