"""The thumbnails that a run has drawn, on their way into the store: they are a cache, and no run fails by them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pyarrow as pa

from relance.media.thumbnails import ThumbnailDrawer
from relance.safe_text import redact
from relance.store.faults import is_damage
from relance.store.mending import mend
from relance.store.thumbnails import ThumbnailTable

if TYPE_CHECKING:
    from relance.media.thumbnails import Thumbnail
    from relance.store import Store

__all__ = ["DRAWN", "Thumbnails", "drawn_table", "open_drawer"]

log = logging.getLogger(__name__)

# What a batch has of them: rows of the store's table, before that says when they were drawn.
DRAWN = pa.schema([pa.field("key", pa.string(), nullable=False), pa.field("webp", pa.large_binary())])
_WAITING = 8 << 20  # bytes that wait for one commit: two hundred photographs or more


class Thumbnails:
    """Gathers what batches bring and writes it; used by one thread at a time.

    Args:
        most: bytes of the table; 0 writes none.
    """

    def __init__(self, store: Store, index: str, most: int) -> None:
        self._store, self._most = store, most
        self._table = ThumbnailTable(store, index)
        self._waiting: list[pa.Table] = []

    def put(self, drawn: pa.Table) -> None:
        """Take what was drawn of a batch."""
        if self._most and drawn.num_rows:
            self._waiting.append(drawn)
            if sum(each.nbytes for each in self._waiting) >= _WAITING:
                self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            drawn = pa.concat_tables(self._waiting)
            self._waiting.clear()
            self._attempt(lambda: self._table.add(drawn, most=self._most))

    def finish(self, shown: Callable[[], Iterable[pa.RecordBatch]] | None) -> None:
        """Write what waits; with the column `content_hash` of all rows, drop what none of them shows any more."""
        if self._most:
            wrote = bool(self._waiting)
            self.flush()
            if shown is not None:
                self._attempt(lambda: self._table.keep(shown()))
            if wrote or shown is not None:
                self._attempt(self._table.tidy)

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:
            log.warning("could not write %s, its pictures are fetched when they are looked at: %s",
                        self._table.name, redact(str(error))[:300])  # fmt: skip
            with contextlib.suppress(Exception):  # the next run writes it again
                if is_damage(error.__cause__ or error):
                    mend(self._store, self._table.name, ["key"])
                self._table.reopen()


def open_drawer(store: Store, index: str, most: int) -> ThumbnailDrawer | None:
    """Prepare to draw what is not there yet; None where no bytes are allowed."""
    if not most:
        return None
    known: set[str] = set()
    with contextlib.suppress(Exception):  # a table that cannot be read is no reason not to index
        known = set(ThumbnailTable(store, index).keys().to_pylist())
    return ThumbnailDrawer(most, known)


def drawn_table(thumbnails: Iterable[Thumbnail]) -> pa.Table:
    """Make a table of `DRAWN`."""
    return pa.Table.from_pylist([each._asdict() for each in thumbnails], schema=DRAWN)
