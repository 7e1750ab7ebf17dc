"""Images and videos: what they are, whether a model takes them, and where documents show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Facts"]


@dataclass(slots=True, frozen=True)
class Facts:
    """What an image or video is, by its content.

    Attributes:
        media_type: as `sniff` names it, whatever the file is called.
        width, height: pixels as shown: an image that its camera turned has them exchanged.
        duration_s: seconds of a video, 0.0 where its container does not say (and for images).
        frames: pictures in it, 0 where its container does not say; 1 for a still image.
        size: bytes of the file.
        codec: of a video, as FFmpeg names it, e.g. `h264`.
    """

    kind: Literal["image", "video"]
    media_type: str
    width: int
    height: int
    duration_s: float
    frames: int
    size: int
    codec: str = ""
