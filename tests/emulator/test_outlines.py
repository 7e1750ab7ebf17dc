"""What the emulator sees of drawn things: figures before a background."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from relance_emulator.outlines import outlines
from relance_emulator.pictures import named


def seen(
    *shapes: tuple[str, tuple[int, int, int, int]], ground: str = "grey", sky: str = "turquoise"
) -> dict[str, float]:
    image = Image.new("RGB", (48, 48), sky)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 34, 48, 48), fill=ground)
    for colour, box in shapes:
        pen.ellipse(box, fill=colour)
    return outlines(named(np.asarray(image)))


@pytest.mark.parametrize(("count", "word"), [(1, "one"), (2, "two"), (3, "three"), (4, "many")])
def test_figures_are_named_by_colour_number_and_silhouette(count: int, word: str) -> None:
    words = seen(*(("red", (2 + 11 * at, 12, 10 + 11 * at, 20)) for at in range(count)))
    assert {"red", "ball", word} <= words.keys()
    assert not {"one", "two", "three", "many"} - {word} & words.keys()


def test_what_lies_below_and_above_is_the_ground_and_the_sky() -> None:
    assert {"grass", "sky"} <= seen(ground="green").keys()
    assert {"sand", "night"} <= seen(ground="yellow", sky="black").keys()


def test_a_picture_of_one_colour_shows_nothing_more() -> None:
    assert outlines(named(np.asarray(Image.new("RGB", (48, 48), "blue")))) == {}


def test_a_box_is_no_ball_and_a_scrawl_is_nothing() -> None:
    image = Image.new("RGB", (48, 48), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((6, 6, 16, 16), fill="red")
    assert {"red", "box"} <= outlines(named(np.asarray(image))).keys()
    pen.rectangle((0, 0, 48, 48), fill="white")
    pen.line([(8, 8), (30, 8), (9, 20), (30, 40), (12, 40)], fill="red", width=2)
    assert not {"ball", "box"} & outlines(named(np.asarray(image))).keys()
