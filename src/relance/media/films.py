"""Key frames of films: the pictures that a film is stored with whole, which cost little to decode."""

from __future__ import annotations

from typing import Any, NamedTuple

from relance.errors import InputError, MissingExtraError
from relance.media import Facts
from relance.media.inspect import open_film
from relance.media.plain import encode

__all__ = ["KeyFrame", "frame_at", "key_frames"]

_SIDE = 1280  # pixels of the longer side; models look at a frame at less
_QUALITY = 92


class KeyFrame(NamedTuple):
    """A picture of a film, as JPEG, and when it is shown: seconds from the film's start, to the millisecond."""

    moment_s: float
    data: bytes


def key_frames(data: bytes, facts: Facts, most: int) -> list[KeyFrame]:
    """Return at most so many key frames, evenly spread over a film, the first one included.

    They are found by jumps, so that a long film costs no more than a short one: 10 s of 720p 20 to 120 ms. Raises
    InputError for what cannot be decoded, MissingExtraError without the extra `media`.
    """
    found: dict[float, bytes] = {}
    try:
        with open_film(data, facts.media_type) as container:
            stream = container.streams.video[0]
            stream.codec_context.skip_frame = "NONKEY"
            first_s = float((stream.start_time or 0) * stream.time_base)  # of MPEG-TS it is not 0, and players hide it
            for place in range(most if facts.duration_s else 1):
                if place:
                    container.seek(int((first_s + facts.duration_s * place / most) * 1_000_000))
                frame = next(iter(container.decode(stream)), None)
                if frame is None:
                    continue
                moment_s = max(0.0, round((frame.time or 0.0) - first_s, 3))
                if moment_s not in found:
                    found[moment_s] = _as_jpeg(frame)
    except MissingExtraError:
        raise
    except Exception as error:  # FFmpeg's errors are of many classes, some of them OSError and ValueError
        detail = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"the film cannot be decoded ({detail}); convert it to MP4 with H.264") from None
    if not found:
        raise InputError("the film has no key frame that can be decoded; convert it to MP4 with H.264")
    return [KeyFrame(*each) for each in sorted(found.items())]


def frame_at(data: bytes, media_type: str, moment_s: float) -> bytes:
    """Return the last key frame at or before a moment, as JPEG; InputError for what cannot be decoded."""
    try:
        with open_film(data, media_type) as container:
            stream = container.streams.video[0]
            stream.codec_context.skip_frame = "NONKEY"
            if moment_s > 0:
                container.seek(int((moment_s + float((stream.start_time or 0) * stream.time_base)) * 1_000_000))
            return _as_jpeg(next(iter(container.decode(stream))))
    except MissingExtraError:
        raise
    except Exception as error:  # FFmpeg's errors are of many classes
        raise InputError("the film has no frame there that can be decoded") from error


def _as_jpeg(frame: Any) -> bytes:
    factor = min(1.0, _SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * factor)) for side in (frame.width, frame.height))
    image = frame.reformat(width=width, height=height, format="rgb24").to_image()
    turned = getattr(frame, "rotation", 0) % 360  # counter-clockwise, as phones note it
    return encode(image.rotate(turned, expand=True) if turned else image, "image/jpeg", _QUALITY)
