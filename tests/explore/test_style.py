"""Colours that are read, in both schemes (WCAG 2.2 AA); what pages make of them is looked at in a browser (tests/e2e)."""

from __future__ import annotations

import re

import pytest

from relance.explore.templates import STATIC

BACKGROUNDS = {
    "ink": ("page", "surface", "sunken", "mark", "soft", "soso-soft", "bad-soft"),
    "dim": ("page", "surface", "sunken", "soft", "soso-soft", "bad-soft"),
    "accent": ("page", "surface", "sunken", "soft"),
    "on-accent": ("accent",),
    "bad": ("bad-soft",),
    "soso": ("soso-soft",),
    "good": ("good-soft",),
}


@pytest.fixture(scope="module")
def colours() -> dict[str, tuple[str, str]]:
    """Read the colours of the style sheet: light, dark."""
    style = (STATIC / "explore.css").read_text(encoding="utf-8")
    return {
        name: (light, dark) for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", style)
    }


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_black_on_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize(("front", "behind"), [(front, each) for front, all_ in BACKGROUNDS.items() for each in all_])
def test_words_stand_out(colours: dict[str, tuple[str, str]], front: str, behind: str) -> None:
    for one, other in zip(colours[front], colours[behind], strict=True):
        assert contrast(one, other) >= 4.5


@pytest.mark.parametrize("behind", ["page", "surface"])
def test_edges_of_fields_and_what_has_the_focus_are_seen(colours: dict[str, tuple[str, str]], behind: str) -> None:
    for front in ("edge", "accent"):
        for one, other in zip(colours[front], colours[behind], strict=True):
            assert contrast(one, other) >= 3
