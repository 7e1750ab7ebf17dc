"""What browsers get of pictures: drawn anew when somebody looks, and remembered for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path

from relance.media.thumbnails import SIDE
from relance.media.webp import draw_webp

__all__ = ["PLAYED", "SIZES", "Pictures", "shown_as"]

PLAYED = frozenset({"video/mp4", "video/webm", "video/quicktime"})  # what browsers play

# Longest side in pixels: in a list on a sharp display, and alone on a page.
SIZES = {"small": SIDE, "large": 1600}
_MEMORY, _MOST = 32 << 20, 2000  # bytes and number of drawn pictures that are remembered
_AT_ONCE = 2  # a large one takes a processor and a few hundred megabytes for a moment


class Pictures:
    """Draws and remembers; used by several threads."""

    def __init__(self) -> None:
        self._drawn: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._drawing = threading.Semaphore(_AT_ONCE)
        self._bytes = 0

    def webp(self, path: Path, size: str, moment_s: float = 0.0) -> bytes:
        """Draw an image file, or a frame of a film, in one of the `SIZES`, as WebP.

        Raises DocumentError with a reason if it cannot be drawn, and MissingExtraError without the extra `media`.
        """
        status = path.stat()
        key = (str(path), status.st_mtime_ns, status.st_size, size, moment_s)
        return self.known(key) or self.draw(key, path.read_bytes(), path.name, size, moment_s)

    def known(self, key: Hashable) -> bytes | None:
        """Return what was drawn under a key, if it is still here."""
        with self._lock:
            if key in self._drawn:
                self._drawn.move_to_end(key)
            return self._drawn.get(key)

    def draw(self, key: Hashable, data: bytes, name: str, size: str, moment_s: float = 0.0) -> bytes:
        """Draw the bytes of an image or film, and remember it under a key; raises as `webp`."""
        with self._drawing:
            drawn = draw_webp(data, name, SIZES[size], moment_s)
        with self._lock:
            self._bytes += len(drawn) - len(self._drawn.get(key, b""))
            self._drawn[key] = drawn
            while self._bytes > _MEMORY or len(self._drawn) > _MOST:
                self._bytes -= len(self._drawn.popitem(last=False)[1])
        return drawn


def shown_as(url: str, uri: str, kind: str, media_type: str) -> str:
    """Say what a browser gets of a medium: the `picture` or `film` itself, a `frame` of it, or words instead."""
    if "://" in url:
        return "frame" if kind == "video" else "picture"
    if url == uri and "#" in uri:
        return "inside the document"
    if kind != "video":
        return "picture"
    return "film" if media_type in PLAYED else "frame"
