"""Size, length and frames of images and videos, and whether they can be opened at all."""

from __future__ import annotations

import re
from importlib import import_module
from io import BytesIO
from typing import Any

from relance.errors import DocumentError, MissingExtraError
from relance.media import Facts
from relance.media.sniff import sniff
from relance.parsers.media_types import media_type_of

__all__ = ["MAX_PIXELS", "check_whole", "describe", "inspect", "open_film", "open_image"]

# Where Pillow begins to warn: a quarter of a gibibyte of RGB.
MAX_PIXELS = 89_478_485

# The one Pillow plugin for a type. `Image.open` would try others too (EPS starts Ghostscript), and it prints or raises
# its warning of decompression bombs before anybody can look at the size.
_PLUGINS = {
    "image/jpeg": ("JpegImagePlugin", "JpegImageFile"),
    "image/png": ("PngImagePlugin", "PngImageFile"),
    "image/gif": ("GifImagePlugin", "GifImageFile"),
    "image/bmp": ("BmpImagePlugin", "BmpImageFile"),
    "image/x-dib": ("BmpImagePlugin", "DibImageFile"),
    "image/webp": ("WebPImagePlugin", "WebPImageFile"),
    "image/tiff": ("TiffImagePlugin", "TiffImageFile"),
    "image/x-icon": ("IcoImagePlugin", "IcoImageFile"),
    "image/icns": ("IcnsImagePlugin", "IcnsImageFile"),
    "image/avif": ("AvifImagePlugin", "AvifImageFile"),
    "image/sgi": ("SgiImagePlugin", "SgiImageFile"),
    "image/heic": ("pillow_heif.as_plugin", "HeifImageFile"),
}
# The FFmpeg demuxer for a type: left to guess, it would also take playlists that name other files and addresses.
_DEMUXERS = {
    "video/mp4": "mov",
    "video/3gpp": "mov",
    "video/quicktime": "mov",
    "video/x-msvideo": "avi",
    "video/x-matroska": "matroska",
    "video/webm": "matroska",
    "video/x-flv": "flv",
    "video/mp2t": "mpegts",
    "video/x-ms-wmv": "asf",
    "video/mpeg": "mpeg",
}
# Bytes and microseconds FFmpeg may look at; its own defaults, which an environment could not raise.
_PROBE = {"probesize": "5000000", "analyzeduration": "5000000"}
_LONGEST_S = 1e7  # a container that claims more than a hundred days is not believed
# What decodes in about 0.1 s is decoded to see that it is whole.
_CHEAP_PIXELS = 4_000_000
# A progressive JPEG has about ten scans, and each passes over all pixels; hundreds of empty ones cost no bytes and keep
# a decoder busy for minutes. So many pixels take 4 s; a scan of a small image costs as much as one of 10,000.
_MAX_SCANNED_PIXELS = 2_000_000_000
_SMALL_SCAN = 10_000
# A GIF's frames each begin with a comma; counting 200,000 takes 0.7 s.
_MAX_COMMAS = 200_000
_EMBEDDED_PNG = re.compile(rb"\x89PNG\r\n\x1a\n.{8}(.{4})(.{4})", re.DOTALL)
_MAX_ICON_SIDE = 1024
_ORIENTATION = 0x0112
_REMEDIES = {
    "image/svg+xml": "SVG is a drawing without pixels; convert it to PNG",
    "": "its content is no image or video of a known format",
}


def inspect(data: bytes, uri: str) -> Facts:
    """Say what an image or video is, by its content; `uri` is where it came from, for the message.

    An image's size is read from its header before anything is decoded; one of more than 89,478,485 pixels is refused.
    Truncated and damaged files are found as by `check_whole`. Videos are probed, not decoded. Safe in threads.

    Raises:
        DocumentError: empty, no image or video whatever its name says, damaged, or a decompression bomb.
        MissingExtraError: the extra `media` is not installed.
    """
    facts = describe(data, uri)
    check_whole(data, facts, uri)
    return facts


def describe(data: bytes, uri: str) -> Facts:
    """Say what an image or video is by its header alone; raises as `inspect`, but not for what is cut off later."""
    media_type = sniff(data)
    if media_type in _PLUGINS:
        return _image(data, media_type, uri)
    if media_type in _DEMUXERS:
        return _video(data, media_type, uri)
    raise DocumentError(uri, _refusal(data, media_type, uri))


def check_whole(data: bytes, facts: Facts, uri: str) -> None:
    """Raise DocumentError for an image that is cut off or damaged, where that takes a tenth of a second or so.

    That is JPEG (decoded at an eighth of its size), PNG (checksums), and others of up to 4 million pixels.
    """
    if facts.kind != "image":
        return
    try:
        with open_image(data, facts.media_type) as image:
            _decode(image, facts.media_type)
    except MissingExtraError:
        raise
    except Exception as error:  # plugins raise anything on hostile input
        raise DocumentError(uri, _damaged(facts.media_type, error)) from None


