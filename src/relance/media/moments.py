"""Moments of films: key frames with a vector each, and what a table says about its rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from relance.documents import Media, Moment

__all__ = ["each_moment", "moment_in"]


def each_moment(media: Media, moments: Sequence[Moment]) -> list[Media]:
    """Make of the pictures of a film one input each; of anything else, which has no moments, itself.

    There are as many pictures as moments, or none where the film was not read again. A vector's key has the picture's
    content, so that a picture that is in several films is bought once.
    """
    if not moments:
        return [media]
    n = len(moments)
    data, files, media_types = (
        [(each,) for each in values] or [()] * n for values in (media.data, media.files, media.media_types)
    )
    return [
        replace(media, data=sent, files=paths, media_types=kinds, content_hash=moment.content_hash,
                tokens=media.tokens // n)
        for moment, sent, paths, kinds in zip(moments, data, files, media_types, strict=True)
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
