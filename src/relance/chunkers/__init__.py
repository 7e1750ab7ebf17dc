"""How documents are cut. `chunker_for` picks one by strategy and syntax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from relance.chunkers.context import context_prefix, embedding_text
from relance.errors import DocumentError, MissingExtraError

if TYPE_CHECKING:
    from relance.config import ChunkingSpec
    from relance.documents import Chunk, Document
    from relance.embedding.tokenizers import Tokenizer

__all__ = ["CHUNKER_VERSION", "Chunker", "chunk_document", "chunker_for", "context_prefix", "embedding_text"]

# Part of the fingerprint: one more whenever the same document would be cut otherwise.
CHUNKER_VERSION = 1
# Context never takes so much of a model's limit that less remains for a chunk.
SMALLEST = 16


class Chunker(Protocol):
    """One way to cut a document into spans."""

    def split(self, document: Document) -> list[Chunk]:
        """Cut the document; every span is non-blank, in order, and within the token limit.

        Spans end in no blanks and begin with none but their first line's indentation (at most 32); whatever none of
        them covers is blank. Without overlap they are disjoint. A document of blanks has none.
        """
        ...


def chunker_for(spec: ChunkingSpec, syntax: str, tokenizer: Tokenizer, limit: int = 0) -> Chunker:
    """Choose how a document of that syntax is cut.

    `limit` is the model's own longest input in tokens, if smaller than `spec.max_tokens`; 0 is none.
    Raises MissingExtraError for code under the strategy `code`, without its parsers.
    """
    from relance.chunkers.code import CodeChunker, SyntaxChunker
    from relance.chunkers.markdown import MarkdownChunker
    from relance.chunkers.text import TextChunker
    from relance.chunkers.whole import WholeChunker

    most = min(spec.max_tokens, limit) if limit else spec.max_tokens
    overlap = min(spec.overlap_tokens, most // 2)
    kind, _, language = syntax.partition(":")
    match spec.strategy:
        case "whole":
            return WholeChunker(tokenizer, most)
        case "code" if kind == "code":
            # A language without a parser, and what is no code, is cut as `auto` cuts it.
            if (chosen := SyntaxChunker.open(language, tokenizer, most, overlap)) is not None:
                return chosen
        case "text" | "markdown" as named:
            kind = named
        case _:
            pass
    match kind:
        case "markdown":
            return MarkdownChunker(tokenizer, most, overlap)
        case "code":
            return CodeChunker(tokenizer, most, overlap)
        case _:  # text, and rows that do not fit
            return TextChunker(tokenizer, most, overlap)


def chunk_document(document: Document, spec: ChunkingSpec, tokenizer: Tokenizer, limit: int = 0) -> list[Chunk]:
    """Cut a document so that every chunk, with the context it is embedded with, is within the model's `limit`.

    Raises DocumentError where the strategy is `whole` and the document too long, or `code` and its extra is missing.
    """
    most = limit or spec.max_tokens
    while True:
        try:
            chunks = chunker_for(spec, document.syntax, tokenizer, most).split(document)
        except MissingExtraError as error:  # the documents that can be cut without it go on
            raise DocumentError(document.uri, str(error)) from None
        if not (spec.context and limit) or not chunks:
            return chunks
        longest = int(tokenizer.count([embedding_text(document, chunk, spec) for chunk in chunks]).max())
        if longest <= limit or most <= SMALLEST:
            return chunks
        most = max(min(most, spec.max_tokens) - (longest - limit), SMALLEST)
