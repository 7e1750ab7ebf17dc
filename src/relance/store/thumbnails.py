"""Thumbnails of pictures that are not on this disk, beside the tables of an index: a cache, and bounded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from relance.store import schemas
from relance.store.columns import fit_columns
from relance.store.connection import Store
from relance.store.faults import store_errors
from relance.store.lazy_table import LazyTable
from relance.store.maintenance import MaintenanceLimits, compact_if_due

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ThumbnailTable", "thumbnails_name"]

_LEEWAY = timedelta(seconds=1)  # nobody goes back to an old version, and who reads one fetches the picture
# Of 8 MB, in which some may be dropped: with more of them the disk would hold several times what readers find.
_LIMITS = MaintenanceLimits(small_files=16)
_ROOM = 10  # a tenth is made free when it is full, so that not every run has to


def thumbnails_name(index: str) -> str:
    """Name the table of an index."""
    return f"{index}__thumbnails"


class ThumbnailTable(LazyTable):
    """Drawn pictures by their keys (`relance.media.thumbnails`); what is lost of them is fetched when it is looked at.

    It belongs to no version of the index and to no model. Used by one thread at a time. Keys have no search index:
    among 25,600 a picture is found in 10 ms; with one in 4, and in 16 to 110 while some rows are not in it.
    """

    def __init__(self, store: Store, index: str) -> None:
        super().__init__(store, thumbnails_name(index))

    def keys(self) -> set[str]:
        """Name all that are there."""
        return {key for batch in self.stream(["key"]) for key in batch["key"].to_pylist()}

    def add(self, drawn: pa.Table, *, most: int) -> None:
        """Add rows of key and picture, less those that are there; rows of one call have one age.

        Where all take more than `most` bytes, the oldest go.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.table is None:
            self._table = self._store.create(self.name, schemas.THUMBNAILS)
        elif fit_columns(self._store, self.name, schemas.THUMBNAILS):
            self.reopen()
            self._table = self._store.create(self.name, schemas.THUMBNAILS)
        there, fresh = self.keys(), {}
        for at, key in enumerate(drawn["key"].to_pylist()):
            if key not in there:
                fresh.setdefault(key, at)
        if fresh:
            webp = drawn["webp"].take(pa.array(fresh.values(), pa.int64()))
            now = pa.repeat(pa.scalar(datetime.now(UTC), schemas.THUMBNAILS.field("drawn_at").type), len(fresh))
            rows = pa.table([pa.array(fresh), pc.binary_length(webp), now, webp], schema=schemas.THUMBNAILS)
            with store_errors(f"writing {self.name}"):
                self._table.add(rows)
        self._fit(most)

    def keep(self, hashes: Iterable[pa.RecordBatch]) -> int:
        """Drop what no row shows any more, by batches of their column `content_hash`; returns how many those were."""
        left: dict[str, list[str]] = {}
        for key in self.keys():
            left.setdefault(key.partition("@")[0], []).append(key)
        for batch in hashes if left else ():
            for content_hash in batch["content_hash"].to_pylist():
                left.pop(content_hash, None)
        keys = [key for group in left.values() for key in group]
        self._drop(keys)
        return len(keys)

    def tidy(self) -> None:
        """Write the files anew where they are many, without what was dropped: 250 MB take 2 s and 50 MB of memory.

        Those from before go with the next time, or with `relance maintain`.
        """
        compact_if_due(self.table, retention=_LEEWAY, limits=_LIMITS)

    def _fit(self, most: int) -> None:
        """Drop the oldest until the others have room, and a little more."""
        rows = sorted((row["drawn_at"], row["key"], row["bytes"])
                      for batch in self.stream(["drawn_at", "key", "bytes"]) for row in batch.to_pylist())  # fmt: skip
        total = sum(size for *_, size in rows)
        if total <= most:
            return
        keys = []
        for _, key, size in rows:
            if total <= most - most // _ROOM:
                break
            keys.append(key)
            total -= size
        self._drop(keys)

    def _drop(self, keys: list[str]) -> None:
        if (table := self.table) is not None:
            for condition in schemas.in_lists("key", keys):
                with store_errors(f"deleting rows of {self.name}"):
                    table.delete(condition)
