"""What a model accepts of an image or video, checked before a request is spent on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from relance.errors import InputError
from relance.media import Facts

__all__ = ["MediaRules", "check", "data_uri_length", "format_names", "megabytes"]

_NAMES = {
    "image/jpeg": "JPEG",
    "image/x-icon": "ICO",
    "image/x-dib": "DIB",
    "video/quicktime": "MOV",
    "video/x-msvideo": "AVI",
    "video/x-matroska": "MKV",
    "video/webm": "WebM",
    "video/x-flv": "FLV",
    "video/mp2t": "MPEG-TS",
    "video/x-ms-wmv": "WMV",
    "image/webp": "WebP",
}
_KEY_FRAMES = ", or set media.oversize: scale, which sends key frames where the model takes sets of pictures"
_SMALLER = "scale it down, or set media.oversize: scale"


@dataclass(slots=True, frozen=True)
class MediaRules:
    """A row of a model's limits; every limit is inclusive, formats are media types as `sniff` names them.

    Attributes:
        min_side: pixels of the shorter side. The service says "must be larger than 10"; the code that message is
            known from refuses what is smaller.
        max_ratio: of the longer side to the shorter.
        max_data_uri: characters of one image as a `data:` URI; the service's "max bytes per data-uri item".
        max_pixels: width times height; 0 is no limit.
        video_codecs: as FFmpeg names them; empty is any.
        views: pictures that become one vector together; 1 where the model takes no sets.
    """

    image_formats: frozenset[str]
    video_formats: frozenset[str]
    max_image_bytes: int
    max_video_bytes: int
    min_side: int = 10
    max_ratio: float = 200.0
    max_data_uri: int = 10_485_760
    max_pixels: int = 0
    video_codecs: frozenset[str] = frozenset()
    views: int = 1

    def max_inline_bytes(self, media_type: str) -> int:
        """Bytes an image of this type may have to be sent within a request."""
        return min(self.max_image_bytes, (self.max_data_uri - data_uri_length(media_type, 0)) // 4 * 3)


def check(facts: Facts, rules: MediaRules, *, inline: bool = False) -> None:
    """Refuse what the model would refuse: InputError names the figure, the limit and what to do.

    Args:
        facts: what `inspect` found.
        rules: what the model takes.
        inline: the bytes are sent in the request as a `data:` URI, not as an address.
    """
    _check_format(facts, rules)
    if facts.kind == "video":
        _check_video(facts, rules, inline=inline)
        return
    shorter, longer = sorted((facts.width, facts.height))
    size = f"{facts.width:,} × {facts.height:,} pixels"
    if shorter < rules.min_side:
        raise InputError(f"{size}: each side needs at least {rules.min_side}; use a larger picture")
    if longer > shorter * rules.max_ratio:
        raise InputError(f"{size}: one side may be {rules.max_ratio:g} times the other at most; crop it")
    if rules.max_pixels and facts.width * facts.height > rules.max_pixels:
        pixels = f"{facts.width * facts.height:,} in all, the model takes {rules.max_pixels:,}"
        raise InputError(f"{size}: {pixels}; {_SMALLER}")
    if facts.size > rules.max_image_bytes:
        raise InputError(
            f"image of {megabytes(facts.size)}: the model takes {megabytes(rules.max_image_bytes)}; {_SMALLER}"
        )
    if inline and (length := data_uri_length(facts.media_type, facts.size)) > rules.max_data_uri:
        raise InputError(
            f"image of {megabytes(facts.size)}: {length:,} characters as Base64, a request takes "
            f"{rules.max_data_uri:,}; {_SMALLER}, or give its public address"
        )


def data_uri_length(media_type: str, size: int) -> int:
    """Count the characters of `data:TYPE;base64,…` for so many bytes."""
    return len(f"data:{media_type};base64,") + (size + 2) // 3 * 4


def format_names(media_types: Iterable[str]) -> str:
    """List formats the way people call them: `JPEG, PNG or BMP`."""
    *others, last = sorted({_name(media_type) for media_type in media_types}) or ["none"]
    return f"{', '.join(others)} or {last}" if others else last


def megabytes(size: int) -> str:
    """Write a size exactly as long as that is short: `3 MiB`, else to three decimals with the bytes."""
    mebibytes = size / (1 << 20)
    return f"{mebibytes:g} MiB" if (size * 4) % (1 << 20) == 0 and size else f"{mebibytes:.3g} MiB ({size:,} bytes)"


def _check_format(facts: Facts, rules: MediaRules) -> None:
    allowed = rules.image_formats if facts.kind == "image" else rules.video_formats
    if not allowed:
        raise InputError(f"{facts.media_type}: the model takes no {facts.kind}s; choose one that does")
    if facts.media_type not in allowed:
        remedy = "convert it, or let media.send be auto" if facts.kind == "image" else "convert it, for example to MP4"
        raise InputError(f"{_name(facts.media_type)}: the model takes {format_names(allowed)}; {remedy}")


def _check_video(facts: Facts, rules: MediaRules, *, inline: bool) -> None:
    if inline:
        raise InputError("a video is taken by its public address only, never as bytes; give its http(s) address")
    if facts.size > rules.max_video_bytes:
        limit = megabytes(rules.max_video_bytes)
        raise InputError(
            f"video of {megabytes(facts.size)}: the model takes {limit}; shorten or compress it{_KEY_FRAMES}"
        )
    if rules.video_codecs and facts.codec not in rules.video_codecs:
        codecs = " or ".join(sorted(rules.video_codecs))
        raise InputError(
            f"video coded as {facts.codec or 'unknown'}: the model takes {codecs}; convert it{_KEY_FRAMES}"
        )


def _name(media_type: str) -> str:
    return _NAMES.get(media_type, media_type.rpartition("/")[2].upper())
