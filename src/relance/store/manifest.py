"""The manifest: which version of which document the chunks table holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relance.documents import digest
from relance.store import schemas
from relance.store.connection import Store, store_error
from relance.store.lazy_table import LazyTable

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
            try:  # what the column was called at first; renaming writes no data
                table.alter_columns({"path": "container", "rename": "collection"})
            except Exception as error:
                raise store_error(error, f"renaming a column of {self.name}") from error
        return self._table

    def snapshot(self) -> Snapshot:
        """Read what a run compares the sources with."""
        return Snapshot.read(self.table)

    def rows(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the manifest rows of documents, by id."""
        if self.table is None:
            return {}
        found: dict[str, dict[str, Any]] = {}
        for condition in schemas.in_lists("doc_id", ids):
            found.update({row["doc_id"]: row for row in self.table.search().where(condition).limit(None).to_list()})
        return found

    def all(self, columns: list[str]) -> Iterator[dict[str, Any]]:
        """Stream all rows."""
        if self.table is not None:
            for batch in self.table.search().select(columns).limit(None).to_batches():
                yield from batch.to_pylist()

    def upsert(self, rows: list[dict[str, Any]]) -> None:
        """Write manifest rows in one commit."""
        if not rows:
            return
        import pyarrow as pa

        if self._table is None:
            self._table = self._store.create(self.name, schemas.DOCUMENTS)
        data = pa.Table.from_pylist(rows, schema=schemas.DOCUMENTS)
        try:
            merge = self._table.merge_insert("doc_id").when_matched_update_all().when_not_matched_insert_all()
            merge.use_index(False).execute(data)
        except Exception as error:
            raise store_error(error, f"writing {self.name}") from error

    def forget_markers(self, ids: Sequence[str]) -> None:
        """Let rows look changed to the next run, whatever becomes of this one."""
        if self.table is not None and self.rows(ids):
            for condition in schemas.in_lists("doc_id", ids):
                self.table.update(where=condition, values={"marker": 0})

    def delete(self, ids: Sequence[str]) -> None:
        """Forget documents."""
        if self.table is not None:
            for condition in schemas.in_lists("doc_id", ids):
                self.table.delete(condition)

    def totals(self) -> tuple[int, int]:
        """Count documents (collections apart) and their tokens."""
        documents = tokens = 0
        if self.table is not None:
            for batch in self.table.search().select(["collection", "tokens"]).limit(None).to_batches():
                documents += batch.num_rows - batch["collection"].true_count
                tokens += int(np.nansum(batch["tokens"].to_numpy(zero_copy_only=False)))
        return documents, tokens


class Snapshot:
    """The manifest as a run saw it when it began: 34 bytes a document, whatever their uris."""

    def __init__(self, ids: NDArray[np.uint64], markers: NDArray[np.int64], parents: NDArray[np.uint64],
                 collections: NDArray[np.bool_]) -> None:  # fmt: skip
        order = np.lexsort((ids[:, 1], ids[:, 0]))
        self._ids = ids[order]
        self._first = np.ascontiguousarray(self._ids[:, 0])
        self._markers = markers[order]
        self._parents = parents[order]
        self.collections = collections[order]
        self.seen = np.zeros(len(order), dtype=bool)

    @classmethod
    def read(cls, table: Any | None) -> Snapshot:
        """Load a documents table (None: an empty one)."""
        ids, markers, parents, collections = [_split([])], [np.zeros(0, np.int64)], [_split([])], [np.zeros(0, bool)]
        if table is not None:
            columns = ["doc_id", "marker", "parent", "collection"]
            for batch in table.search().select(columns).limit(None).to_batches():
                ids.append(_split(batch["doc_id"].to_pylist()))
                markers.append(batch["marker"].to_numpy(zero_copy_only=False).astype(np.int64))
                parents.append(_split([parent or "0" * 32 for parent in batch["parent"].to_pylist()]))
                collections.append(batch["collection"].to_numpy(zero_copy_only=False).astype(bool))
        joined = np.concatenate(parents)
        return cls(np.concatenate(ids), np.concatenate(markers), joined[:, 0], np.concatenate(collections))

    def __len__(self) -> int:
        """Count the rows, collections included."""
        return len(self._first)

    def place(self, doc_id: str) -> int:
        """Return the row of a document, or -1."""
        first, second = int(doc_id[:16], 16), int(doc_id[16:], 16)
        at = int(np.searchsorted(self._first, np.uint64(first)))
        while at < len(self._first) and int(self._first[at]) == first:
            if int(self._ids[at, 1]) == second:
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
        return [f"{int(a):016x}{int(b):016x}" for a, b in self._ids[~self.seen]]


def _split(ids: list[str]) -> NDArray[np.uint64]:
    raw = bytes.fromhex("".join(ids))
    return np.frombuffer(raw, dtype=">u8").astype(np.uint64).reshape(-1, 2)
