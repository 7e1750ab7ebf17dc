"""The strategies of `chunking`, as an index file names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from relance.chunkers.code import CodeChunker, SyntaxChunker
from relance.chunkers.delimited import DELIMITED, DelimitedChunker
from relance.chunkers.markdown import MarkdownChunker
from relance.chunkers.text import TextChunker
from relance.chunkers.whole import WholeChunker
from relance.config import ChunkingSpec

if TYPE_CHECKING:
    from relance.documents import Chunk, Document
    from relance.embedding.tokenizers import Tokenizer

__all__ = ["Auto", "Code", "Markdown", "Text", "Whole"]


@dataclass(slots=True, frozen=True)
class Auto:
    """The way that fits each document, by its syntax."""

    Spec: ClassVar = ChunkingSpec
    version: ClassVar = 2

    spec: ChunkingSpec
    tokenizer: Tokenizer
    max_tokens: int

    def split(self, document: Document) -> list[Chunk]:
        """See `Chunker`."""
        syntax = document.syntax.partition(":")[0]
        return self._split(document, "delimited" if syntax == "text" and document.media_type in DELIMITED else syntax)

    def _split(self, document: Document, syntax: str) -> list[Chunk]:
        # Everything else, such as rows that do not fit, is text.
        ways = {"code": CodeChunker, "delimited": DelimitedChunker}
        if syntax == "markdown":
            return MarkdownChunker(self.tokenizer, self.max_tokens, self._overlap, self.spec.split_at).split(document)
        way = ways.get(syntax, TextChunker)
        return way(self.tokenizer, self.max_tokens, self._overlap).split(document)

    @property
    def _overlap(self) -> int:
        return min(self.spec.overlap_tokens, self.max_tokens // 2)


class Markdown(Auto):
    """Sections, code fences and tables, whatever the document is."""

    def split(self, document: Document) -> list[Chunk]:
        """See `Chunker`."""
        return self._split(document, "markdown")


class Text(Auto):
    """Paragraphs and sentences, whatever the document is."""

    def split(self, document: Document) -> list[Chunk]:
        """See `Chunker`."""
        return self._split(document, "text")


class Code(Auto):
    """Definitions, by the syntax tree; a language without a parser, and what is no code, is split as by `auto`."""

    def split(self, document: Document) -> list[Chunk]:
        """See `Chunker`; MissingExtraError for code, without its parsers."""
        kind, _, language = document.syntax.partition(":")
        chunker = None
        if kind == "code":
            chunker = SyntaxChunker.open(language, self.tokenizer, self.max_tokens, self._overlap)
        return chunker.split(document) if chunker else super().split(document)


class Whole(Auto):
    """No splitting: a document is one chunk, or a failure."""

    def split(self, document: Document) -> list[Chunk]:
        """See `Chunker`."""
        return WholeChunker(self.tokenizer, self.max_tokens).split(document)
