"""Thumbnails of pictures that are not on this disk, beside the tables of an index: a cache, and bounded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from relance.media.thumbnails import LEAST
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

    def keys(self) -> pa.ChunkedArray:
        """Name all that are there."""
        return self._columns("key")["key"]

    def add(self, drawn: pa.Table, *, most: int) -> None:
        """Add rows of key and picture, less those that are there; rows of one call have one age.

        Where all count as more than `most` bytes, the oldest go.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.table is None:
            self._table = self._store.create(self.name, schemas.THUMBNAILS)
        elif fit_columns(self._store, self.name, schemas.THUMBNAILS):
            self.reopen()
            self._table = self._store.create(self.name, schemas.THUMBNAILS)
        fresh = drawn.filter(pc.invert(pc.is_in(drawn["key"], self.keys())))
        # Two workers may have drawn the same.
        fresh = fresh.take(list({key: at for at, key in enumerate(fresh["key"].to_pylist())}.values()))
        if fresh.num_rows:
            counted = pc.max_element_wise(pc.binary_length(fresh["webp"]), LEAST)
            now = pa.scalar(datetime.now(UTC), schemas.THUMBNAILS.field("drawn_at").type)
            columns = [fresh["key"], counted, pa.repeat(now, fresh.num_rows), fresh["webp"]]
            with store_errors(f"writing {self.name}"):
                self._table.add(pa.table(columns, schema=schemas.THUMBNAILS))
        self._fit(most)

    def keep(self, hashes: Iterable[pa.RecordBatch]) -> int:
        """Drop what no row shows any more, by batches of their column `content_hash`; returns how many those were."""
        import numpy as np
        import pyarrow.compute as pc

        keys = self.keys()
        shows = pc.replace_substring_regex(keys, "@.*", "")
        gone = np.ones(len(keys), dtype=bool)
        for batch in hashes if len(keys) else ():
            gone &= ~pc.is_in(shows, batch["content_hash"]).to_numpy()
        self._drop(keys.filter(gone).to_pylist())
        return int(gone.sum())

    def tidy(self) -> None:
        """Write the files anew where they are many, without what was dropped: 250 MB take 2 s and 50 MB of memory.

        Those from before go with the next time, or with `relance maintain`.
        """
        compact_if_due(self.table, retention=_LEEWAY, limits=_LIMITS)

    def _fit(self, most: int) -> None:
        """Drop the oldest until the others have room, and a little more."""
        import pyarrow.compute as pc

        rows = self._columns("key", "bytes", "drawn_at")
        total = pc.sum(rows["bytes"]).as_py() or 0
        if total > most:
            rows = rows.sort_by("drawn_at").combine_chunks()
            before = pc.subtract(pc.cumulative_sum(rows["bytes"]), rows["bytes"])
            surplus = total - (most - most // _ROOM)
            self._drop(rows.filter(pc.less(before, surplus))["key"].to_pylist())

    def _columns(self, *names: str) -> pa.Table:
        import pyarrow as pa

        schema = pa.schema([schemas.THUMBNAILS.field(name) for name in names])
        batches = [pa.table(batch.select(names)).cast(schema) for batch in self.stream(list(names))]
        return pa.concat_tables([schema.empty_table(), *batches])

    def _drop(self, keys: list[str]) -> None:
        if (table := self.table) is not None:
            for condition in schemas.in_lists("key", keys):
                with store_errors(f"deleting rows of {self.name}"):
                    table.delete(condition)
