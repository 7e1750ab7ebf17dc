"""Splits tables of values that are apart by commas or tabs, and were read as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relance.chunkers.boundaries import first_line
from relance.chunkers.code import line_boundaries
from relance.chunkers.leads import longest_lead, within
from relance.chunkers.packing import pack
from relance.documents import Chunk

if TYPE_CHECKING:
    from relance.documents import Document
    from relance.embedding.tokenizers import Tokenizer

__all__ = ["DELIMITED", "DelimitedChunker"]

DELIMITED = ("text/csv", "text/tab-separated-values")


@dataclass(slots=True, frozen=True)
class DelimitedChunker:
    """Split between lines; what does not begin with the first line has it as its lead."""

    tokenizer: Tokenizer
    max_tokens: int
    overlap_tokens: int = 0

    def split(self, document: Document) -> list[Chunk]:
        """See `Chunker`."""
        text = document.text
        spans = pack(text, line_boundaries, self.tokenizer, self.max_tokens, self.overlap_tokens)
        begin = first_line(text) or 0
        end = text.find("\n", begin)
        header = within(text[begin : end if end > 0 else None].strip(), longest_lead(self.max_tokens))
        return [Chunk(*span, lead=header if 0 < end < span.start else "") for span in spans]
