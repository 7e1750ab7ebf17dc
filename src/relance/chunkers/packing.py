"""Filling chunks: each as full as the limit allows, ending at the best place in its later half."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from relance.chunkers.boundaries import Level, first_line
from relance.chunkers.characters import whole_character
from relance.chunkers.tokenized import Part, TokenizedText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from relance.chunkers.boundaries import Boundaries
    from relance.embedding.tokenizers import Tokenizer

__all__ = ["Span", "pack"]

WORD = re.compile(r"\S")
# A rest smaller than this part of the limit is not left to stand alone.
TAIL = 8
# Spans that are counted in one call.
TOGETHER = 1_000


class Span(NamedTuple):
    """A span of a text: character offsets and its exact tokens."""

    start: int
    end: int
    tokens: int


def pack(
    text: str,
    boundaries: Callable[[str], Boundaries],
    tokenizer: Tokenizer,
    max_tokens: int,
    overlap_tokens: int = 0,
    begins: Sequence[int] = (),
) -> list[Span]:
    """Split a text into spans of at most `max_tokens`; at the offsets `begins` in any case, ascending.

    Spans have neither blank lines at their ends nor blanks at the last one; what no span covers is blank. Each repeats
    at most `overlap_tokens` of the one before. Blocks that fit into a span are never divided.
    """
    start = first_line(text)
    if start is None:
        return []
    tokenized = TokenizedText(text, tokenizer)
    stop = tokenized.stop
    if len(tokenized.ends) <= max_tokens and not begins:
        tokens = tokenized.count(start, stop)
        if tokens <= max_tokens:
            return [Span(start, stop, tokens)]
    packing = _Packing(text, stop, tokenized, boundaries(text), max_tokens, overlap_tokens, begins)
    found = packing.run(start)
    spans: list[Span] = []
    while some := list(islice(found, TOGETHER)):
        counts = tokenized.counts([part for _, _, part in some])
        spans += [Span(start, end, tokens) for (start, end, _), tokens in zip(some, counts, strict=True)]
    return spans


class _Place(NamedTuple):
    at: int  # where the next chunk begins, but for the overlap
    level: int


class _Fitted(NamedTuple):
    """A span that has at most as many tokens as it may; how many is counted later."""

    start: int
    end: int
    part: Part


@dataclass(slots=True)
class _Packing:
    """The work on one text; offsets are characters."""

    text: str
    stop: int
    tokenized: TokenizedText
    boundaries: Boundaries
    limit: int
    overlap: int
    begins: Sequence[int]

    def run(self, start: int) -> Iterator[_Fitted]:
        done = start  # everything before is in a span
        while True:
            fitted = self._fit(start, done)
            if fitted is None:  # with the overlap there is no room for anything new
                start = done
                continue
            span, place = fitted
            yield span
            if place.at >= self.stop:
                return
            done = place.at
            start = self._repeat_from(span, place) if self.overlap else done

    def _fit(self, start: int, done: int) -> tuple[_Fitted, _Place] | None:
        """Take the best span from `start` that ends after `done` and is within the limit."""
        reach = self._reach(start)
        while reach > done:
            place = self._section(done, reach) or self._choose(start, done, reach)
            if place is None:
                return None
            piece = self.text[start : place.at].rstrip()
            if not piece:  # the indentation alone fills the limit
                return self._fit(place.at, place.at)
            end = start + len(piece)
            if end <= done:  # nothing new but indentation
                return None
            part = self.tokenized.part(start, end)
            if self.tokenized.fits(part, self.limit) or len(piece) == 1:
                return _Fitted(start, end, part), place
            # Tokens of a piece are not always those of the text around it. Aim a little lower at the very end, lest a
            # scrap remain.
            aim = self.limit - (self.limit // TAIL if end == self.stop else 0)
            reach = min(end - 1, start + len(piece) * aim // self.tokenized.counts([part])[0])
            if start == done:
                reach = max(reach, start + 1)
        return None

    def _reach(self, start: int) -> int:
        """Find where the limit ends, or a little before where a scrap would remain."""
        before = self.tokenized.before(start)
        rest = len(self.tokenized.ends) - before
        if rest <= self.limit:
            return self.stop
        tail = self.limit // TAIL
        tokens = min(self.limit, rest - tail)
        return max(int(self.tokenized.ends[before + tokens - 1]), start + 1)

    def _section(self, done: int, reach: int) -> _Place | None:
        """Find the next place where a span begins in any case, if it comes before the limit."""
        at = bisect_right(self.begins, done)
        if at < len(self.begins) and self.begins[at] <= self._after_blanks(reach):
            return _Place(self.begins[at], Level.HEADING)
        return None

    def _choose(self, start: int, done: int, reach: int) -> _Place | None:
        """Choose where to end: never later than `reach`, always after `done`."""
        latest = self._after_blanks(reach)  # blanks cost nothing: they are not in the span
        if len(self.boundaries.blocks):
            latest = self._beside_block(start, latest)
        if latest >= self.stop:
            return _Place(self.stop, 0)
        if latest <= done:
            return None
        positions, levels = self.boundaries.positions, self.boundaries.levels
        before = self.tokenized.before(start)
        size = self.tokenized.before(latest) - before
        last = self.boundaries.first_after(latest)

        def best(part: float) -> _Place | None:
            """Choose among the places after a part of the span: the highest level, then the latest."""
            fill = before + int(size * part)
            least = max(done, int(self.tokenized.ends[fill - 1]) if part and fill else 0)
            first = self.boundaries.first_after(least)
            if first >= last:
                return None
            at = last - 1 - int(levels[first:last][::-1].argmax())
            return _Place(int(positions[at]), int(levels[at]))

        heading = best(0.25)
        if heading and heading.level >= Level.HEADING:
            return heading
        for part in (0.5, 0.25, 0.0):
            place = best(part)
            if place and place.level > Level.GLUE:
                return place
        if place:
            return place
        at = whole_character(self.text, min(latest, reach), done)
        return _Place(self._after_blanks(at), 0)

    def _after_blanks(self, at: int) -> int:
        word = WORD.search(self.text, at, self.stop)
        return word.start() if word else self.stop

    def _beside_block(self, start: int, latest: int) -> int:
        """Go back to the start of the block that `latest` would divide, or to its end where the span begins with it.

        Blocks that do not fit into a span of their own are divided.
        """
        blocks = self.boundaries.blocks
        found = int(blocks[:, 0].searchsorted(latest, "left")) - 1
        if found < 0:
            return latest
        begin, end = int(blocks[found, 0]), int(blocks[found, 1])
        end = min(end, self.stop)
        tokenized = self.tokenized
        if not start <= begin < latest < end or not tokenized.fits(tokenized.part(begin, end), self.limit):
            return latest
        return begin if start < begin else self._after_blanks(end)

    def _repeat_from(self, span: _Fitted, place: _Place) -> int:
        """Find where the next span begins so that it repeats whole sentences, else words, within the overlap."""
        if place.level >= Level.HEADING:
            return place.at
        positions = self.boundaries.positions
        before = self.tokenized.before(span.end)
        least = int(self.tokenized.ends[max(before - self.overlap - 1, 0)])
        first = self.boundaries.first_after(max(least - 1, span.start))
        last = self.boundaries.first_after(place.at - 1)
        levels = np.minimum(self.boundaries.levels[first:last], Level.SENTENCE)
        for at in first + np.lexsort((positions[first:last], -levels)):
            if self.boundaries.levels[at] == Level.GLUE:
                break
            begin = int(positions[at])
            if self.tokenized.fits(self.tokenized.part(begin, span.end), self.overlap):
                return begin
        return place.at
