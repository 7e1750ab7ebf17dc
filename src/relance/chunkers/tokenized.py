"""A text tokenised once, from which the exact count of any part of it is had nearly for free."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relance.embedding.tokenizers import Tokenizer

__all__ = ["Part", "TokenizedText"]

# Places that no token crosses, whatever stands further off: what is between two of a kind need not be counted again.
SEAMS = (
    (re.compile(r"[^\s▁](?= )"), re.compile(r".*[^\s▁](?= )", re.DOTALL)),  # wordllama takes ▁ for a blank
    (re.compile(r"[一-鿿](?=[，。、；：！？])"), re.compile(r".*[一-鿿](?=[，。、；：！？])", re.DOTALL)),
)
# Characters at either end of a part in which a seam is looked for.
MARGIN = 100


class Part(NamedTuple):
    """A part of a text: the tokens between its outermost seams, and the text beyond them, still to be counted."""

    inner: int
    edges: str


class TokenizedText:
    """Token counts of parts of a text, which is tokenised without the blanks at its end.

    Attributes:
        text: the text.
        stop: where the blanks at its end begin.
        ends: where each token ends; int32, shape (tokens,).
    """

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        bare = text.rstrip()
        self.text = text
        self.stop = len(bare)
        self.ends = tokenizer.boundaries(bare)
        self._tokenizer = tokenizer

    def before(self, at: int) -> int:
        """Count the text's tokens that end up to an offset: about what the part before it has."""
        # numpy copies the whole array to search it for a number of another type, also for one of Python's.
        return int(self.ends.searchsorted(np.int32(at), "right"))

    def part(self, start: int, end: int) -> Part:
        """Take `text[start:end]` as it would be on its own."""
        text = self.text
        if self._tokenizer.seams:
            if start == 0 and end == self.stop:
                return Part(len(self.ends), "")
            if end - start > 3 * MARGIN:
                for first, last in SEAMS:
                    head = first.search(text, start, start + MARGIN)
                    tail = last.match(text, end - MARGIN, end) if head else None
                    if head and tail:
                        left, right = head.end(), tail.end()
                        return Part(self.before(right) - self.before(left), text[start:left] + text[right:end])
        return Part(0, text[start:end])

    def count(self, start: int, end: int) -> int:
        """Count the tokens of `text[start:end]` on its own, exactly."""
        part = self.part(start, end)
        return self.counts([part])[0] if part.edges else part.inner

    def counts(self, parts: Sequence[Part]) -> list[int]:
        """Count the tokens of each part exactly."""
        edges = self._tokenizer.count([part.edges for part in parts]).tolist()
        return [part.inner + edge for part, edge in zip(parts, edges, strict=True)]

    def fits(self, part: Part, limit: int) -> bool:
        """Say whether a part has at most `limit` tokens; it is counted only where its bytes leave that open."""
        inner, edges = part
        if inner > limit:
            return False
        # A token has a byte at least, except that wordllama puts a blank before a text, and e5 normalises.
        most = len(edges) * (1 if edges.isascii() else 4) + 1
        return (self._tokenizer.seams and inner + most <= limit) or self.counts([part])[0] <= limit
