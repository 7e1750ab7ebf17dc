"""Pictures as browsers get them: drawn anew from their pixels, so that nothing but pixels arrives."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from io import BytesIO
from pathlib import Path
from typing import Any

from relance.errors import DocumentError, InputError, MissingExtraError

__all__ = ["PLAYED", "SIZES", "Pictures", "shown_as"]

PLAYED = frozenset({"video/mp4", "video/webm", "video/quicktime"})  # what browsers play

# Longest side in pixels: in a list on a sharp display, and alone on a page.
SIZES = {"small": 480, "large": 1600}
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
            drawn = _webp(data, name, SIZES[size], moment_s)
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


def _webp(data: bytes, name: str, side: int, moment_s: float) -> bytes:
    from relance.media.films import frame_at
    from relance.media.inspect import inspect, open_image
    from relance.media.sniff import sniff

    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise MissingExtraError("Showing pictures", "media") from None
    kind = sniff(data)
    if kind.startswith("video/"):
        try:
            data = frame_at(data, kind, moment_s)
        except InputError as error:
            raise DocumentError(name, str(error)) from None
    elif not kind.startswith("image/"):
        raise DocumentError(name, "it is not an image")
    facts = inspect(data, name)
    try:
        with open_image(data, facts.media_type) as image:
            image.draft("RGB", (2 * side, 2 * side))  # JPEG decodes at a fraction of its size
            upright = ImageOps.exif_transpose(image)
            drawn = upright.convert("RGBA" if _is_transparent(upright) else "RGB")
            drawn.thumbnail((side, side), Image.Resampling.LANCZOS)
            # `convert` keeps what the file says about itself; only pixels leave this machine's disk.
            clean = Image.new(drawn.mode, drawn.size)
            clean.paste(drawn)
            stream = BytesIO()
            clean.save(stream, "WEBP", quality=82, method=2)
    except Exception as error:  # plugins raise anything on hostile input
        raise DocumentError(name, "it cannot be drawn") from error
    return stream.getvalue()


def _is_transparent(image: Any) -> bool:
    return image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
