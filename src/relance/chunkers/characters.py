"""What kind of character stands where: the alphabet in which boundaries are found, many megabytes a second."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WINDOW", "Kind", "code_points", "kinds", "line_starts", "whole_character"]


class Kind:
    """Properties of a character, as bits; one may have several."""

    SPACE = np.uint16(1)
    LETTER = np.uint16(2)
    LOWER = np.uint16(4)
    CJK = np.uint16(8)  # scripts and punctuation that need no blanks between words
    STOP = np.uint16(16)  # ends a sentence
    PAUSE = np.uint16(32)  # ends a clause
    OPENS = np.uint16(64)  # bracket or quote that belongs to what follows
    CLOSES = np.uint16(128)  # … to what precedes
    EXTENDS = np.uint16(256)  # part of the character before: combining marks, variation selectors, skin tones, joiners


STOPS = ".!?…。！？；．｡؟۔।॥"
PAUSES = ",;:，、：､،؛"
JOINER = "\u200d"
# Characters looked at in one go, so that memory does not grow by the arrays about every character of a long text.
WINDOW = 1 << 18
# Code points; a base with more marks than fit in here is no character of any script.
LONGEST_CHARACTER = 64


def code_points(text: str) -> NDArray[np.unsignedinteger]:
    """Give the code point of each character; shape (len(text),), uint8 of ASCII, else uint32."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def line_starts(text: str) -> NDArray[np.int64]:
    """Find the offset after each line end."""
    windows = range(0, len(text), WINDOW)
    found = [np.flatnonzero(code_points(text[at : at + WINDOW]) == ord("\n")) + (at + 1) for at in windows]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def kinds(points: NDArray[np.unsignedinteger]) -> NDArray[np.uint16]:
    """Give the `Kind` of each code point, same shape."""
    if points.dtype == np.uint8:  # four times as fast as what follows
        return np.frombuffer(points.tobytes().translate(_ascii()), np.uint8).astype(np.uint16)
    basic = np.minimum(points, 0xFFFF)
    for block in np.flatnonzero(np.bincount(basic >> 8, minlength=256)):
        _learn(int(block))
    found = _basic_plane[basic]
    if len(points) and points.max() > 0xFFFF:
        found[(points >= 0x20000) & (points < 0x40000)] = Kind.LETTER | Kind.CJK
        tones = (points >= 0x1F3FB) & (points <= 0x1F3FF)
        found[tones | (points >= 0xE0020) & (points <= 0xE01EF)] = Kind.EXTENDS
    return found


def whole_character(text: str, place: int, floor: int) -> int:
    """Move a place back to where it divides nothing a reader takes for one character, but never to `floor`."""
    least = max(floor, place - LONGEST_CHARACTER)
    at = place
    while least < at < len(text) and _joined(text, at):
        at -= 1
    return at if at > least else place


def _joined(text: str, at: int) -> bool:
    here, before = text[at], text[at - 1]
    if before == JOINER or kinds(code_points(here))[0] & Kind.EXTENDS:
        return True
    if "\udc00" <= here <= "\udfff" and "\ud800" <= before <= "\udbff":
        return True
    if _regional(here) and _regional(before):  # flags are pairs: count how many such letters stand before
        run = at
        while run > max(0, at - LONGEST_CHARACTER) and _regional(text[run - 1]):
            run -= 1
        return (at - run) % 2 == 1
    return False


def _regional(character: str) -> bool:
    return ord(character) in range(0x1F1E6, 0x1F200)


_basic_plane = np.zeros(0x10000, np.uint16)  # filled block by block, as texts need them


@cache
def _ascii() -> bytes:
    _learn(0)
    return _basic_plane[:256].astype(np.uint8).tobytes()  # no ASCII character extends another: it is the ninth bit


@cache
def _learn(block: int) -> None:
    """Look up the kinds of 256 characters; all 65,536 would take a sixth of a second."""
    table = np.zeros(0x10000, np.uint16)
    for point in range(block << 8, min((block + 1) << 8, 0xFFFF)):  # the last one stands for everything above
        character = chr(point)
        category = unicodedata.category(character)
        if category == "Cn":
            continue
        kind = np.uint16(0)
        if character.isspace():
            kind = Kind.SPACE
        elif category[0] == "L":
            kind = Kind.LETTER | (Kind.LOWER if category == "Ll" else kind)
            if 0x1160 <= point <= 0x11FF:  # vowels and finals of decomposed Hangul
                kind |= Kind.EXTENDS
        elif category[0] == "M" or character == JOINER:
            kind = Kind.EXTENDS
        elif category in {"Ps", "Pi"}:
            kind = Kind.OPENS
        elif category in {"Pe", "Pf"} or character in "\"'":
            kind = Kind.CLOSES
        if 0x2E80 <= point <= 0xA4CF or 0xF900 <= point <= 0xFAFF or 0xFE30 <= point <= 0xFE4F or point >= 0xFF00:
            kind |= Kind.CJK
        table[point] = kind
    for characters, kind in ((STOPS, Kind.STOP), (PAUSES, Kind.PAUSE)):
        table[[ord(character) for character in characters]] |= kind
    _basic_plane[block << 8 : (block + 1) << 8] = table[block << 8 : (block + 1) << 8]
