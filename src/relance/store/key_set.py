"""The keys of many vectors, in eight bytes each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["KeySet", "column_prefixes", "prefixes"]

_DIGITS = np.array([int(chr(code), 16) if chr(code) in "0123456789abcdef" else 0 for code in range(256)], np.uint8)
_NONE = np.zeros(0, dtype=np.uint64)


def prefixes(keys: list[str]) -> NDArray[np.uint64]:
    """Return the first eight bytes of hex keys: among ten million, two are equal with a chance of one in 370,000."""
    raw = bytes.fromhex("".join([key[:16] for key in keys]))
    return np.frombuffer(raw, dtype=">u8").astype(np.uint64)


def column_prefixes(column: pa.StringArray) -> NDArray[np.uint64]:
    """Return the prefixes of a column of hex keys of one length, without a Python string for each."""
    import pyarrow as pa

    column = column.cast(pa.large_string())
    offsets = np.frombuffer(column.buffers()[1], np.int64)[column.offset : column.offset + len(column) + 1]
    letters = np.frombuffer(column.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].reshape(len(column), -1)
    digits = _DIGITS[letters[:, :16]]
    return (digits[:, ::2] << 4 | digits[:, 1::2]).view(">u8").astype(np.uint64).reshape(-1)


class KeySet:
    """Prefixes in two sorted arrays: the smaller one takes what is added, so that a million is not moved each time."""

    def __init__(self) -> None:
        self._parts = (_NONE, _NONE)  # replaced as one, so that readers need no lock

    def add(self, keys: NDArray[np.uint64]) -> None:
        """Add prefixes, in any order; those that are there already are passed over."""
        fresh = np.sort(keys)  # np.unique hashes first, and takes a second for a million
        fresh = fresh[np.append(True, fresh[1:] != fresh[:-1])[: len(fresh)] & ~self.contains(fresh)]
        main, recent = self._parts
        recent = np.insert(recent, np.searchsorted(recent, fresh), fresh)
        if len(recent) > len(main) // 8:
            main, recent = np.insert(main, np.searchsorted(main, recent), recent), _NONE
        self._parts = (main, recent)

    def contains(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Tell which prefixes are there; shape (len(keys),)."""
        found = np.zeros(len(keys), dtype=bool)
        for part in self._parts:
            if len(part):
                found |= part[np.minimum(np.searchsorted(part, keys), len(part) - 1)] == keys
        return found
