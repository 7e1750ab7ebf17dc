"""Copies of pictures that a model takes, with the smallest loss: another format, or fewer bytes and pixels."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import Any

from relance.errors import InputError
from relance.media import Facts
from relance.media.plain import decode, encode, shrinks
from relance.media.rules import MediaRules, check, format_names, megabytes

__all__ = ["copy", "decoded_pixels", "fits", "scale"]

_JPEG, _PNG = "image/jpeg", "image/png"
# Qualities that are tried at full size: from hardly visible to visible for those who look for it.
_QUALITIES = (92, 85, 75)
_MAX_RESIZES = 8
# Aim below the limit, because bytes fall a little slower than pixels.
_AIM = 0.95
_LARGEST_STEP = 0.9
# Pixels: twice what any model looks at (1,280 tokens of 32 × 32). Of a JPEG that is too heavy no more are decoded than
# that takes: a photograph of 12 megapixels costs 0.24 instead of 1.7 CPU seconds, and 20 instead of 130 MB.
_ENOUGH = 2_600_000
# The marker of a progressive JPEG's frame; that it stands there by chance costs nothing but time.
_PROGRESSIVE, _HEAD = b"\xff\xc2", 1 << 20


def scale(data: bytes, facts: Facts, rules: MediaRules) -> tuple[bytes, Facts]:
    """Return the image such that it may be sent within a request, with its new facts.

    One that fits already comes back as it is, another one as `copy` makes it, with fewer pixels where it has to be.

    Raises:
        InputError: no image, sides too short or too unequal (before or after), or no format that can be written.
        MissingExtraError: the extra `media` is not installed.
    """
    if facts.kind != "image":
        raise InputError("a video cannot be scaled; shorten or compress it")
    if fits(facts, rules):
        return data, facts
    return copy(data, facts, rules, shrink=True)


def copy(data: bytes, facts: Facts, rules: MediaRules, *, shrink: bool, frame: int = 0) -> tuple[bytes, Facts]:
    """Write a picture anew, as it is meant to look (`plain`), in a format that the model takes.

    It is PNG, without loss, where that is within the limits: for pictures of other formats and those with few colours
    or cut out; else JPEG at quality 92, 85, 75. With `shrink`, and only then, it gets fewer pixels until it fits; a
    JPEG of too many bytes is decoded at a half, a quarter or an eighth of its size where that keeps twice the pixels
    that models look at. At most 12 encodings; with the same Pillow the same input gives the same output. Raises as
    `scale`.

    Args:
        data: the file.
        facts: what `inspect` found.
        rules: what the model takes.
        shrink: whether the spec lets it become smaller.
        frame: which of those of what moves.
    """
    written = [media_type for media_type in (_JPEG, _PNG) if media_type in rules.image_formats]
    if not written:
        raise InputError(f"the model takes {format_names(rules.image_formats)}, and only JPEG and PNG are written")
    # What no copy can mend stays an error.
    check(replace(facts, media_type=written[0], size=0), replace(rules, max_pixels=0) if shrink else rules)
    image, drawn = decode(data, facts, frame, _enough(facts, rules, shrink=shrink))
    steps: list[tuple[str, int]] = []
    # A photograph takes more than a byte a pixel as PNG; to try those that cannot fit costs up to a second each.
    may_fit = image.width * image.height <= rules.max_inline_bytes(_PNG)
    # Where something else than its bytes is why a copy is made, it should lose nothing.
    foreign = facts.media_type not in rules.image_formats or facts.size <= rules.max_inline_bytes(facts.media_type)
    if _PNG in written and (drawn or (foreign and may_fit) or _JPEG not in written):
        steps.append((_PNG, 0))
    if _JPEG in written:
        steps += [(_JPEG, quality) for quality in _QUALITIES]
    return _shrink(image, steps, rules, _MAX_RESIZES if shrink else 0)


def decoded_pixels(data: bytes, facts: Facts, rules: MediaRules, *, shrink: bool) -> int:
    """Count the pixels that `copy` holds at once: fewer of a heavy JPEG, but for a progressive one, kept whole."""
    part = 1 if _PROGRESSIVE in data[:_HEAD] else shrinks(facts, _enough(facts, rules, shrink=shrink))
    return facts.width * facts.height // (part * part)


def _enough(facts: Facts, rules: MediaRules, *, shrink: bool) -> int:
    return _ENOUGH if shrink and facts.size > rules.max_inline_bytes(facts.media_type) else 0


def fits(facts: Facts, rules: MediaRules) -> bool:
    """Whether a picture may be sent within a request as it is."""
    try:
        check(facts, rules, inline=True)
    except InputError:
        return False
    return True


def _shrink(image: Any, steps: list[tuple[str, int]], rules: MediaRules, resizes: int) -> tuple[bytes, Facts]:
    """Try every step at the largest size allowed, then the last one at smaller and smaller sizes."""
    factor = sqrt(min(1.0, rules.max_pixels / (image.width * image.height))) if rules.max_pixels else 1.0
    scaled = _resized(image, factor, rules)
    data = b""
    for attempt in range(len(steps) + resizes):
        media_type, quality = steps[min(attempt, len(steps) - 1)]
        limit = rules.max_inline_bytes(media_type)
        if attempt >= len(steps):
            factor *= min(_LARGEST_STEP, sqrt(max(0, limit) / len(data)) * _AIM)
            scaled = _resized(image, factor, rules)
        data = encode(scaled, media_type, quality)
        if len(data) <= limit:
            return data, Facts("image", media_type, *scaled.size, duration_s=0.0, frames=1, size=len(data))
    remedy = "use a simpler picture" if resizes else "scale it down, or set media.oversize: scale"
    raise InputError(
        f"still {megabytes(len(data))} at {scaled.width:,} × {scaled.height:,} pixels, the model takes "
        f"{megabytes(limit)}; {remedy}"
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
