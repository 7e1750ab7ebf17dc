"""An object as a file that can be sought in, of which parts are fetched as they are read."""

from __future__ import annotations

import io
import os

from relance.errors import DocumentError
from relance.sources.objects.bucket import BucketError, Opened

__all__ = ["ranged_file"]

# A request takes 30 ms or more; in a table that is read to its end, 4 MiB make them vanish beside the transfer.
_AHEAD = 4 << 20


def ranged_file(opened: Opened, uri: str) -> io.BufferedReader:
    """Make a seekable stream; memory holds one part. DocumentError, at any read, for what cannot be fetched."""
    return io.BufferedReader(_Parts(opened, uri), _AHEAD)


class _Parts(io.RawIOBase):
    def __init__(self, opened: Opened, uri: str) -> None:
        self._opened, self._uri, self._at = opened, uri, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._opened.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview | bytearray) -> int:  # ty: ignore[incompatible-method-override]  # of a buffer
        data = self._next(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        # The one that is inherited asks for 8 KiB at a time.
        return b"".join(iter(lambda: self._next(_AHEAD), b""))

    def _next(self, most: int) -> bytes:
        end = min(self._at + most, self._opened.size)
        if end <= self._at:
            return b""
        try:
            data = self._opened.read(self._at, end)
        except BucketError as error:
            raise DocumentError(self._uri, str(error)) from None
        if len(data) != end - self._at:
            raise DocumentError(self._uri, "the service sent less than was requested")
        self._at = end
        return data
