"""Keeps a document whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from relance.chunkers.boundaries import find_boundaries
from relance.chunkers.packing import pack
from relance.counted import counted
from relance.documents import Chunk
from relance.errors import DocumentError

if TYPE_CHECKING:
    from relance.documents import Document
    from relance.embedding.tokenizers import Tokenizer

__all__ = ["WholeChunker"]


@dataclass(slots=True, frozen=True)
class WholeChunker:
    """One chunk a document; DocumentError where that is more than the limit."""

    tokenizer: Tokenizer
    max_tokens: int

    def split(self, document: Document) -> list[Chunk]:
        """See `Chunker`."""
        spans = pack(document.text, find_boundaries, self.tokenizer, self.max_tokens)
        if len(spans) > 1:
            tokens = int(self.tokenizer.count([document.text.strip()])[0])
            raise DocumentError(
                document.uri,
                f"it has {counted(tokens, 'token')}, and a chunk may have {self.max_tokens:,}: "
                "choose the chunking strategy `text`, or raise max_tokens if the model takes more",
            )
        return [Chunk(span.start, span.end, span.tokens) for span in spans]
