"""The chunker `sentences`: one chunk for each sentence."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field
from relance.chunkers.text import TextChunker
from relance.config import ChunkingSpec
from relance.documents import Chunk, Document

if TYPE_CHECKING:
    from relance.embedding.tokenizers import Tokenizer

_ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n\s*\n")


class SentencesSpec(ChunkingSpec, title="Sentences"):
    """How documents are split into sentences."""

    together: int = Field(default=1, title="Sentences per chunk", ge=1, le=100)
    """So many sentences are one chunk, if they fit."""


class Sentences:
    """One chunk for each sentence; a sentence that is too long is split as text is."""

    Spec = SentencesSpec
    version = "sentences-1"  # another one when the same document would be split otherwise

    def __init__(self, spec: SentencesSpec, tokenizer: Tokenizer, max_tokens: int) -> None:
        self._together, self._tokenizer, self._max_tokens = spec.together, tokenizer, max_tokens

    def split(self, document: Document) -> list[Chunk]:
        """Split a document: spans in order, without blanks at their ends, within the limit."""
        text = document.text
        ends = [match.end() for match in _ENDS.finditer(text)]
        edges = [0, *ends[self._together - 1 :: self._together], len(text)]
        spans = [_stripped(text, start, end) for start, end in zip(edges, edges[1:], strict=False)]
        spans = [(start, end) for start, end in spans if start < end]
        counts = self._tokenizer.count([text[start:end] for start, end in spans]).tolist() if spans else []
        chunks: list[Chunk] = []
        for (start, end), tokens in zip(spans, counts, strict=True):
            if tokens <= self._max_tokens:
                chunks.append(Chunk(start, end, tokens))
            else:
                parts = TextChunker(self._tokenizer, self._max_tokens).split(replace(document, text=text[start:end]))
                chunks += [Chunk(start + part.start, start + part.end, part.tokens) for part in parts]
        return chunks


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())
