"""Where a text may be split, and how good each place is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from relance.chunkers.characters import Kind, code_points, kinds

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Boundaries", "Level", "find_boundaries", "first_line"]

WORD = re.compile(r"\S")
# Blanks before the first word of a line that belong to a chunk which begins there: list and code keep their shape.
INDENTATION = 32
# A line that long without a full stop was probably broken by an editor, in the middle of a sentence.
WRAPPED = 40


class Level(IntEnum):
    """How good a place is to begin a chunk; higher is better."""

    GLUE = 1  # within a link, inline code, a line of a table: only if there is nothing else
    WORD = 2
    CLAUSE = 3
    SENTENCE = 4
    LINE = 5
    PARAGRAPH = 6
    HEADING = 7  # the deepest; shallower ones count one more each


@dataclass(slots=True)
class Boundaries:
    """Places where a chunk may begin.

    Attributes:
        positions: character offsets, ascending, int64; each has only blanks of its line before the next word.
        levels: `Level` of each, int8, same shape.
        blocks: (start, end) offsets of what is kept in one chunk where it fits; int64, shape (blocks, 2), ascending.
    """

    positions: NDArray[np.int64]
    levels: NDArray[np.int8]
    blocks: NDArray[np.int64]

    def inside(self, spans: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of each position whether it lies within one of the spans, not at an end; shape (positions,)."""
        change = np.zeros(len(self.positions) + 1, np.int64)
        np.add.at(change, np.searchsorted(self.positions, spans[:, 0], "right"), 1)
        np.add.at(change, np.searchsorted(self.positions, spans[:, 1], "left"), -1)
        return np.cumsum(change[:-1]) > 0

    def set_level(self, at: NDArray[np.int64], level: NDArray[np.int8]) -> None:
        """Set the level of the first position at or after each offset."""
        found = np.searchsorted(self.positions, at)
        known = found < len(self.positions)
        self.levels[found[known]] = level[known]

    def drop(self, unwanted: NDArray[np.bool_]) -> None:
        """Take positions out."""
        self.positions = self.positions[~unwanted]
        self.levels = self.levels[~unwanted]


def find_boundaries(text: str) -> Boundaries:
    """Find paragraphs, lines, sentences, clauses and words of any script that marks them."""
    points = code_points(text)
    kind = kinds(points)
    levels = np.zeros(len(text) + 1, np.int8)
    _within_cjk(kind, levels)
    _after_blanks(points, kind, levels)
    begin = first_line(text)
    if begin is not None:
        levels[begin] = Level.LINE
    positions = np.flatnonzero(levels)
    return Boundaries(positions, levels[positions], np.zeros((0, 2), np.int64))


def first_line(text: str) -> int | None:
    """Find where the first line that is not blank begins, with its indentation; None in a text of blanks."""
    word = WORD.search(text)
    if word is None:
        return None
    margin = text.rfind("\n", 0, word.start()) + 1
    return margin if word.start() - margin <= INDENTATION else word.start()


def _ends(kind: NDArray[np.uint16], at: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """Find the character that ends what lies before each offset, looking past two closing brackets or quotes."""
    last = at - 1
    for _ in range(2):
        last = np.where((kind[last] & Kind.CLOSES != 0) & (last > 0), last - 1, last)
    return last, kind[last]


def _within_cjk(kind: NDArray[np.uint16], levels: NDArray[np.int8]) -> None:
    cjk = kind & Kind.CJK != 0
    if not cjk.any():
        return
    stays = kind & (Kind.SPACE | Kind.EXTENDS | Kind.CLOSES | Kind.STOP | Kind.PAUSE) != 0
    holds = kind & (Kind.SPACE | Kind.OPENS) != 0
    ends = cjk.copy()
    ends[1:] |= cjk[:-1] & (kind[1:] & Kind.CLOSES != 0)  # the curly quotes are everybody's
    at = np.flatnonzero((cjk[1:] | ends[:-1]) & ~stays[1:] & ~holds[:-1]) + 1
    _, last = _ends(kind, at)
    level = np.where(last & Kind.PAUSE != 0, Level.CLAUSE, Level.WORD)
    levels[at] = np.where(last & Kind.STOP != 0, Level.SENTENCE, level)


def _after_blanks(points: NDArray[np.uint32], kind: NDArray[np.uint16], levels: NDArray[np.int8]) -> None:
    space = kind & Kind.SPACE != 0
    turns = np.flatnonzero(space[1:] != space[:-1]) + 1
    if len(space) and space[0]:
        turns = turns[1:]
    begins, at = (
        turns[: len(turns) // 2 * 2 : 2],
        turns[1::2],
    )  # of each run of blanks between words, and of what follows
    line_ends = np.flatnonzero(points == ord("\n"))
    first, after = np.searchsorted(line_ends, begins), np.searchsorted(line_ends, at)
    keep = (kind[at] & Kind.EXTENDS == 0) | (after > first)  # a mark may belong to a blank, not to a line end
    begins, at, first, after = begins[keep], at[keep], first[keep], after[keep]
    if not len(at):
        return

    where, last = _ends(kind, begins)
    stop = last & Kind.STOP != 0
    # "J. Smith", "e.g. this", "etc. and so on" go on.
    single = (kind[np.maximum(where - 1, 0)] & Kind.LETTER != 0) & (kind[np.maximum(where - 2, 0)] & Kind.LETTER == 0)
    stop &= ~((points[where] == ord(".")) & (single | (kind[at] & Kind.LOWER != 0)))
    level = np.where(last & Kind.PAUSE != 0, Level.CLAUSE, Level.WORD)
    level = np.where(stop, Level.SENTENCE, level)

    lines = after - first  # line ends in the run
    broken = lines > 0
    line_start = np.where(first > 0, line_ends[np.maximum(first - 1, 0)] + 1, 0) if len(line_ends) else 0
    wrapped = (begins - line_start >= WRAPPED) & ~stop & (kind[at] & Kind.LETTER != 0)
    level = np.where(broken, np.where(wrapped, Level.CLAUSE, Level.LINE), level)
    announced = (points[where] == ord(":")) | (points[where] == ord("："))
    level = np.where(lines > 1, np.where(announced, Level.LINE, Level.PARAGRAPH), level)

    if len(line_ends):
        margin = line_ends[np.maximum(after - 1, 0)] + 1
        at = np.where(broken & (at - margin <= INDENTATION), margin, at)
    levels[at] = level
