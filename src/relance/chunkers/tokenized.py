"""A text tokenised once, from which the exact count of any part of it is had nearly for free."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relance.embedding.tokenizers import Tokenizer

__all__ = ["TokenizedText"]

# Places that no token crosses, whatever stands further off: what is between two of a kind need not be counted again.
SEAMS = (
    (re.compile(r"[^\s▁](?= )"), re.compile(r".*[^\s▁](?= )", re.DOTALL)),  # wordllama takes ▁ for a blank
    (re.compile(r"[一-鿿](?=[，。、；：！？])"), re.compile(r".*[一-鿿](?=[，。、；：！？])", re.DOTALL)),
)
# Characters at either end of a part in which a seam is looked for.
MARGIN = 100


class TokenizedText:
    """Token counts of parts of a text; `ends` is where each of its tokens ends, int64, shape (tokens,)."""

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self.text = text
        self.ends = tokenizer.boundaries(text)
        self._tokenizer = tokenizer

    def before(self, at: int) -> int:
        """Count the text's tokens that end up to an offset: about what the part before it has."""
        return int(self.ends.searchsorted(at, "right"))

    def count(self, start: int, end: int) -> int:
        """Count the tokens of `text[start:end]` on its own, exactly."""
        text = self.text
        if self._tokenizer.seams and end - start > 3 * MARGIN:
            for first, last in SEAMS:
                head = first.search(text, start, start + MARGIN)
                tail = last.match(text, end - MARGIN, end) if head else None
                if head and tail:
                    left, right = head.end(), tail.end()
                    edges = text[start:left] + text[right:end]
                    return self.before(right) - self.before(left) + self._count(edges)
        return self._count(text[start:end])

    def _count(self, text: str) -> int:
        return int(self._tokenizer.count([text])[0])
