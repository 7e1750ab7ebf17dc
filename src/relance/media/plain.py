"""Pictures as they are meant to look, whatever reads them: upright, opaque, in sRGB, 8 bits a channel."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np

from relance.errors import InputError, MissingExtraError
from relance.media import Facts
from relance.media.inspect import MAX_PIXELS, open_image

__all__ = ["decode", "encode", "is_plain", "plain", "shrinks"]

JPEG, PNG = "image/jpeg", "image/png"
_ORIENTATION = 0x0112
# Levels of 255 that a colour profile moves the colours of a picture by, on average, before a copy is made of it. At 2 %
# nobody sees it without the other beside it; photographs of telephones (Display P3) are moved by 1 to 4.
_MOVED = 5.0
_OPTIMIZED = 4_000_000  # pixels
_THUMBNAIL = 64  # pixels a side, to measure that


def is_plain(data: bytes, facts: Facts) -> bool:
    """Whether a reader that knows nothing of orientation, profiles and transparency sees the picture as it is meant.

    Only the header is read, unless that says that there may be something to see. Raises what `decode` raises.
    """
    try:
        image = open_image(data, facts.media_type)
        if _orientation(image) != 1:
            return False
        if not image.has_transparency_data and not image.info.get("icc_profile"):
            return True
        image.draft("RGB", (_THUMBNAIL * 2, _THUMBNAIL * 2))  # JPEG only
        image.load()
        if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
            return False
        return not image.info.get("icc_profile") or _moved(image) <= _MOVED
    except MissingExtraError:
        raise
    except Exception as error:  # plugins raise anything on hostile input
        raise _damaged(error) from None


def decode(data: bytes, facts: Facts, frame: int = 0, enough: int = 0) -> tuple[Any, bool]:
    """Decode a picture to L or RGB as it is meant to look, and say whether it is drawn: few colours, or cut out.

    With `enough` pixels a JPEG is decoded at a half, a quarter or an eighth of its size, as long as it keeps so many:
    that takes a fraction of the time and memory.

    Raises InputError for what cannot be decoded, MissingExtraError.
    """
    if facts.width * facts.height > MAX_PIXELS:
        raise InputError(f"{facts.width:,} × {facts.height:,} pixels are too many to decode; scale it down")
    try:
        image = open_image(data, facts.media_type)
        if image.width * image.height != facts.width * facts.height:
            raise ValueError("another size than inspected")  # noqa: TRY301  # reported below like all damage
        if frame:
            image.seek(frame)
        if (part := shrinks(facts, enough)) > 1:
            image.draft(None, (image.width // part, image.height // part))
        image.load()
        return plain(image), image.mode in {"1", "P"} or image.has_transparency_data
    except MissingExtraError:
        raise
    except Exception as error:  # plugins raise anything on hostile input
        raise _damaged(error) from None


def shrinks(facts: Facts, enough: int) -> int:
    """Say how many times smaller a JPEG is decoded, a side, so that it keeps `enough` pixels: 1, 2, 4 or 8."""
    if not enough or facts.media_type != JPEG:
        return 1
    return next((part for part in (8, 4, 2) if facts.width * facts.height >= enough * part * part), 1)


def plain(image: Any) -> Any:
    """Turn a decoded picture upright, put it on white, and bring its colours to sRGB: L or RGB."""
    from PIL import ImageOps

    with suppress(Exception):  # damaged metadata is no reason to refuse a picture
        # A TIFF is turned when it is loaded; of others the tag stays, and says what is to be done.
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        return _eight_bits(image)
    alpha = None
    if image.has_transparency_data:
        image = image if image.mode in {"LA", "RGBA"} else image.convert("RGBA")
        alpha = image.getchannel("A")
        opaque = image.convert(image.mode[:-1])
        opaque.info = dict(image.info)
        image = opaque
    elif image.mode in {"P", "PA"}:
        image = _with_info(image.convert("RGB"), image)
    image = _in_srgb(image)
    mode = "L" if image.mode in {"1", "L"} else "RGB"
    image = image if image.mode == mode else image.convert(mode)
    if alpha is not None and alpha.getextrema()[0] < 255:
        from PIL import Image

        white = Image.new(image.mode, image.size, "white")
        white.paste(image, mask=alpha)
        image = white
    return image


def encode(image: Any, media_type: str, quality: int = 0) -> bytes:
    """Write a picture as PNG or JPEG, without metadata; the same picture gives the same bytes."""
    stream = BytesIO()
    if media_type == PNG:
        image.save(stream, "PNG", icc_profile=None, exif=b"")
    else:
        # Optimal tables save 3 % of the bytes, and hold three bytes a pixel meanwhile.
        optimize = image.width * image.height <= _OPTIMIZED
        image.save(stream, "JPEG", quality=quality, optimize=optimize, icc_profile=None, exif=b"")
    return stream.getvalue()


def _orientation(image: Any) -> int:
    with suppress(Exception):  # as above
        tags = getattr(image, "tag_v2", None)
        found = tags.get(_ORIENTATION, 1) if tags is not None else image.getexif().get(_ORIENTATION, 1)
        return found if found in range(1, 9) else 1
    return 1


def _in_srgb(image: Any) -> Any:
    """Bring colours to sRGB where a profile says what they are; a damaged one, or one of others, is ignored."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    from PIL import ImageCms

    if image.mode not in {"RGB", "L", "CMYK", "LAB"}:
        image = _with_info(image.convert("RGB"), image)
    with suppress(Exception):
        theirs = ImageCms.ImageCmsProfile(BytesIO(profile))
        space = theirs.profile.xcolor_space.strip()
        if space == {"L": "GRAY", "LAB": "Lab"}.get(image.mode, image.mode):
            ours = ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(image, theirs, ours, outputMode="RGB")
    return image


def _moved(image: Any) -> float:
    """Measure how far a profile moves the colours of a decoded picture, in levels of 255."""
    small = _with_info(image.copy(), image)
    if small.mode in {"P", "PA", "RGBA", "LA"}:
        small = _with_info(small.convert("RGB"), image)
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    small.info = dict(image.info)
    naive = np.asarray(small.convert("RGB"), np.float32)
    return float(np.abs(naive - np.asarray(_in_srgb(small).convert("RGB"), np.float32)).mean())


def _with_info(image: Any, other: Any) -> Any:
    image.info = dict(other.info)
    return image


def _eight_bits(image: Any) -> Any:
    """Bring 16 bits to 8; wider numbers and fractions have no white of their own and are stretched to it."""
    from PIL import Image

    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else (float(values.min()), float(values.max()))
    levels = np.round((values - low) * (255.0 / max(high - low, 1e-300)))
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def _damaged(error: Exception) -> InputError:
    detail = " ".join(str(error).split())[:120] or type(error).__name__
    return InputError(f"the image cannot be decoded ({detail}); save it again as JPEG or PNG")