def open_image(data: bytes, media_type: str) -> Any:
    """Open an image that has been inspected, without decoding it: a Pillow image.

    Raises whatever Pillow raises, and MissingExtraError.
    """
    module, plugin = _PLUGINS[media_type]
    try:
        opener = getattr(import_module(module if "." in module else f"PIL.{module}"), plugin)
    except ImportError:
        if media_type == "image/heic":
            raise MissingExtraError("Reading HEIC", "heic") from None
        raise MissingExtraError("Reading images", "media") from None
    return opener(BytesIO(data))


def open_film(data: bytes, media_type: str) -> Any:
    """Open a film without decoding it: a container of PyAV, to be closed.

    Raises whatever PyAV raises, and MissingExtraError.
    """
    try:
        import av
    except ImportError:
        raise MissingExtraError("Reading films", "media") from None
    demuxer = "mpegvideo" if data.startswith(b"\0\0\x01\xb3") else _DEMUXERS[media_type]
    return av.open(BytesIO(data), mode="r", format=demuxer, options=_PROBE)


def _image(data: bytes, media_type: str, uri: str) -> Facts:
    if media_type in {"image/x-icon", "image/icns"}:  # opening them decodes them
        for found in _EMBEDDED_PNG.finditer(data):
            _refuse_bomb(int.from_bytes(found[1]), int.from_bytes(found[2]), _MAX_ICON_SIDE**2, uri)
    try:
        with open_image(data, media_type) as image:
            width, height = image.size
            _refuse_bomb(width, height, MAX_PIXELS, uri)
            if media_type == "image/jpeg":
                _refuse_scans(data.count(b"\xff\xda"), width * height, uri)
            if _is_turned(image, media_type):
                width, height = height, width
            frames = _frames(image, data, media_type)
    except (DocumentError, MissingExtraError):
        raise
    except Exception as error:  # plugins raise anything on hostile input
        raise DocumentError(uri, _damaged(media_type, error)) from None
    return Facts("image", media_type, width, height, duration_s=0.0, frames=frames, size=len(data))


def _refuse_bomb(width: int, height: int, limit: int, uri: str) -> None:
    if width * height > limit:
        reason = f"it claims {width:,} × {height:,} pixels, more than {limit:,} are not decoded; scale it down"
        raise DocumentError(uri, reason)


def _refuse_scans(scans: int, pixels: int, uri: str) -> None:
    if scans * max(pixels, _SMALL_SCAN) > _MAX_SCANNED_PIXELS:
        raise DocumentError(uri, f"a JPEG of {scans:,} scans, which takes minutes to decode; save it again as JPEG")


def _is_turned(image: Any, media_type: str) -> bool:
    """Whether the camera lay on its side. Pillow has turned a TIFF already; a PNG may say so only after its pixels."""
    if media_type not in {"image/jpeg", "image/webp", "image/avif"} and "exif" not in image.info:
        return False
    try:
        return media_type != "image/tiff" and image.getexif().get(_ORIENTATION) in {5, 6, 7, 8}
    except Exception:  # damaged metadata is no reason to refuse a picture
        return False


def _frames(image: Any, data: bytes, media_type: str) -> int:
    """Count the frames of what can move; pages and sizes of other formats are not frames."""
    if media_type == "image/gif" and data.count(b",") > _MAX_COMMAS:
        return 0
    moving = media_type in {"image/gif", "image/png", "image/webp", "image/avif"}
    return int(getattr(image, "n_frames", 1)) if moving else 1


def _decode(image: Any, media_type: str) -> None:
    if media_type == "image/png":
        image.verify()
    elif media_type == "image/jpeg":
        image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
    elif image.width * image.height <= _CHEAP_PIXELS:
        image.seek(0)
        image.load()


def _video(data: bytes, media_type: str, uri: str) -> Facts:
    try:
        with open_film(data, media_type) as container:
            stream = next(iter(container.streams.video), None)
            seconds = (container.duration or 0) / 1_000_000
            if stream is None:
                width = height = frames = 0
                codec = ""
            else:
                width, height, codec = stream.width, stream.height, stream.codec_context.name
                frames = max(0, stream.frames)
                if seconds <= 0 and stream.duration and stream.time_base:
                    seconds = float(stream.duration * stream.time_base)
    except MissingExtraError:
        raise
    except Exception as error:  # FFmpeg's errors are of many classes, some of them OSError and ValueError
        raise DocumentError(uri, _damaged(media_type, error)) from None
    if width <= 0 or height <= 0:
        raise DocumentError(uri, f"{media_type} without a picture: it holds sound only, or is cut off or damaged")
    seconds = round(seconds, 3) if 0 < seconds < _LONGEST_S else 0.0
    return Facts("video", media_type, width, height, seconds, frames, len(data), codec=codec)


def _damaged(media_type: str, error: Exception) -> str:
    detail = " ".join(str(error).split())[:120] or type(error).__name__
    return f"{media_type} that cannot be opened: cut off or damaged ({detail}); get the file again"


def _refusal(data: bytes, media_type: str, uri: str) -> str:
    if not data:
        return "empty file"
    reason = _REMEDIES.get(media_type, f"its content is {media_type}, no image or video")
    claimed = media_type_of(re.split("[?#]", uri, maxsplit=1)[0])
    if claimed != media_type and claimed.startswith(("image/", "video/")):
        return f"named like {claimed}, but {reason}"
    return reason
