"""The manifest: which version of which document the chunks table holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relance.documents import digest
from relance.store import schemas
from relance.store.connection import Store
from relance.store.faults import store_errors
from relance.store.ids import decode, encode
from relance.store.lazy_table import LazyTable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Manifest", "Snapshot", "marker"]


def marker(version: str, fingerprint: str) -> int:
    """Fold an item's version and fingerprint into a signed 64-bit number."""
    return int.from_bytes(bytes.fromhex(digest("marker", version, fingerprint, size=8)), "little", signed=True)


class Manifest(LazyTable):
    """The documents table beside a chunks table."""

    def __init__(self, store: Store, table: str) -> None:
        super().__init__(store, f"{table}__documents")

    @property
    def table(self) -> Any | None:
        """The LanceDB table, or None before the first write."""
        if self._table is None and (table := super().table) is not None and "container" in table.schema.names:
            with store_errors(f"renaming a column of {self.name}"):
                table.alter_columns({"path": "container", "rename": "collection"})
        return self._table

    def snapshot(self) -> Snapshot:
        """Read what a run compares the sources with."""
        return Snapshot.read(self)

    def rows(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the manifest rows of documents, by id."""
        found = self.lookup(ids, schemas.DOCUMENTS.names)
        return {row["doc_id"]: row for part in found for row in part.to_pylist()}

    def select(self, ids: Sequence[str], columns: list[str]) -> pa.Table:
        """Return columns (`doc_id` among them) of the rows of documents, in any order."""
        import pyarrow as pa

        nothing = schemas.DOCUMENTS.empty_table().select(columns)
        found = self.lookup(ids, columns)
        return pa.concat_tables([nothing, *(part.select(columns).cast(nothing.schema) for part in found)])

    def all(self, columns: list[str]) -> Iterator[dict[str, Any]]:
        """Stream all rows."""
        for batch in self.stream(columns):
            yield from batch.to_pylist()

    def append(self, rows: pa.Table) -> None:
        """Add rows of documents it has none of, with the columns of `schemas.DOCUMENTS`, in one commit."""
        if not rows.num_rows:
            return
        with store_errors(f"writing {self.name}"):
            self._create().add(rows)

    def upsert(self, rows: pa.Table) -> None:
        """Write rows with the columns of `schemas.DOCUMENTS` in one commit."""
        if not rows.num_rows:
            return
        with store_errors(f"writing {self.name}"):
            merge = self._create().merge_insert("doc_id").when_matched_update_all().when_not_matched_insert_all()
            merge.use_index(False).execute(rows)

    def forget_markers(self, ids: Sequence[str]) -> None:
        """Let rows look changed to the next run, whatever becomes of this one."""
        if self.table is not None and self.rows(ids):
            for condition in schemas.in_lists("doc_id", ids):
                with store_errors(f"writing {self.name}"):
                    self.table.update(where=condition, values={"marker": 0})

    def totals(self) -> tuple[int, int]:
        """Count documents (collections apart) and their tokens."""
        documents = tokens = 0
        for batch in self.stream(["collection", "tokens"]):
            documents += batch.num_rows - batch["collection"].true_count
            tokens += int(np.nansum(batch["tokens"].to_numpy(zero_copy_only=False)))
        return documents, tokens

    def chunks(self) -> int:
        """Count the chunks that the documents should have."""
        counts = (batch["chunks"].to_numpy(zero_copy_only=False) for batch in self.stream(["chunks"]))
        return sum(int(np.nansum(np.maximum(each, 0))) for each in counts)

    def _create(self) -> Any:
        if self.table is None:
            self._table = self._store.create(self.name, schemas.DOCUMENTS)
        return self._table


class Snapshot:
    """The manifest as a run saw it when it began: 34 bytes a document, whatever their uris."""

    def __init__(self, rows: int) -> None:
        self._first, self._second = np.zeros(rows, np.uint64), np.zeros(rows, np.uint64)  # halves of the ids
        self._markers = np.zeros(rows, np.int64)
        self._parents = np.zeros(rows, np.uint64)
        self.collections = np.zeros(rows, bool)
        self.seen = np.zeros(rows, bool)

    @classmethod
    def read(cls, manifest: Manifest) -> Snapshot:
        """Load the documents table; at a million rows in 0.9 CPU-s and 63 MB."""
        snapshot, at = cls(manifest.table.count_rows() if manifest.table is not None else 0), 0
        for batch in manifest.stream(["doc_id", "marker", "parent", "collection"]):
            to = slice(at, at := at + batch.num_rows)
            ids = decode(batch["doc_id"])
            snapshot._first[to], snapshot._second[to] = ids[:, 0], ids[:, 1]
            snapshot._markers[to] = batch["marker"].to_numpy(zero_copy_only=False)
            snapshot._parents[to] = decode(batch["parent"])[:, 0]
            snapshot.collections[to] = batch["collection"].to_numpy(zero_copy_only=False)
        order = np.argsort(snapshot._first)
        for name in ("_first", "_second", "_markers", "_parents", "collections"):  # one by one: half the memory
            setattr(snapshot, name, getattr(snapshot, name)[order])
        return snapshot

    def __len__(self) -> int:
        """Count the rows, collections included."""
        return len(self._first)

    def place(self, doc_id: str) -> int:
        """Return the row of a document, or -1."""
        first, second = int(doc_id[:16], 16), int(doc_id[16:], 16)
        at = int(np.searchsorted(self._first, np.uint64(first)))
        while at < len(self._first) and int(self._first[at]) == first:
            if int(self._second[at]) == second:
                return at
            at += 1
        return -1

    def same(self, place: int, mark: int) -> bool:
        """Tell whether a row has this marker."""
        return int(self._markers[place]) == mark

    def see_children(self, collection_id: str) -> int:
        """Take all rows of a collection as seen; returns how many were not yet."""
        mask = (self._parents == np.uint64(int(collection_id[:16], 16))) & ~self.seen
        self.seen |= mask
        return int(mask.sum())

    def unseen(self) -> list[str]:
        """Return the ids of all documents and collections not seen."""
        left = ~self.seen
        return encode(np.stack([self._first[left], self._second[left]], axis=1))

    # -- many at a time; ids are numbers here, shape (n, 2) ------------------------------------------------------

    def places(self, ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the rows of documents, -1 where there is none."""
        if not len(self):
            return np.full(len(ids), -1, dtype=np.int64)
        order = np.argsort(ids[:, 0])  # looked up in order: half the time in a million rows
        ids = ids[order]
        at = np.minimum(np.searchsorted(self._first, ids[:, 0]), len(self) - 1)
        half = self._first[at] == ids[:, 0]
        whole = half & (self._second[at] == ids[:, 1])
        at[~whole] = -1
        for other in np.flatnonzero(half & ~whole):  # two ids that begin alike
            at[other] = self.place(f"{int(ids[other, 0]):016x}{int(ids[other, 1]):016x}")
        found = np.empty_like(at)
        found[order] = at
        return found

    def same_as(self, places: NDArray[np.int64], marks: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which rows have these markers."""
        return self._markers[places] == marks

    def see_all_children(self, collection_ids: NDArray[np.uint64]) -> int:
        """Take all rows of collections as seen; returns how many were not yet."""
        mask = np.isin(self._parents, collection_ids[:, 0]) & ~self.seen
        self.seen |= mask
        return int(mask.sum())

    def ids(self, places: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the ids of rows."""
        return np.stack([self._first[places], self._second[places]], axis=1)
