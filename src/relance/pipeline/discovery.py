"""Comparing what the sources have with what the index holds, in one pass and flat memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relance.documents import Ignored, Item, digests, document_id
from relance.errors import DocumentError, SourceError
from relance.parsers.first_seen import FirstSeen
from relance.pipeline.batches import Batches
from relance.pipeline.gone import Gone
from relance.pipeline.ignored_counts import IgnoredCounts
from relance.pipeline.items import ITEMS, as_ids, ids_of, items_of, table_of
from relance.pipeline.spool import Spool
from relance.pipeline.text_reader import Reader
from relance.store.failures import Failure
from relance.store.manifest import Manifest, Snapshot, marker

__all__ = ["BATCH_BYTES", "BATCH_ITEMS", "Discovery"]

# A batch is a task run: enough chunks to make its overhead vanish, few enough to overlap with the next one.
BATCH_ITEMS = 1000
BATCH_BYTES = 512 * 1024
# So many items are compared first, then twice as many each time: of a slow source the first batch is there soon.
_FIRST_ITEMS = 64

Places = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(slots=True)
class Discovery:
    """Finds candidates and spools them to a temporary file, batch by batch.

    `run` may have a thread of its own: `batches` gives each batch as soon as it is there.

    Attributes:
        spared: other fingerprints with which a document of the same version counts as unchanged.
        candidates: documents that are new or may have changed; reading them decides.
        known: those of them the index may hold rows of.
        unchanged: documents that certainly have not.
        removed: ids of documents (and collections) that the sources no longer have.
        collections: files of rows that were read; their manifest row is due when all their rows are in.
        complete: whether everything was listed, so that `removed` can be trusted.
        ignored: what the sources have and the index has not, on purpose.
        empty: positions of sources that have nothing to index.
        unlisted: sources that could not be listed to their end: what is indexed of them stays.
    """

    sources: Sequence[Reader]
    snapshot: Snapshot
    manifest: Manifest
    fingerprint: Callable[[Item], str]
    only: frozenset[str] = frozenset()
    full: bool = False
    spared: frozenset[str] = frozenset()
    stopped: Callable[[], bool] = lambda: False
    batch_items: int = BATCH_ITEMS
    batch_bytes: int = BATCH_BYTES

    candidates: int = 0
    known: int = 0
    unchanged: int = 0
    removed: Gone = field(default_factory=Gone)
    collections: list[Item] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    complete: bool = False
    ignored: IgnoredCounts = field(default_factory=IgnoredCounts)
    empty: list[int] = field(default_factory=list)
    unlisted: list[Reader] = field(default_factory=list)

    _new: FirstSeen = field(default_factory=FirstSeen)
    _claimed: int = 0
    _kept: list[str] = field(default_factory=list)
    _asked: list[str] = field(default_factory=list)
    _spool: Spool = field(default_factory=Spool)

    @property
    def spooled(self) -> int:
        """Count the batches found so far."""
        return len(self._spool)

    def run(self) -> None:
        """List all sources and compare."""
        error: BaseException | None = None
        try:
            self._find()
        except BaseException as caught:
            error = caught
            raise
        finally:
            self._spool.end(error)

    def batches(self) -> Iterator[pa.Table]:
        """Stream the batches (tables of `ITEMS`) from the first, each as soon as it is found, in any thread.

        Waits for those to come until `run` has ended; raises what it raised.
        """
        return self._spool.read(self.stopped)

    def close(self) -> None:
        """Drop the spool; `run` and `batches` end."""
        self._spool.close()

    # -- details -----------------------------------------------------------------------------------------------

    def _find(self) -> None:
        batches = Batches(self._write, self.batch_items, self.batch_bytes)
        for table in self._candidates():
            batches.add(table)
        batches.flush()
        self._new = FirstSeen()
        self._keep()
        if not self._stopping():
            self.removed = self._removed()
            self.complete = True

    def _keep(self) -> None:
        """Count what was not looked at as unchanged, but for rows that were named and are not there."""
        places = self.snapshot.places(as_ids(digests("document", self._asked)))
        lost = places[places >= 0]
        lost = np.unique(lost[~self.snapshot.seen[lost]])
        self.unchanged += self.snapshot.see_all_children(as_ids(digests("document", self._kept)))
        self.unchanged -= int(self.snapshot.seen[lost].sum())
        self.snapshot.seen[lost] = False

    def _stopping(self) -> bool:
        return self._spool.closed or self.stopped()

    def _candidates(self) -> Iterator[pa.Table]:
        """List the sources; items are compared many at a time, the first of them soon."""
        most = min(_FIRST_ITEMS, self.batch_items)
        for position, source in enumerate(self.sources):
            pending: list[Item | DocumentError] = []
            nothing = True
            for found in self._listed(source):
                if self._stopping():
                    return
                nothing = False
                if isinstance(found, pa.Table):
                    if found.num_rows:
                        yield self._compare_rows(found)
                    continue
                pending.append(found)
                if len(pending) >= most:
                    yield self._compare_items(pending)
                    pending, most = [], min(2 * most, self.batch_items)
            yield self._compare_items(pending)
            if nothing and source not in self.unlisted:
                self.empty.append(position)

    def _listed(self, source: Reader) -> Iterator[Item | pa.Table | DocumentError]:
        """List one source; where it breaks off, the others go on."""
        found = False
        try:
            for each in self._all_of(source):
                found = True
                yield each
        except SourceError as error:
            self.unlisted.append(source)
            if not found and len(self.unlisted) == len(self.sources):
                raise  # there is nothing that could go on
            place = source.location()
            name = place.text if place is not None else "a source"
            reason = f"it could not be listed to its end, so what is indexed of it stays: {error}"
            self.failures.append(Failure(name, reason, "list", retryable=True))

    def _all_of(self, source: Reader) -> Iterator[Item | pa.Table | DocumentError]:
        for item in source.list(self.only):
            if isinstance(item, DocumentError):
                self.failures.append(Failure(item.uri, item.reason, "list"))
                self._kept.append(item.uri)  # its rows, if it has some
                yield item
            elif isinstance(item, Ignored):
                self.ignored.add(item)
            elif item.collection:
                yield ITEMS.empty_table()  # it is there, though nothing of it may be new
                yield from self._rows(source, item)
            else:
                yield item

    def _rows(self, source: Reader, collection: Item) -> Iterator[Item | pa.Table | DocumentError]:
        places, mine = self._claim(as_ids(digests("document", [collection.uri])))
        if not mine[0]:
            return
        place = int(places[0])
        if place >= 0 and not self.snapshot.collections[place]:
            self.snapshot.seen[place] = False  # it was one document before the spec said `rows`: that one is gone
            place = -1
        marks = [marker(collection.version, each) for each in (self.fingerprint(collection), *self.spared)]
        uri = collection.uri
        wanted = not self.only or any(each == uri or each.startswith(f"{uri}#") for each in self.only)
        same = place >= 0 and not self.full and any(self.snapshot.same(place, mark) for mark in marks)
        if not wanted or (same and not collection.live):
            self._kept.append(uri)
            return
        anonymous = False
        named = frozenset(each.removeprefix(f"{uri}#") for each in self.only if each.startswith(f"{uri}#"))
        for row in source.rows(collection, named if uri not in self.only else frozenset()):
            if isinstance(row, DocumentError):
                self.failures.append(Failure(row.uri, row.reason, "list"))
                # Of a row that cannot be told apart, or a file that cannot be read, what is indexed stays.
                anonymous |= row.uri == uri or row.uri.startswith(f"{uri}#line-")
            elif isinstance(row, Ignored):
                self.ignored.add(row)
                continue
            yield row
        partly = bool(named) and uri not in self.only  # else each of its other rows would have to be looked up
        if partly and not anonymous:
            self._asked += [f"{uri}#{name}" for name in named]
        if anonymous or partly:
            self._kept.append(uri)
        if not same and (not self.only or uri in self.only):  # else some of its rows were not looked at
            self.collections.append(collection)

    def _compare_items(self, listed: list[Item | DocumentError]) -> pa.Table:
        """Choose the candidates among items; what is indexed of those that are errors stays."""
        places, mine = self._claim(as_ids(digests("document", [each.uri for each in listed])))
        good = np.array([isinstance(each, Item) for each in listed], dtype=bool)
        places, mine = places[good], mine[good]
        items = [each for each in listed if isinstance(each, Item)]
        only = self.only
        wanted = np.array([not only or item.uri in only or item.parent in only for item in items], dtype=bool)
        live = np.array([item.live for item in items], dtype=bool)

        def marks(at: Places, other: str = "") -> bytes:
            fingerprints = [other or self.fingerprint(items[n]) for n in at]
            return digests("marker", [items[n].version for n in at], fingerprints, size=8)

        at = self._changed(places, mine, wanted, live, marks)
        return table_of([items[n] for n in at], (places[at] >= 0).tolist())

    def _compare_rows(self, table: pa.Table) -> pa.Table:
        """Choose the candidates among rows of one collection."""
        places, mine = self._claim(ids_of(table))
        wanted = np.ones(len(mine), dtype=bool)
        if self.only and table["parent"][0].as_py() not in self.only:
            wanted = np.array([uri in self.only for uri in table["uri"].to_pylist()], dtype=bool)
        (first,) = items_of(table.slice(0, 1))

        def marks(at: Places, other: str = "") -> bytes:
            return digests("marker", table["version"].take(at).to_pylist(), other or self.fingerprint(first), size=8)

        at = self._changed(places, mine, wanted, table["live"].to_numpy(), marks)
        known = table.schema.get_field_index("known")
        return table.take(at).set_column(known, ITEMS.field(known), pa.array(places[at] >= 0))

    def _changed(self, places: Places, mine: Mask, wanted: Mask, live: Mask, marks: Callable[..., bytes]) -> Places:
        """Tell where documents are new or may have changed; count the others."""
        known, taken = places >= 0, mine & wanted
        self.unchanged += int((known & mine & ~wanted).sum())
        at = np.flatnonzero(taken & known & ~live)
        if len(at) and not self.full:
            same = self.snapshot.same_as(places[at], np.frombuffer(marks(at), dtype="<i8"))
            for other in self.spared:
                left = np.flatnonzero(~same)
                there = np.frombuffer(marks(at[left], other), dtype="<i8") if len(left) else np.zeros(0, np.int64)
                same[left] = self.snapshot.same_as(places[at[left]], there)
            self.unchanged += int(same.sum())
            taken[at[same]] = False
        return np.flatnonzero(taken)

    def _claim(self, ids: NDArray[np.uint64]) -> tuple[Places, Mask]:
        """Return the places of documents in the snapshot (-1: new), and where no source brought one already."""
        places = self.snapshot.places(ids)
        mine = np.zeros(len(ids), dtype=bool)
        known, new = np.flatnonzero(places >= 0), np.flatnonzero(places < 0)
        if len(known):
            _, first = np.unique(places[known], return_index=True)
            known = known[first]
            mine[known] = ~self.snapshot.seen[places[known]]
            self.snapshot.seen[places[known]] = True
        if len(new):
            numbers = np.arange(self._claimed, self._claimed + len(new), dtype=np.uint32)
            self._claimed += len(new)
            mine[new] = self._new.first(ids[new, 0], numbers) == numbers
        return places, mine

    def _write(self, batch: pa.Table) -> None:
        self._spool.write(batch)
        self.candidates += batch.num_rows
        self.known += batch["known"].combine_chunks().true_count

    def _removed(self) -> Gone:
        gone = Gone(self.snapshot, np.flatnonzero(~self.snapshot.seen))
        # A folder that cannot be listed has not lost its documents, and `only` says nothing about the others.
        folders = tuple(failure.uri for failure in self.failures if failure.uri.endswith("/"))
        if not folders and not self.unlisted and not self.only:
            return gone
        named = {document_id(uri) for uri in self.only}

        def kept(doc_id: str, row: dict[str, Any]) -> bool:
            uri = row["uri"]
            if uri.startswith(folders) or (named and not named & {doc_id, row["parent"]}):
                return True
            return any(source.location(uri) is not None for source in self.unlisted)

        return gone.without(kept, self.manifest)
