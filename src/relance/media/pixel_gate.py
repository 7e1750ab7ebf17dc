"""A limit of the pixels that threads decode at the same time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator

__all__ = ["PixelGate", "decoders"]


class PixelGate:
    """Lets threads in while their pictures are within a limit; a larger one is decoded alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pixels = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def decoding(self, pixels: int) -> Generator[None]:
        """Decode a picture of so many pixels, as soon as there is room for them."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pixels or self._pixels + pixels <= self._limit)
            self._pixels += pixels
        try:
            yield
        finally:
            with self._changed:
                self._pixels -= pixels
                self._changed.notify_all()


# Pixels that are decoded at once: two photographs of 12 megapixels, each of which takes up to 120 MB as a copy of full
# size. More cores get their work from smaller pictures, or from processes (`engine: processes`).
decoders = PixelGate(25_000_000)
