"""Splits prose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relance.chunkers.boundaries import TITLE, find_boundaries
from relance.chunkers.packing import pack
from relance.documents import Chunk

if TYPE_CHECKING:
    from relance.chunkers.boundaries import Boundaries
    from relance.documents import Document
    from relance.embedding.tokenizers import Tokenizer

__all__ = ["TextChunker"]


@dataclass(slots=True, frozen=True)
class TextChunker:
    """Split at paragraphs, lines, sentences, clauses, words: the best place in the later half of what fits."""

    tokenizer: Tokenizer
    max_tokens: int
    overlap_tokens: int = 0

    def split(self, document: Document) -> list[Chunk]:
        """See `Chunker`."""
        spans = pack(document.text, text_boundaries, self.tokenizer, self.max_tokens, self.overlap_tokens)
        return [Chunk(span.start, span.end, span.tokens) for span in spans]


def text_boundaries(text: str) -> Boundaries:
    """Find boundaries, of which none is between a title and what it is the title of."""
    found = find_boundaries(text)
    found.hold([match.span() for match in TITLE.finditer(text)])
    return found
