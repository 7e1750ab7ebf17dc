"""Where pictures wait that are sent themselves: files, since a batch of them would fill the memory."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["Spill", "forget"]

# Smaller ones stay in memory: a file costs 0.1 ms, and a batch has 64 of them.
_LEAST = 64 * 1024


class Spill:
    """A folder of the run, which all its processes see and the run removes when it ends."""

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder

    def takes(self, size: int) -> bool:
        """Whether so many bytes are too many to wait in memory."""
        return size >= _LEAST

    def keep(self, data: bytes) -> str:
        """Write a picture; returns the path of its file."""
        path = self._folder() / f"{uuid.uuid4().hex}.picture"
        path.write_bytes(data)
        return str(path)


def forget(paths: Iterable[str]) -> None:
    """Remove files that were sent; harmless where they are gone."""
    for path in paths:
        Path(path).unlink(missing_ok=True)
