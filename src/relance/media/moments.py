"""Moments of films: key frames with a vector each, and what a table says about its rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from relance.documents import Media, digest

__all__ = ["each_moment", "moment_in"]


def each_moment(media: Media, moments: Sequence[float]) -> list[Media]:
    """Make of the pictures of a film one input each; of anything else, which has no moments, itself.

    A vector's key has the film's content and the moment, so that it is found without the picture while the film cannot
    be had, and bought once however many key frames are taken. There are as many pictures as moments, or none.
    """
    if not moments:
        return [media]
    n = len(moments)
    data, files = (([each] for each in values) if values else [()] * n for values in (media.data, media.files))
    media_types = [(each,) for each in media.media_types] or [()] * n
    return [
        replace(media, data=tuple(sent), files=tuple(paths), media_types=kinds, tokens=media.tokens // n,
                content_hash=digest("moment", media.content_hash, f"{moment_s:.3f}"))
        for moment_s, sent, paths, kinds in zip(moments, data, files, media_types, strict=True)
    ]  # fmt: skip


def moment_in(metadata: Mapping[str, Any], name: str) -> float | None:
    """Read a moment, in seconds, that the table of a row says; None where it says none, or what is no number.

    Tables in CSV know nothing but text: `"12.5"` is a number, too.
    """
    value = metadata.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None
