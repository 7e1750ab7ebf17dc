"""Comparing what the sources have with what the index holds, in one pass and flat memory."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from relance.documents import Item, document_id
from relance.errors import DocumentError
from relance.pipeline.text_reader import Reader
from relance.store.failures import Failure
from relance.store.manifest import Manifest, Snapshot, marker

__all__ = ["BATCH_BYTES", "BATCH_ITEMS", "Candidate", "Discovery"]

# A batch is a task run: enough chunks to make its overhead vanish, few enough to overlap with the next one.
BATCH_ITEMS = 1000
BATCH_BYTES = 512 * 1024


@dataclass(slots=True, frozen=True)
class Candidate:
    """An item that is new or may have changed; `known` if the index may hold rows of it."""

    item: Item
    known: bool


@dataclass(slots=True)
class Discovery:
    """Finds candidates and spools them to a temporary file, batch by batch.

    Attributes:
        candidates: documents that are new or may have changed; reading them decides.
        unchanged: documents that certainly have not.
        removed: ids of documents (and collections) that the sources no longer have.
        collections: files of rows that were read; their manifest row is due when all their rows are in.
        complete: whether everything was listed, so that `removed` can be trusted.
    """

    sources: Sequence[Reader]
    snapshot: Snapshot
    manifest: Manifest
    fingerprint: Callable[[Item], str]
    only: frozenset[str] = frozenset()
    full: bool = False
    stopped: Callable[[], bool] = lambda: False
    batch_items: int = BATCH_ITEMS
    batch_bytes: int = BATCH_BYTES

    candidates: int = 0
    unchanged: int = 0
    batches: int = 0
    removed: list[str] = field(default_factory=list)
    collections: list[Item] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    complete: bool = False

    _new: set[int] = field(default_factory=set)
    _spool: IO[bytes] | None = None

    def run(self) -> None:
        """List all sources and compare."""
        self._spool = tempfile.TemporaryFile(prefix="relance-")  # noqa: SIM115  # lives as long as the run
        pending: list[Candidate] = []
        size = 0
        for candidate in self._candidates():
            weight = max(candidate.item.size, 1)
            if pending and (len(pending) >= self.batch_items or size + weight > self.batch_bytes):
                self._write(pending)
                pending, size = [], 0
            pending.append(candidate)
            size += weight
        if pending:
            self._write(pending)
        if not self.stopped():
            self.removed = self._removed()
            self.complete = True

    def read(self) -> Iterator[list[Candidate]]:
        """Read the batches back, one at a time."""
        if self._spool is None:
            return
        self._spool.seek(0)
        for _ in range(self.batches):
            yield pickle.load(self._spool)  # noqa: S301  # our own temporary file, already unlinked

    def close(self) -> None:
        """Drop the spool."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def _write(self, batch: list[Candidate]) -> None:
        assert self._spool is not None  # noqa: S101  # run() opened it
        pickle.dump(batch, self._spool, protocol=pickle.HIGHEST_PROTOCOL)
        self.batches += 1
        self.candidates += len(batch)

    def _candidates(self) -> Iterator[Candidate]:
        for source in self.sources:
            for item in source.list():
                if self.stopped():
                    return
                if isinstance(item, DocumentError):
                    self.failures.append(Failure(item.uri, item.reason, "list"))
                    self._claim(document_id(item.uri))  # what is indexed of it stays
                elif item.collection:
                    yield from self._rows(source, item)
                else:
                    yield from self._compare(item)

    def _rows(self, source: Reader, collection: Item) -> Iterator[Candidate]:
        collection_id = document_id(collection.uri)
        place = self._claim(collection_id)
        if place is None:
            return
        if place >= 0 and not self.snapshot.collections[place]:
            self.snapshot.seen[place] = False  # it was one document before the spec said `rows`: that one is gone
            place = -1
        mark = marker(collection.version, self.fingerprint(collection))
        uri = collection.uri
        wanted = not self.only or any(each == uri or each.startswith(f"{uri}#") for each in self.only)
        same = place >= 0 and not self.full and self.snapshot.same(place, mark)
        if not wanted or (same and not collection.live):
            self.unchanged += self.snapshot.see_children(collection_id)
            return
        anonymous = False
        for row in source.rows(collection):
            if self.stopped():
                return
            if isinstance(row, DocumentError):
                self.failures.append(Failure(row.uri, row.reason, "list"))
                # Of a row that cannot be told apart, or a file that cannot be read, what is indexed stays.
                anonymous |= row.uri == collection.uri or row.uri.startswith(f"{collection.uri}#line-")
                self._claim(document_id(row.uri))
            else:
                yield from self._compare(row)
        if anonymous:
            self.unchanged += self.snapshot.see_children(collection_id)
        if not same and (not self.only or collection.uri in self.only):  # else some of its rows were not looked at
            self.collections.append(collection)

    def _compare(self, item: Item) -> Iterable[Candidate]:
        place = self._claim(document_id(item.uri))
        if place is None:
            return ()
        if self.only and item.uri not in self.only and item.parent not in self.only:
            self.unchanged += place >= 0
            return ()
        if place < 0:
            return (Candidate(item, known=False),)
        if self.full or item.live or not self.snapshot.same(place, marker(item.version, self.fingerprint(item))):
            return (Candidate(item, known=True),)
        self.unchanged += 1
        return ()

    def _claim(self, doc_id: str) -> int | None:
        """Return the document's place in the snapshot (-1: new), or None if another source brought it already."""
        place = self.snapshot.place(doc_id)
        if place >= 0:
            if self.snapshot.seen[place]:
                return None
            self.snapshot.seen[place] = True
            return place
        key = int(doc_id[:16], 16)
        if key in self._new:
            return None
        self._new.add(key)
        return -1

    def _removed(self) -> list[str]:
        gone = self.snapshot.unseen()
        # A folder that cannot be listed has not lost its documents, and `only` says nothing about the others.
        unlisted = tuple(f"{failure.uri.rstrip('/')}/" for failure in self.failures)
        if gone and (unlisted or self.only):
            rows, named = self.manifest.rows(gone), {document_id(uri) for uri in self.only}
            kept = {doc_id for doc_id, row in rows.items()
                    if row["uri"].startswith(unlisted) or (named and not named & {doc_id, row["parent"]})}  # fmt: skip
            gone = [doc_id for doc_id in gone if doc_id not in kept]
        return gone
