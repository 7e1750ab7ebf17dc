"""How documents are cut. `chunker_for` picks one by strategy and syntax."""

from __future__ import annotations

from typing import Protocol

from relance.documents import Chunk, Document
from relance.spec import ChunkingSpec
from relance.tokens import Tokenizer

__all__ = ["Chunker", "chunk_document", "chunker_for"]


class Chunker(Protocol):
    """One way to cut a document into spans."""

    def split(self, document: Document) -> list[Chunk]:
        """Cut the document; every span is non-blank, in order, and within the token limit."""
        ...
