"""Where a text may be split, and how good each place is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from relance.chunkers.characters import WINDOW, Kind, code_points, kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["TITLE", "Boundaries", "Level", "find_boundaries", "first_line"]

WORD = re.compile(r"\S")
# Blanks before the first word of a line that belong to a chunk which begins there: list and code keep their shape.
INDENTATION = 32
# Characters before an offset that decide about it, generously: the end of a sentence, how long its line is.
CONTEXT = 64
NO_BLOCKS = np.zeros((0, 2), np.int64)
# A line that long without a full stop was probably broken by an editor, in the middle of a sentence.
WRAPPED = 40
# A short line between blank ones that is no sentence, or a question: what plain text has for headings.
TITLE = re.compile(r"(?:\A|(?<=\n\n))(?=[^\W_])[^\n]{1,48}(?<![.!…。！,;，；\s])(?=[ \t]{0,9}\n[ \t]{0,9}\n)")


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
        positions: character offsets, ascending, int32; each has only blanks of its line before the next word.
        levels: `Level` of each, int8, same shape.
        blocks: (start, end) offsets of what is kept in one chunk where it fits; int64, shape (blocks, 2), ascending.
    """

    positions: NDArray[np.int32]
    levels: NDArray[np.int8]
    blocks: NDArray[np.int64]

    # numpy copies the whole array to search it for a number of another type, also for one of Python's.
    def first_from(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Find the first position at or after each offset."""
        return self.positions.searchsorted(at.astype(np.int32))

    def first_after(self, at: int) -> int:
        """Find the first position after an offset."""
        return int(self.positions.searchsorted(np.int32(at), "right"))

    def inside(self, spans: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of each position whether it lies within one of the spans, not at an end; shape (positions,)."""
        first = self.first_from(spans[:, 0] + 1)
        many = np.maximum(self.first_from(spans[:, 1]) - first, 0)
        found = np.zeros(len(self.positions), bool)
        found[np.repeat(first - many.cumsum() + many, many) + np.arange(many.sum())] = True
        return found

    def among(self, offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say of each position whether it is one of some offsets; shape (positions,)."""
        found = np.zeros(len(self.positions), bool)
        offsets = offsets[: offsets.searchsorted(self.positions[-1:].max(initial=-1), "right")]
        at = self.first_from(offsets)
        found[at[self.positions[at] == offsets]] = True
        return found

    def set_level(self, at: NDArray[np.int64], level: NDArray[np.int8]) -> None:
        """Set the level of the first position at or after each offset."""
        found = self.first_from(at)
        known = found < len(self.positions)
        self.levels[found[known]] = level[known]

    def hold(self, lines: Sequence[tuple[int, int]], following: Sequence[int] = ()) -> None:
        """Let lines that introduce what follows end no chunk, if possible; but for one above another one.

        Args:
            lines: (start, end) of each, ascending, disjoint.
            following: offsets of what is introduced by none, either; ascending.
        """
        if not lines:
            return
        spans = np.array(lines, np.int64)
        after = self.first_from(spans[:, 1])
        after = after[after < len(self.positions)]
        held = self.inside(spans)
        held[after] = True
        held &= ~self.among(spans[:, 0])
        if len(following):
            held &= ~self.among(np.array(following, np.int64))
        self.levels[held] = Level.GLUE

    def drop(self, unwanted: NDArray[np.bool_]) -> None:
        """Take positions out."""
        self.positions = self.positions[~unwanted]
        self.levels = self.levels[~unwanted]


def find_boundaries(text: str, window: int = WINDOW) -> Boundaries:
    """Find paragraphs, lines, sentences, clauses and words of any script that marks them.

    About `window` characters are looked at in one go.
    """
    begin = first_line(text)
    found: list[tuple[NDArray[np.int32], NDArray[np.int8]]] = []
    start = -1
    while begin is not None and start < len(text):
        # Runs of blanks are seen whole: windows meet at a word or within one.
        word = WORD.search(text, start + window)
        stop = word.start() if word else len(text)
        lead = max(start - CONTEXT, 0)
        levels = _levels(text[lead : stop + 1])
        if start < 0:
            levels[begin] = Level.LINE
        levels = levels[start + 1 - lead : stop + 1 - lead]
        positions = np.flatnonzero(levels)
        found.append(((positions + (start + 1)).astype(np.int32), levels[positions]))
        start = stop
    if not found:
        return Boundaries(np.zeros(0, np.int32), np.zeros(0, np.int8), NO_BLOCKS)
    positions, levels = found[0] if len(found) == 1 else map(np.concatenate, zip(*found, strict=True))
    return Boundaries(positions, levels, NO_BLOCKS)


def _levels(text: str) -> NDArray[np.int8]:
    """Give the level of each offset, 0 where no chunk may begin."""
    points = code_points(text)
    kind = kinds(points)
    levels = np.zeros(len(text), np.int8)
    _within_cjk(kind, levels)
    _after_blanks(points, kind, levels)
    return levels


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
    found = kind[last]
    for _ in range(2):
        closes = np.flatnonzero((found & Kind.CLOSES != 0) & (last > 0))
        last[closes] -= 1
        found[closes] = kind[last[closes]]
    return last, found


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


def _after_blanks(points: NDArray[np.unsignedinteger], kind: NDArray[np.uint16], levels: NDArray[np.int8]) -> None:
    space = kind & Kind.SPACE != 0
    turns = np.flatnonzero(space[1:] != space[:-1]) + 1
    if len(space) and space[0]:
        turns = turns[1:]
    # Of each run of blanks between words, and of what follows.
    begins, at = turns[: len(turns) // 2 * 2 : 2], turns[1::2]
    line_ends = np.flatnonzero(points == ord("\n"))
    extends = np.flatnonzero(kind[at] & Kind.EXTENDS)
    if len(extends):  # a mark may belong to a blank, not to a line end
        same_line = line_ends.searchsorted(begins[extends]) == line_ends.searchsorted(at[extends])
        begins, at = np.delete(begins, extends[same_line]), np.delete(at, extends[same_line])
    if not len(at):
        return

    where, last = _ends(kind, begins)
    level = np.full(len(at), Level.WORD, np.int8)
    level[last & Kind.PAUSE != 0] = Level.CLAUSE
    stops = np.flatnonzero(last & Kind.STOP)
    dot = where[stops]
    # "J. Smith", "e.g. this", "etc. and so on" go on.
    single = (kind[np.maximum(dot - 1, 0)] & Kind.LETTER != 0) & (kind[np.maximum(dot - 2, 0)] & Kind.LETTER == 0)
    goes_on = (points[dot] == ord(".")) & (single | (kind[at[stops]] & Kind.LOWER != 0))
    level[stops[~goes_on]] = Level.SENTENCE
    _after_line_ends(points, kind, line_ends, (begins, at, where, level))
    levels[at] = level


def _after_line_ends(
    points: NDArray[np.unsignedinteger],
    kind: NDArray[np.uint16],
    line_ends: NDArray[np.int64],
    runs: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]],
) -> None:
    """Set offset and level of what follows those runs of blanks that have line ends in them."""
    begins, at, where, level = runs
    run = begins.searchsorted(line_ends, "right") - 1  # that each line end is in, if it is between words
    between = np.flatnonzero((run >= 0) & (line_ends < at[run]))
    if not len(between):
        return
    first, final = np.ones((2, len(between)), bool)  # line end in its run
    first[1:] = final[:-1] = np.diff(run[between]) != 0
    first, final = between[first], between[final]
    broken = run[first]
    line_start = np.where(first > 0, line_ends[first - 1] + 1, 0)
    here = kind[at[broken]]
    wrapped = (begins[broken] - line_start >= WRAPPED) & (level[broken] != Level.SENTENCE) & (here & Kind.LETTER != 0)
    ending = points[where[broken]]
    announced = (ending == ord(":")) | (ending == ord("："))
    level[broken] = np.where(
        final > first,
        np.where(announced, Level.LINE, Level.PARAGRAPH),
        np.where(wrapped, Level.CLAUSE, Level.LINE),
    )
    margin = line_ends[final] + 1
    near = at[broken] - margin <= INDENTATION
    at[broken[near]] = margin[near]
