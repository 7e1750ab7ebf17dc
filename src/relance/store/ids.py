"""Ids as numbers: 16 bytes each instead of the 80 of a Python string, decoded a column at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relance.store.key_set import KeySet, prefixes

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["IdSet", "decode", "encode"]

_DIGITS = 32  # as `document_id` makes them
_VALUES = np.zeros(256, np.uint8)
_VALUES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def decode(column: pa.Array) -> NDArray[np.uint64]:
    """Turn ids of 32 hex digits into numbers, shape (len(column), 2); NULL becomes zeros.

    Raises ValueError where something else is in the column.
    """
    column = column.fill_null("0" * _DIGITS) if column.null_count else column
    rows = len(column)
    if not rows:
        return np.zeros((0, 2), np.uint64)
    _, bounds, letters = column.buffers()
    ends = np.frombuffer(bounds, np.int32)[column.offset : column.offset + rows + 1]
    if (np.diff(ends) != _DIGITS).any():
        raise ValueError(f"an id has not {_DIGITS} digits")
    digits = _VALUES[np.frombuffer(letters, np.uint8)[ends[0] : ends[-1]]].reshape(-1, 2)
    return (digits[:, 0] << 4 | digits[:, 1]).view(">u8").astype(np.uint64).reshape(rows, 2)


class IdSet:
    """A growing set of ids by their first eight bytes; one that shares them with another seems to be there."""

    def __init__(self) -> None:
        self._keys = KeySet()

    def add(self, ids: list[str]) -> None:
        """Put ids in."""
        self._keys.add(prefixes(ids))

    def among(self, ids: list[str]) -> list[str]:
        """Return those of `ids` that are there."""
        return [each for each, there in zip(ids, self._keys.contains(prefixes(ids)), strict=True) if there]


def encode(numbers: NDArray[np.uint64]) -> list[str]:
    """Turn numbers back into ids."""
    text = numbers.astype(">u8").tobytes().hex()
    return [text[at : at + _DIGITS] for at in range(0, len(text), _DIGITS)]
