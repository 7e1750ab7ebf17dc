"""Making an image fit a model's limits with the smallest loss."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from math import sqrt
from typing import Any

import numpy as np

from relance.errors import InputError, MissingExtraError
from relance.media import Facts
from relance.media.inspect import MAX_PIXELS, open_image
from relance.media.rules import MediaRules, check, format_names, megabytes

__all__ = ["scale"]

_JPEG, _PNG = "image/jpeg", "image/png"
# Qualities that are tried at full size: from hardly visible to visible for those who look for it.
_QUALITIES = (92, 85, 75)
_MAX_RESIZES = 8
# Aim below the limit, because bytes fall a little slower than pixels.
_AIM = 0.95
_LARGEST_STEP = 0.9


def scale(data: bytes, facts: Facts, rules: MediaRules) -> tuple[bytes, Facts]:
    """Return the image such that it may be sent within a request, with its new facts.

    One that fits already comes back as it is. Otherwise its first frame is turned upright, brought to 8 bits a channel
    (RGB or grey) and written as PNG if it is transparent, or has a palette and fits so, else as JPEG: at quality 92,
    85, 75, then with fewer pixels; never with more. At most 12 encodings; with the same Pillow the same input gives
    the same output. Metadata and colour profiles are dropped.

    Raises:
        InputError: no image, sides too short or too unequal (before or after), or no format that can be written.
        MissingExtraError: the extra `media` is not installed.
    """
    if facts.kind != "image":
        raise InputError("a video cannot be scaled; shorten or compress it")
    if _fits(facts, rules):
        return data, facts
    written = [media_type for media_type in (_JPEG, _PNG) if media_type in rules.image_formats]
    if not written:
        raise InputError(f"the model takes {format_names(rules.image_formats)}, and only JPEG and PNG are written")
    # What no scaling can mend stays an error.
    check(replace(facts, media_type=written[0], size=0), replace(rules, max_pixels=0))
    image, drawn = _upright(data, facts)
    transparent = image.mode in {"LA", "RGBA"}
    if transparent and _PNG not in written:
        image, transparent = _on_white(image), False
    steps: list[tuple[str, int]] = []
    if _PNG in written and (transparent or drawn or _JPEG not in written):
        steps.append((_PNG, 0))
    if _JPEG in written and not transparent:
        steps += [(_JPEG, quality) for quality in _QUALITIES]
    return _shrink(image, steps, rules)


def _fits(facts: Facts, rules: MediaRules) -> bool:
    try:
        check(facts, rules, inline=True)
    except InputError:
        return False
    return True


def _shrink(image: Any, steps: list[tuple[str, int]], rules: MediaRules) -> tuple[bytes, Facts]:
    """Try every step at the largest size allowed, then the last one at smaller and smaller sizes."""
    factor = sqrt(min(1.0, rules.max_pixels / (image.width * image.height))) if rules.max_pixels else 1.0
    scaled = _resized(image, factor, rules)
    data = b""
    for attempt in range(len(steps) + _MAX_RESIZES):
        media_type, quality = steps[min(attempt, len(steps) - 1)]
        limit = rules.max_inline_bytes(media_type)
        if attempt >= len(steps):
            factor *= min(_LARGEST_STEP, sqrt(max(0, limit) / len(data)) * _AIM)
            scaled = _resized(image, factor, rules)
        data = _encoded(scaled, media_type, quality)
        if len(data) <= limit:
            return data, Facts("image", media_type, *scaled.size, duration_s=0.0, frames=1, size=len(data))
    raise InputError(
        f"still {megabytes(len(data))} at {scaled.width:,} × {scaled.height:,} pixels, the model takes "
        f"{megabytes(limit)}; use a simpler picture"
    )


def _resized(image: Any, factor: float, rules: MediaRules) -> Any:
    if factor >= 1:
        return image
    shorter, longer = sorted(image.size)
    shorter = int(shorter * factor)
    if shorter < rules.min_side:
        raise InputError(
            f"{image.width:,} × {image.height:,} pixels: to fit, it would be scaled below {rules.min_side} pixels a "
            "side; crop it or use a simpler picture"
        )
    longer = min(int(longer * factor), int(shorter * rules.max_ratio))  # rounding must not break the ratio
    size = (longer, shorter) if image.width >= image.height else (shorter, longer)
    return image.resize(size, resample=_lanczos(), reducing_gap=3.0)


def _lanczos() -> Any:
    from PIL import Image

    return Image.Resampling.LANCZOS


def _encoded(image: Any, media_type: str, quality: int) -> bytes:
    stream = BytesIO()
    if media_type == _PNG:
        image.save(stream, "PNG")
    else:
        image.save(stream, "JPEG", quality=quality, optimize=True)
    return stream.getvalue()


def _on_white(image: Any) -> Any:
    from PIL import Image

    colour = image.convert("RGBA")
    white = Image.new("RGBA", colour.size, "white")
    return Image.alpha_composite(white, colour).convert("RGB")


def _upright(data: bytes, facts: Facts) -> tuple[Any, bool]:
    """Decode to L, LA, RGB or RGBA, the way up it is shown, and say whether it has but a few colours."""
    if facts.width * facts.height > MAX_PIXELS:
        raise InputError(f"{facts.width:,} × {facts.height:,} pixels are too many to decode; scale it down")
    try:
        image = open_image(data, facts.media_type)
        if image.width * image.height != facts.width * facts.height:
            raise ValueError("another size than inspected")  # noqa: TRY301  # reported below like all damage
        image.load()
        return _plain(image), image.mode in {"1", "P"}
    except MissingExtraError:
        raise
    except Exception as error:  # plugins raise anything on hostile input
        detail = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"the image cannot be decoded ({detail}); save it again as JPEG or PNG") from None


def _plain(image: Any) -> Any:
    from PIL import ImageOps

    with suppress(Exception):  # damaged metadata is no reason to refuse a picture
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        return _eight_bits(image)
    if image.has_transparency_data:
        image = image if image.mode in {"LA", "RGBA"} else image.convert("RGBA")
        opaque = image.getchannel("A").getextrema()[0] == 255
        return image.convert(image.mode[:-1]) if opaque else image
    mode = "L" if image.mode in {"1", "L"} else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(image: Any) -> Any:
    """Bring 16 bits to 8; wider numbers and fractions have no white of their own and are stretched to it."""
    from PIL import Image

    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else (float(values.min()), float(values.max()))
    levels = np.round((values - low) * (255.0 / max(high - low, 1e-300)))
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
