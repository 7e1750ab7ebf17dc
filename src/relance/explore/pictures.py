"""Pictures as browsers get them: drawn anew from their pixels, so that nothing but pixels arrives."""

from __future__ import annotations

import threading
from collections import OrderedDict
from io import BytesIO
from pathlib import Path
from typing import Any

from relance.errors import DocumentError, MissingExtraError

__all__ = ["PLAYED", "SIZES", "Pictures", "shown_as"]

PLAYED = frozenset({"video/mp4", "video/webm", "video/quicktime"})  # what browsers play

# Longest side in pixels: in a list on a sharp display, and alone on a page.
SIZES = {"small": 480, "large": 1600}
_MEMORY = 32 << 20  # bytes of drawn pictures that are kept
_AT_ONCE = 2  # a large one takes a processor and a few hundred megabytes for a moment


class Pictures:
    """Draws and remembers; used by several threads."""

    def __init__(self) -> None:
        self._drawn: OrderedDict[tuple[str, int, int, str], bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._drawing = threading.Semaphore(_AT_ONCE)
        self._bytes = 0

    def webp(self, path: Path, size: str) -> bytes:
        """Draw an image file in one of the `SIZES`, as WebP.

        Raises DocumentError with a reason if it is no raster image, and MissingExtraError without the extra `media`.
        """
        status = path.stat()
        key = (str(path), status.st_mtime_ns, status.st_size, size)
        with self._lock:
            if key in self._drawn:
                self._drawn.move_to_end(key)
                return self._drawn[key]
        with self._drawing:
            data = _webp(path, SIZES[size])
        with self._lock:
            self._bytes += len(data) - len(self._drawn.get(key, b""))
            self._drawn[key] = data
            while self._bytes > _MEMORY:
                self._bytes -= len(self._drawn.popitem(last=False)[1])
        return data


def shown_as(url: str, uri: str, kind: str, media_type: str) -> str:
    """Say what a browser gets of a medium: the `picture` or `film` itself, or only the word where it is."""
    if "://" in url:
        return "elsewhere"
    if url == uri and "#" in uri:
        return "inside the document"
    if kind != "video":
        return "picture"
    return "film" if media_type in PLAYED else "a film to download"


def _webp(path: Path, side: int) -> bytes:
    from relance.media.inspect import inspect, open_image
    from relance.media.sniff import sniff

    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise MissingExtraError("Showing pictures", "media") from None
    data = path.read_bytes()
    if not sniff(data).startswith("image/"):
        raise DocumentError(path.name, "it is no image")
    facts = inspect(data, path.name)
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
        raise DocumentError(path.name, "it cannot be drawn") from error
    return stream.getvalue()


def _is_transparent(image: Any) -> bool:
    return image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
