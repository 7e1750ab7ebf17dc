"""One file of the journal of the embedding cache, written by one owner and read by all."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from relance.store.frame import Buffer, Frame, Head, encode, read_frame, read_heads, read_keys
from relance.store.key_set import prefixes

__all__ = ["SUFFIX", "Segment", "SegmentWriter"]

log = logging.getLogger(__name__)

SUFFIX = ".vectors"


class Segment:
    """What a file of the journal has: the place of each key, as far as it has been followed.

    Attributes:
        places: the frame of each prefix of a key.
        rows: vectors in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: dict[int, Head] = {}
        self.rows = 0
        self._heads: list[Head] = []
        self._end = 0
        self._damaged = False

    @property
    def bytes(self) -> int:
        """The bytes of all frames in it."""
        return self._end

    @property
    def owner(self) -> str:
        """Who writes it."""
        return self.path.stem.rpartition("-")[0]

    def follow(self, dimension: int, *, sparse: bool, verify: bool = False) -> bool:
        """Read the keys of what was appended; false if the file is gone.

        What is damaged (by a power cut, where the file system allows it) ends the file; with `verify` each frame is
        read to see whether it is whole. A frame that a kill has cut off is no damage: it was in flight.
        """
        if self._damaged:
            return self.path.exists()
        try:
            with self.path.open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                if size > self._end:
                    self._read(file, size, dimension, sparse=sparse, verify=verify)
        except FileNotFoundError:
            return False
        except OSError as error:  # of another user
            log.debug("%s cannot be read: %s", self.path, error)
        except ValueError as error:
            self._damaged = True
            log.warning("the journal of bought vectors %s is damaged at byte %d (%s): what follows is bought again",
                        self.path, self._end, error)  # fmt: skip
        return True

    def _read(self, file: BinaryIO, size: int, dimension: int, *, sparse: bool, verify: bool) -> None:
        for head in read_heads(file, self._end, size):
            if (head.dimension, head.pairs >= 0) != (dimension, sparse):
                raise ValueError(f"vectors of {head.dimension} numbers instead of {dimension}")
            if verify:
                read_frame(file, head)
            self.append(head, read_keys(file, head))

    def append(self, head: Head, keys: list[str]) -> None:
        """Note a frame that was written."""
        self.places.update(dict.fromkeys(prefixes(keys).tolist(), head))
        self._heads.append(head)
        self._end = head.offset + head.size
        self.rows += head.rows

    def frames(self, heads: Iterable[Head] | None = None) -> Iterator[Frame]:
        """Read frames, by default all there are; raises FileNotFoundError if the file is gone."""
        with self.path.open("rb", buffering=0) as file:
            for head in self._heads if heads is None else heads:
                try:
                    yield read_frame(file, head)
                except ValueError as error:
                    log.warning(
                        "vectors in the journal %s cannot be read (%s): they are bought again", self.path, error
                    )


class SegmentWriter:
    """A file of the journal while its owner appends to it; raises OSError where the disk is full."""

    def __init__(self, path: Path) -> None:
        self.segment = Segment(path)
        self.bytes = 0
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._fd = os.open(path, flags, 0o666)
        self._named = os.name != "posix"

    def append(self, frame: Frame) -> None:
        """Write a frame; a kill no longer loses it, a power cut does until `sync`."""
        head, parts = encode(frame)
        try:
            _write(self._fd, parts)
        except OSError:
            os.ftruncate(self._fd, self.bytes)
            raise
        self.segment.append(replace(head, offset=self.bytes), frame.keys)
        self.bytes += head.size

    def sync(self) -> None:
        """Return when all that was appended is on disk."""
        getattr(os, "fdatasync", os.fsync)(self._fd)
        if not self._named:  # else a power cut loses the name of a file whose contents are on disk
            folder = os.open(self.segment.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            self._named = True

    def close(self) -> None:
        """Put all of it on disk, and append no more."""
        try:
            self.sync()
        finally:
            os.close(self._fd)


def _write(fd: int, parts: list[Buffer]) -> None:
    written = os.writev(fd, parts) if hasattr(os, "writev") else 0
    if written < sum(map(len, parts)):  # Linux writes 2 GB at once, and what the disk has room for
        rest = memoryview(b"".join(parts))[written:]
        while rest:
            rest = rest[os.write(fd, rest) :]
