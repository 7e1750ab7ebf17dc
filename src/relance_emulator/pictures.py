"""Vectors of pictures and videos by what anybody can see of them: colours, brightness, outlines, turned into words."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relance.errors import MissingExtraError
from relance_emulator import media
from relance_emulator.models import MultimodalModel
from relance_emulator.outlines import CHINESE_OUTLINES, outlines
from relance_emulator.problems import invalid
from relance_emulator.vectors import Matrix, Vectors, noise, unit

__all__ = ["Facts", "Pictures", "colours", "named", "see_image", "see_video"]

ILLEGAL = "The image format is illegal and cannot be opened"
MOST_PIXELS = 100_000_000
GRID = 48  # a picture is looked at in 48 × 48 fields
# Words in two languages, so that a Chinese question finds a picture as well.
WORDS = {
    "black": "黑色",
    "white": "白色",
    "grey": "灰色",
    "red": "红色",
    "orange": "橙色",
    "brown": "棕色",
    "yellow": "黄色",
    "green": "绿色",
    "turquoise": "青色",
    "blue": "蓝色",
    "purple": "紫色",
    "pink": "粉色",
}
# Hue in degrees up to which a saturated colour has its name; beyond the last one it is red again.
HUES = [(16, "red"), (42, "orange"), (70, "yellow"), (165, "green"), (195, "turquoise"), (255, "blue"), (290, "purple")]
HUES += [(340, "pink")]
CHINESE = 0.5  # weight of the Chinese words beside the English
REMEMBERED = 5000  # images whose facts are kept: a few hundred bytes each
OWN = 0.02  # how much of a vector is the file's own, so that no two are equal


@dataclass(frozen=True, slots=True)
class Facts:
    """What is seen of a picture or video.

    Attributes:
        colours: name → share of the area, largest first; at least one.
        other: further words, such as `dark` or `wide`.
        seconds: a video's duration.
        outlines: word → weight, of what stands before the background of an image.
    """

    width: int
    height: int
    colours: dict[str, float]
    other: tuple[str, ...]
    seconds: float = 0.0
    outlines: Mapping[str, float] = field(default_factory=dict)

    def words(self) -> dict[str, float]:
        """Return words and their weights."""
        # The root: a small red sign on a wall is still something red.
        seen = dict(self.outlines)
        for name, share in self.colours.items():
            seen[name] = max(share**0.5, seen.get(name, 0.0))
        both = WORDS | CHINESE_OUTLINES
        weights = {word: weight * part for name, weight in seen.items()
                   for word, part in ((name, 1.0), (both[name], CHINESE))}  # fmt: skip
        return weights | dict.fromkeys(self.other, 0.15)


class Pictures:
    """Embeds facts by their words."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self._words: dict[str, Matrix] = {}
        self._looked: dict[tuple[str, bytes], Facts] = {}

    def see(self, content: bytes, model: MultimodalModel) -> Facts:
        """Look at an image as `see_image` does, once: a reranker is shown the same ones again and again."""
        key = model.name, hashlib.blake2b(content, digest_size=16).digest()
        facts = self._looked.get(key)
        if facts is None:
            facts = see_image(content, model)
            if len(self._looked) < REMEMBERED:
                self._looked[key] = facts
        return facts

    async def of_facts(self, facts: Facts, content: bytes) -> Matrix:
        """Return a unit vector, shape (the local model's dimension,); the same content always has the same."""
        weights = facts.words()
        new = [word for word in weights if word not in self._words]
        if new:
            self._words.update(zip(new, await self._vectors.of_texts(new), strict=True))
        total = np.sum([weight * self._words[word] for word, weight in weights.items()], axis=0)
        seen = unit(total[None])[0]
        return unit((seen + OWN * noise(content, len(seen)))[None])[0]


