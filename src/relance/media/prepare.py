"""What is sent of a file where the file itself is not what a model should see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from relance.documents import Moment, digest
from relance.errors import InputError
from relance.media import Facts
from relance.media.pixel_gate import decoders
from relance.media.plain import is_plain
from relance.media.rules import MediaRules
from relance.media.scale import copy, decoded_pixels, fits

__all__ = [
    "Animated",
    "Copies",
    "evenly",
    "film_copies",
    "film_moments",
    "film_outlooks",
    "picture_copies",
    "picture_outlook",
]

Animated = Literal["first", "frames"]

_FRAMES = 8  # of what moves, at most; models look at as many of a film


@dataclass(slots=True, frozen=True)
class Copies:
    """Pictures that are sent in place of a file.

    Attributes:
        data: the pictures.
        media_types: of each.
        mark: what tells their vector from that of the file; empty where it is meant to be the same.
        warning: what of the file they do not show; empty where they show all of it.
        moments: of a film: what each of them is, if each gets a vector of its own.
    """

    data: tuple[bytes, ...]
    media_types: tuple[str, ...]
    mark: str = ""
    warning: str = ""
    moments: tuple[Moment, ...] = ()

    @property
    def count(self) -> int:
        """Pictures that are sent, also where they are not made yet."""
        return int(self.mark.rpartition(":")[2] or 1)


def picture_copies(
    data: bytes, facts: Facts, rules: MediaRules, *, scale: bool = False, animated: Animated = "first"
) -> Copies | None:
    """Make what is sent of a picture; None where it can be sent as it is, or only `check` can say why not.

    A copy is made of formats that the model does not take, of pictures that a camera turned, that have colours of
    another profile, or that something shows through, and with `scale` of those over the limits.

    Args:
        data: the file.
        facts: what `inspect` found.
        rules: what the model takes.
        scale: whether the spec lets it become smaller.
        animated: whether several frames of what moves are sent, where the model takes several pictures.

    Raises InputError and MissingExtraError as `scale.copy`.
    """
    with decoders.decoding(decoded_pixels(data, facts, rules, shrink=scale)):
        return _picture_copies(data, facts, rules, scale=scale, animated=animated)


def _picture_copies(data: bytes, facts: Facts, rules: MediaRules, *, scale: bool, animated: Animated) -> Copies | None:
    copies = picture_outlook(facts, rules, animated=animated)
    if copies.mark:
        places = evenly(facts.frames, copies.count)
        made = [copy(data, facts, rules, shrink=scale, frame=place) for place in places]
        return _with(copies, made)
    if facts.media_type in rules.image_formats and is_plain(data, facts) and (fits(facts, rules) or not scale):
        return copies if copies.warning else None
    if not rules.image_formats:
        return None
    return _with(copies, [copy(data, facts, rules, shrink=scale)])


def picture_outlook(facts: Facts, rules: MediaRules, *, animated: Animated = "first") -> Copies:
    """Say what `picture_copies` makes, without the pictures: mark and warning."""
    if facts.frames <= 1:
        return Copies((), ())
    if animated == "frames" and rules.views > 1:
        count = len(evenly(facts.frames, min(_FRAMES, rules.views)))
        warning = f"it moves: {count} of {facts.frames} frames are embedded" if count < facts.frames else ""
        return Copies((), (), f"frames:{count}", warning)
    return Copies((), (), "", f"it moves: the first of {facts.frames} frames is embedded")


def film_copies(data: bytes, facts: Facts, rules: MediaRules) -> Copies:
    """Make pictures of key frames of a film, evenly spread, for a model that takes several pictures as one thing.

    Raises InputError where the model does not, or the film cannot be decoded; MissingExtraError.
    """
    if rules.views < 2:
        raise InputError("the model takes no sets of pictures, so that key frames cannot stand for a film")
    from relance.media.films import key_frames

    frames = key_frames(data, facts, min(_FRAMES, rules.views))
    made = _frame_copies([each.data for each in frames], facts, rules)
    return _with(_film_outlook(facts, len(made)), made)


def film_outlooks(facts: Facts, rules: MediaRules) -> list[Copies]:
    """Say what `film_copies` may make, without the pictures: how many key frames there are is not known before."""
    return [_film_outlook(facts, count) for count in range(min(_FRAMES, rules.views), 0, -1)]


def _film_outlook(facts: Facts, count: int) -> Copies:
    length = f" of {facts.duration_s:g} s" if facts.duration_s else ""
    return Copies((), (), f"key-frames:{count}", f"a film{length}: {count} of its key frames are embedded")


def film_moments(data: bytes, facts: Facts, rules: MediaRules, most: int) -> Copies:
    """Make pictures of at most so many key frames of a film, each of which gets a vector of its own.

    Raises InputError where the film cannot be decoded; MissingExtraError.
    """
    from relance.media.films import key_frames

    frames = key_frames(data, facts, most)
    made = _with(Copies((), ()), _frame_copies([each.data for each in frames], facts, rules))
    moments = [Moment(each.moment_s, digest("file", sent)) for each, sent in zip(frames, made.data, strict=True)]
    return replace(made, moments=tuple(moments))


def _frame_copies(frames: list[bytes], facts: Facts, rules: MediaRules) -> list[tuple[bytes, Facts]]:
    from relance.media.inspect import inspect

    with decoders.decoding(facts.width * facts.height):
        return [copy(frame, inspect(frame, "a frame"), rules, shrink=True) for frame in frames]


def evenly(count: int, most: int) -> list[int]:
    """Choose places among so many, from the first on, evenly spread."""
    wanted = min(count, most)
    return [place * count // wanted for place in range(wanted)]


def _with(copies: Copies, made: list[tuple[bytes, Facts]]) -> Copies:
    return replace(copies, data=tuple(data for data, _ in made), media_types=tuple(each.media_type for _, each in made))
