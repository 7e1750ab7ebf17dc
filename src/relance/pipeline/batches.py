"""Putting what is found together to batches of bounded number and size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

__all__ = ["Batches"]

# The first batch has so many times fewer bytes, so that embedding starts early.
_FIRST = 8


class Batches:
    """Cuts tables that have a column `size`, and hands each batch over when it is full; what is too large is alone."""

    def __init__(self, write: Callable[[pa.Table], None], most_rows: int, most_bytes: int) -> None:
        self._write, self._most_rows, self._most_bytes = write, most_rows, most_bytes
        self._limit = most_bytes // _FIRST
        self._parts: list[pa.Table] = []
        self._rows = self._bytes = 0

    def add(self, table: pa.Table) -> None:
        """Take rows."""
        ends = np.cumsum(np.maximum(table["size"].to_numpy(), 1))
        start = before = 0
        while start < table.num_rows:
            fitting = int(np.searchsorted(ends, before + self._limit - self._bytes, side="right"))
            end = min(fitting, start + self._most_rows - self._rows)
            if not self._rows:
                end = max(end, start + 1)
            if end > start:
                self._parts.append(table.slice(start, end - start))
                self._rows += end - start
                self._bytes += int(ends[end - 1]) - before
                start, before = end, int(ends[end - 1])
            if start < table.num_rows or self._rows >= self._most_rows:
                self.flush()

    def flush(self) -> None:
        """Hand over the batch that has begun, if one has."""
        if self._parts:
            self._write(pa.concat_tables(self._parts).combine_chunks())
            self._limit = self._most_bytes
        self._parts, self._rows, self._bytes = [], 0, 0
