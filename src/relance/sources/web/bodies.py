"""What a listing has fetched, until it is read: no page is fetched twice in a run."""

from __future__ import annotations

import tempfile
import threading
import weakref
from dataclasses import dataclass
from typing import BinaryIO

from relance.documents import digest

__all__ = ["Bodies", "Body"]

_MOST_BYTES = 1 << 30  # of disk; what is forgotten is fetched again


@dataclass(slots=True, frozen=True)
class Body:
    """What a server sent.

    Attributes:
        data: the bytes.
        charset: as the server says, empty where it does not.
        modified: when it was last modified, an HTTP date as sent.
    """

    data: bytes
    charset: str = ""
    modified: str = ""


class Bodies:
    """Bodies in one file without a name, which is gone with this process, whatever ends it; threads may share it."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        """Hold nothing yet."""
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._places: dict[bytes, tuple[int, int, str, str]] = {}
        self._end = 0

    def put(self, uri: str, body: Body) -> None:
        """Keep a body; all others are forgotten where there is no more room."""
        size = len(body.data)
        if size > self._most_bytes // 4:
            return
        with self._lock:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="relance-web-")  # noqa: SIM115  # closed with this object
                weakref.finalize(self, self._file.close)
            if self._end + size > self._most_bytes:
                self._forget()
            self._file.seek(self._end)
            self._file.write(body.data)
            self._places[_key(uri)] = self._end, size, body.charset, body.modified
            self._end += size

    def get(self, uri: str) -> Body | None:
        """Return the body of a page; None where it is not here."""
        with self._lock:
            place = self._places.get(_key(uri))
            if place is None or self._file is None:
                return None
            at, size, charset, modified = place
            self._file.seek(at)
            return Body(self._file.read(size), charset, modified)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            if self._file is not None:
                self._forget()

    def _forget(self) -> None:
        if self._file is not None:
            self._file.truncate(0)
        self._places.clear()
        self._end = 0


def _key(uri: str) -> bytes:
    return bytes.fromhex(digest("address", uri, size=12))
