"""Ids that have been seen, with the line each was first seen in, in about 30 bytes an id."""

from __future__ import annotations

from array import array

__all__ = ["SeenIds"]


class SeenIds:
    """An open-addressing table of 64-bit hashes; a dict of strings would take five times the memory.

    Two different ids share a hash with a probability of 3e-8 among a million.
    """

    def __init__(self) -> None:
        self._resize(1 << 10)

    def first(self, value: str, line: int) -> int:
        """Note an id; return the line it was first seen in, which is `line` if it is new."""
        key = (hash(value) & 0xFFFF_FFFF_FFFF_FFFF) or 1
        slot = self._slot(key)
        if self._keys[slot]:
            return self._lines[slot]
        self._keys[slot], self._lines[slot] = key, line
        self._count += 1
        if self._count * 3 > len(self._keys) * 2:
            keys, lines = self._keys, self._lines
            self._resize(len(keys) * 2)
            for old, number in zip(keys, lines, strict=True):
                if old:
                    slot = self._slot(old)
                    self._keys[slot], self._lines[slot] = old, number
                    self._count += 1
        return line

    def _slot(self, key: int) -> int:
        keys, mask = self._keys, len(self._keys) - 1
        slot = key & mask
        while keys[slot] not in {0, key}:
            slot = (slot + 1) & mask
        return slot

    def _resize(self, size: int) -> None:
        self._keys = array("Q", bytes(8 * size))
        self._lines = array("Q", bytes(8 * size))
        self._count = 0
