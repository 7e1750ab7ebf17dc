"""How the journal of the embedding cache has vectors on disk: frames that are whole or not there."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from relance.embedding.sparse import Sparse

if TYPE_CHECKING:
    from relance.embedding.embedder import Vector

__all__ = ["Frame", "Head", "encode", "read_frame", "read_heads", "read_keys"]

Buffer = bytes | memoryview

# Magic, checksum of what follows, rows, dimension, pairs of sparse vectors (-1: the space has none), microseconds.
_HEAD = struct.Struct("<4sIIIqq")
_MAGIC = b"rlv1"
_KEY = 16
_CHECKED = 8  # magic and checksum come first
_STEP = 5120


@dataclass(slots=True, frozen=True)
class Head:
    """Where a frame is in its file, and how long its parts are."""

    offset: int
    checksum: int
    rows: int
    dimension: int
    pairs: int
    bought_at: int

    @classmethod
    def unpack(cls, data: bytes | memoryview, offset: int) -> Head:
        """Read a head from its bytes; raises ValueError where they are none."""
        magic, checksum, rows, dimension, pairs, bought_at = _HEAD.unpack(data[: _HEAD.size])
        if magic != _MAGIC:
            raise ValueError("no frame begins there")
        return cls(offset, checksum, rows, dimension, pairs, bought_at)

    @property
    def size(self) -> int:
        """The bytes of the whole frame."""
        sparse = 0 if self.pairs < 0 else 4 * self.rows + 8 * self.pairs
        return _HEAD.size + self.rows * (_KEY + 4 * self.dimension) + sparse


@dataclass(slots=True, frozen=True)
class Frame:
    """Vectors that were bought together.

    Attributes:
        keys: one hex key a vector.
        dense: float32, shape (len(keys), dimension).
        sparse: one a key, or None where the space has no sparse vectors.
        bought_at: microseconds since 1970.
    """

    keys: list[str]
    dense: NDArray[np.float32]
    sparse: list[Sparse | None] | None
    bought_at: int

    def vectors(self) -> Iterator[tuple[str, Vector]]:
        """Yield each key with its vector."""
        for at, key in enumerate(self.keys):
            yield key, (self.dense[at], self.sparse[at] if self.sparse is not None else None)


def encode(frame: Frame) -> tuple[Head, list[Buffer]]:
    """Return a frame as parts to be written one after the other; dense vectors are not copied."""
    rows, dimension = len(frame.keys), frame.dense.shape[1]
    parts: list[Buffer] = [bytes.fromhex("".join(frame.keys))]
    if len(parts[0]) != rows * _KEY:
        raise ValueError(f"keys of vectors have {2 * _KEY} hex digits")
    if dimension:
        parts.append(np.ascontiguousarray(frame.dense, dtype="<f4").reshape(-1).view(np.uint8).data)
    pairs = -1
    if frame.sparse is not None:
        there = [vector for vector in frame.sparse if vector is not None]
        lengths = [-1 if vector is None else len(vector.indices) for vector in frame.sparse]
        pairs = sum(len(vector.indices) for vector in there)
        parts += [np.array(lengths, "<i4").tobytes()]
        parts += [b"".join([vector.indices.astype("<i4").tobytes() for vector in there])]
        parts += [b"".join([vector.values.astype("<f4").tobytes() for vector in there])]
    numbers = (rows, dimension, pairs, frame.bought_at)
    checksum = _checksum([_HEAD.pack(_MAGIC, 0, *numbers)[_CHECKED:], *parts])
    return Head(0, checksum, *numbers), [_HEAD.pack(_MAGIC, checksum, *numbers), *parts]


def _checksum(parts: list[Buffer]) -> int:
    """Compute the checksum of what is in memory, without giving up Python's lock.

    crc32 does that for more than 5 kB, and gets it back after 5 ms for each busy thread: the event loop would wait.
    """
    checksum = 0
    for part in parts:
        view = memoryview(part)
        for start in range(0, len(view), _STEP):
            checksum = zlib.crc32(view[start : start + _STEP], checksum)
    return checksum


def read_heads(file: BinaryIO, start: int, size: int) -> Iterator[Head]:
    """Yield the heads of the frames that are whole in the first `size` bytes of a file; raises ValueError at others."""
    while start + _HEAD.size <= size:
        file.seek(start)
        head = Head.unpack(file.read(_HEAD.size), start)
        if start + head.size > size:
            return
        yield head
        start += head.size


def read_keys(file: BinaryIO, head: Head) -> list[str]:
    """Read the keys of a frame."""
    file.seek(head.offset + _HEAD.size)
    return _hex(file.read(head.rows * _KEY))


def _hex(data: bytes) -> list[str]:
    names = data.hex()
    return [names[at : at + 2 * _KEY] for at in range(0, len(names), 2 * _KEY)]


def read_frame(file: BinaryIO, head: Head) -> Frame:
    """Read a frame; raises ValueError unless it is as it was written."""
    file.seek(head.offset)
    data = memoryview(file.read(head.size))
    if len(data) != head.size or zlib.crc32(data[_CHECKED:]) != head.checksum:
        raise ValueError("the checksum is wrong")
    at = _HEAD.size + head.rows * _KEY
    keys = _hex(bytes(data[_HEAD.size : at]))
    dense = np.frombuffer(data, "<f4", head.rows * head.dimension, at).reshape(head.rows, head.dimension)
    if head.pairs < 0:
        return Frame(keys, dense, None, head.bought_at)
    at += dense.nbytes
    lengths = np.frombuffer(data, "<i4", head.rows, at)
    indices = np.frombuffer(data, "<i4", head.pairs, at + lengths.nbytes)
    values = np.frombuffer(data, "<f4", head.pairs, at + lengths.nbytes + indices.nbytes)
    ends = np.cumsum(np.maximum(lengths, 0)).tolist()
    sparse = [
        None if length < 0 else Sparse(indices[end - length : end], values[end - length : end])
        for length, end in zip(lengths.tolist(), ends, strict=True)
    ]
    return Frame(keys, dense, sparse, head.bought_at)
