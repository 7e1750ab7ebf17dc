"""Thumbnails of pictures behind addresses: drawn while their bytes are there, so that nobody need fetch them again."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from relance.errors import RelanceError
from relance.media.inspect import describe
from relance.media.pixel_gate import decoders
from relance.media.webp import draw_webp

__all__ = ["LEAST", "SIDE", "Thumbnail", "ThumbnailDrawer", "thumbnail_key"]

SIDE = 480  # pixels of the longer side: a tile of a list on a sharp display
LEAST = 1024  # bytes that one counts as, with its name, in memory and in the table
# A larger picture is not drawn, but for JPEG: that is decoded at half of its size or less, others whole.
_MOST_PIXELS = 25_000_000


class Thumbnail(NamedTuple):
    """A drawn picture, and the key of what it shows."""

    key: str
    webp: bytes


def thumbnail_key(content_hash: str, moment_s: float) -> str:
    """Name a picture, or a moment of a film in seconds, by its content: rows of the same picture share a thumbnail."""
    return f"{content_hash}@{moment_s:.3f}"


class ThumbnailDrawer:
    """Draws each picture once; safe in threads.

    One run keeps its first thumbnails where all do not fit: to draw others in their place would never end.

    Args:
        most: bytes that this drawer's thumbnails may count as together.
        known: keys of thumbnails that are there.
    """

    def __init__(self, most: int, known: Collection[str] = ()) -> None:
        self._left = most
        self._known = set(known)
        self._lock = threading.Lock()

    def draw(self, content_hash: str, contents: Sequence[bytes], moments: Iterable[float]) -> tuple[Thumbnail, ...]:
        """Draw the first of several views of a thing that can be drawn, at some moments where that is a film.

        Returns those that were not drawn before; what cannot be drawn has none.
        """
        made = []
        for moment_s in moments:
            key = thumbnail_key(content_hash, moment_s)
            if not self._begins(key):
                continue
            webp = next(filter(None, (_drawn(data, moment_s) for data in contents)), b"")
            if self._has_room(key, webp):
                made.append(Thumbnail(key, webp))
        return tuple(made)

    def _begins(self, key: str) -> bool:
        with self._lock:
            if self._left <= 0 or key in self._known:
                return False
            self._known.add(key)
            return True

    def _has_room(self, key: str, webp: bytes) -> bool:
        size = max(len(webp), LEAST)
        with self._lock:
            if webp and size <= self._left:
                self._left -= size
                return True
            self._known.discard(key)  # millions that cannot be drawn should not fill the memory
            self._left = 0 if webp else self._left
            return False


def _drawn(data: bytes, moment_s: float) -> bytes:
    try:
        facts = describe(data, "")
        pixels = facts.width * facts.height // (4 if facts.media_type == "image/jpeg" else 1)
        if pixels > _MOST_PIXELS:
            return b""
        with decoders.decoding(pixels):
            return draw_webp(data, "", SIDE, moment_s)
    except RelanceError:
        return b""