def see_image(content: bytes, model: MultimodalModel) -> Facts:
    """Look at an image; raises the Problem of one that the model refuses."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("Embedding pictures in the emulator", "media") from error
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            form = "JPEG" if image.format == "MPO" else image.format
            if form not in model.stills or width * height > MOST_PIXELS:
                raise invalid(ILLEGAL)
            media.check_shape(width, height)
            image.draft("RGB", (GRID * 4, GRID * 4))  # JPEG: decodes no more than that
            if image.has_transparency_data:
                paper = Image.new("RGBA", image.size, "white")
                small = Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
            else:
                small = image.convert("RGB")
            pixels = np.asarray(small.resize((GRID, GRID), Image.Resampling.BOX))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise invalid(ILLEGAL) from None
    return _facts(pixels, width, height, outlines(named(pixels)))


def see_video(content: bytes, model: MultimodalModel, *, fps: float, most_frames: int) -> Facts:
    """Look at some frames of a video, evenly spread: `fps` of them per second, at least one, at most `most_frames`."""
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("Embedding videos in the emulator", "media") from error
    try:
        with av.open(io.BytesIO(content)) as container:
            names = set(container.format.name.split(","))
            if not names & model.clips or not container.streams.video:
                raise invalid("The video format is illegal and cannot be opened")
            frames, seconds, size = _frames(container, fps, most_frames)
    except (av.error.FFmpegError, ValueError, IndexError):
        raise invalid("The video format is illegal and cannot be opened") from None
    if not frames:
        raise invalid("The video format is illegal and cannot be opened")
    return _facts(np.concatenate(frames), *size, seconds=seconds)


def _frames(container: Any, fps: float, most_frames: int) -> tuple[list[NDArray[np.uint8]], float, tuple[int, int]]:
    stream = container.streams.video[0]
    stream.codec_context.skip_frame = "NONKEY" if container.duration and container.duration > 60e6 else "DEFAULT"
    seconds = (container.duration or 0) / 1e6
    wanted = max(1, min(most_frames, round(seconds * fps)))
    step = seconds / wanted
    frames: list[NDArray[np.uint8]] = []
    for frame in container.decode(stream):
        if (frame.time or 0.0) < step * len(frames):
            continue
        frames.append(frame.reformat(width=GRID, height=GRID, format="rgb24").to_ndarray())
        if len(frames) == wanted:
            break
    return frames, seconds, (stream.width, stream.height)


def _facts(pixels: NDArray[np.uint8], width: int, height: int, patches: Mapping[str, float] | None = None, *,
           seconds: float = 0.0) -> Facts:  # fmt: skip
    brightness = float(pixels.mean()) / 255
    other = ["video" if seconds else "picture"]
    if brightness < 0.3 or brightness > 0.8:
        other.append("dark" if brightness < 0.3 else "bright")
    if max(width, height) > 1.3 * min(width, height):
        other.append("wide" if width > height else "tall")
    return Facts(width, height, colours(pixels), tuple(other), seconds, patches or {})


def colours(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Name the colours of RGB pixels, shape (…, 3): name → share, largest first, only those of 5 % and more."""
    found, counts = np.unique(named(pixels), return_counts=True)
    shares = sorted(zip((counts / counts.sum()).tolist(), found.tolist(), strict=True), reverse=True)
    return {name: share for share, name in shares if share >= 0.05 or share == shares[0][0]}


def named(pixels: NDArray[np.uint8]) -> NDArray[np.str_]:
    """Name the colour of each RGB pixel, shape (…, 3)."""
    rgb = pixels.reshape(-1, 3).astype(np.float32) / 255
    value, low = rgb.max(axis=1), rgb.min(axis=1)
    spread = value - low
    saturation = spread / np.maximum(value, 1e-6)
    red, green, blue = rgb.T
    # The usual way from RGB to a hue, in degrees.
    safe = np.maximum(spread, 1e-6)
    hue = np.select(
        [value == red, value == green],
        [(green - blue) / safe % 6, (blue - red) / safe + 2],
        (red - green) / safe + 4,
    )
    names = np.select([hue * 60 < limit for limit, _ in HUES], [name for _, name in HUES], "red").astype("<U9")
    names[(names == "orange") & (value < 0.65)] = "brown"
    names[(names == "pink") & (value < 0.65)] = "purple"
    names[(names == "red") & (saturation < 0.55) & (value > 0.7)] = "pink"
    colourless = (saturation < 0.18) | (value < 0.18)
    names[colourless] = np.select([value < 0.25, value > 0.82], ["black", "white"], "grey")[colourless]
    return names.reshape(pixels.shape[:-1])
