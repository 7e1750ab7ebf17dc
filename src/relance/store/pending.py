"""Documents that wait to be committed together."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COMMIT_LIMITS", "CommitLimits", "Pending", "without"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitLimits:
    """When documents that wait are committed: as soon as one of these is reached.

    Every commit reads a little of every file there is, and leaves one more, so commits grow with the table: a million
    documents make about 90 of them.

    Attributes:
        part: so many times the rows that wait are in the table.
        bytes: of the rows that wait, since they are in memory.
        wait_s: since the last commit, so that readers need not wait for a slow provider.
    """

    part: int = 16
    bytes: int = 32 << 20
    wait_s: float = 60.0


COMMIT_LIMITS = CommitLimits()


class Pending:
    """Rows of the chunks table and of the manifest, in the columns of `schemas.values`; a document is there once."""

    def __init__(self, limits: CommitLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._since = clock()
        self.clear()

    def clear(self) -> None:
        """Let go of everything, because it is committed, or waits elsewhere."""
        self._parts: list[tuple[pa.Table, pa.Table]] = []
        self._ids: set[str] = set()
        self._rows = self._bytes = 0
        self._since = self._clock()

    def __len__(self) -> int:
        """Count the documents."""
        return len(self._ids)

    def put(self, chunks: pa.Table, documents: pa.Table) -> None:
        """Add documents; what waits of the same ones is replaced."""
        ids = documents["doc_id"].to_pylist()
        self.drop(ids)
        self._ids.update(ids)
        self._parts.append((chunks, documents))
        self._rows += chunks.num_rows + documents.num_rows
        self._bytes += chunks.nbytes + documents.nbytes

    def drop(self, ids: list[str]) -> None:
        """Take documents out again, as far as they wait."""
        if self._ids.isdisjoint(ids):
            return
        self._parts = [(without(chunks, ids), without(documents, ids)) for chunks, documents in self._parts]
        self._ids.difference_update(ids)

    def due(self, held: int) -> bool:
        """Whether to commit now, to tables that hold so many rows together."""
        limits = self._limits
        return bool(self._ids) and (
            self._rows * limits.part >= held
            or self._bytes >= limits.bytes
            or self._clock() - self._since >= limits.wait_s
        )

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """Return the chunks and the rows of the manifest."""
        import pyarrow as pa

        chunks, documents = zip(*self._parts, strict=True)
        return pa.concat_tables(chunks), pa.concat_tables(documents)


def without(rows: pa.Table, ids: list[str]) -> pa.Table:
    """Leave out the rows of documents."""
    if not ids:
        return rows
    import pyarrow as pa
    import pyarrow.compute as pc

    return rows.filter(~pc.field("doc_id").isin(pa.array(ids, pa.string())))
