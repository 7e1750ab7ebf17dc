"""How documents are split, by the strategy that `chunking` names."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol

from relance.chunkers.ahead import TokenizedAhead
from relance.chunkers.bare import Bare, bare
from relance.chunkers.context import context_prefix, embedding_text
from relance.config.plugin_section import read_section
from relance.config.plugins import Plugins
from relance.errors import ConfigurationError, DocumentError, MissingExtraError, RelanceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from relance.config import ChunkingSpec
    from relance.documents import Chunk, Document
    from relance.embedding.tokenizers import Tokenizer

__all__ = [
    "Chunker",
    "bare",
    "chunk_document",
    "chunk_documents",
    "chunker_version",
    "context_prefix",
    "embedding_text",
    "open_chunker",
]

# Context never takes so much of a model's limit that less remains for a chunk.
SMALLEST = 16
# Characters of documents that are tokenised together.
TOGETHER = 1 << 20


class Chunker(Protocol):
    """One way to split a document into spans.

    A plug-in is a class with `Spec` (its section: a `ChunkingSpec` or a subclass) and `version` (changed whenever the
    same document would be split otherwise), called with that section, the model's tokenizer and the tokens that a
    chunk may have.
    """

    def split(self, document: Document) -> list[Chunk]:
        """Split the document; every span is non-blank, in order, and within the token limit.

        Spans end in no blanks and begin with none but their first line's indentation (at most 32); whatever none of
        them covers is blank. Without overlap they are disjoint. A document of blanks has none.
        """
        ...


def open_chunker(spec: ChunkingSpec, tokenizer: Tokenizer, limit: int = 0, plugins: Plugins | None = None) -> Chunker:
    """Open the strategy that a section names; raises ConfigurationError if there is none of that name.

    Args:
        spec: the section.
        tokenizer: of the embedding model.
        limit: the model's own longest input in tokens, if smaller than `spec.max_tokens`; 0 is none.
        plugins: what names of chunkers mean to its index (`IndexSpec.plugins`); without, the installed ones.
    """
    plugin = _find(spec, plugins)
    if hasattr(plugin, "split") and not isinstance(plugin, type):
        return plugin  # an instance that was given to the index
    most = min(spec.max_tokens, limit) if limit else spec.max_tokens
    return plugin(read_section(spec, plugin.Spec, "chunking"), tokenizer, most)


def chunker_version(spec: ChunkingSpec, plugins: Plugins | None = None) -> Any:
    """Name what, beside its section, decides how a strategy splits; part of the fingerprint."""
    return getattr(_find(spec, plugins), "version", "")


def chunk_documents(
    documents: Sequence[Document],
    spec: ChunkingSpec,
    tokenizer: Tokenizer,
    limit: int = 0,
    plugins: Plugins | None = None,
) -> Iterator[list[Chunk] | DocumentError]:
    """Split documents, each as `chunk_document` does; a DocumentError in place of the chunks of one that cannot be.

    Addresses of pictures are no part of what is embedded, so they do not count against the limits, but in `tokens`.
    For many short documents this takes half the time: they are tokenised together, and the chunker is opened once.
    """
    for whole in _groups(documents):
        shortened = [Bare(document) for document in whole]
        some = [each.document for each in shortened]
        texts = [document.text.rstrip() for document in some] if len(some) > 1 else []
        ahead = TokenizedAhead(tokenizer, texts) if texts else tokenizer
        opened = cache(partial(open_chunker, spec, ahead, plugins=plugins))
        for document, short in zip(whole, shortened, strict=True):
            try:
                chunks = short.back(_chunk(short.document, spec, tokenizer, limit, opened))
                if chunks is None:  # as it is written, then
                    chunks = _chunk(
                        document, spec, tokenizer, limit, partial(open_chunker, spec, tokenizer, plugins=plugins)
                    )
                yield chunks if short.document is document else _counted(document, chunks, tokenizer)
            except DocumentError as error:
                yield error


def chunk_document(
    document: Document, spec: ChunkingSpec, tokenizer: Tokenizer, limit: int = 0, plugins: Plugins | None = None
) -> list[Chunk]:
    """Split a document so that every chunk, with the context it is embedded with, is within the model's `limit`.

    Raises DocumentError where the strategy cannot: `whole` for a document that is too long, `code` without its extra.
    """
    (found,) = chunk_documents([document], spec, tokenizer, limit, plugins)
    if isinstance(found, DocumentError):
        raise found
    return found


def _counted(document: Document, chunks: list[Chunk], tokenizer: Tokenizer) -> list[Chunk]:
    """Count the tokens of chunks again, with the addresses of pictures."""
    counts = tokenizer.count([document.text[chunk.start : chunk.end] for chunk in chunks]).tolist()
    return [replace(chunk, tokens=tokens) for chunk, tokens in zip(chunks, counts, strict=True)]


def _groups(documents: Sequence[Document]) -> Iterator[list[Document]]:
    """Group documents so that the boundaries of their tokens, 8 bytes each, take some megabytes at a time."""
    group: list[Document] = []
    size = 0
    for document in documents:
        size += len(document.text)
        if size > TOGETHER and group:
            yield group
            group, size = [], len(document.text)
        group.append(document)
    if group:
        yield group


def _chunk(
    document: Document, spec: ChunkingSpec, tokenizer: Tokenizer, limit: int, opened: Callable[[int], Chunker]
) -> list[Chunk]:
    most = limit or spec.max_tokens
    least = max(min(most, spec.max_tokens) // 2, SMALLEST)
    while True:
        chunks = _split(opened(most), document)
        over = _excess(document, chunks, spec, tokenizer, limit)
        room = min(most, spec.max_tokens) - max(over, default=0)
        if room < least or most <= SMALLEST:  # a lead is worth half a chunk, but not more
            chunks = [replace(chunk, lead="") if more > 0 else chunk for chunk, more in zip(chunks, over, strict=True)]
            over = _excess(document, chunks, spec, tokenizer, limit)
            room = min(most, spec.max_tokens) - max(over, default=0)
        if max(over, default=0) <= 0 or most <= SMALLEST:
            return chunks
        most = max(room, SMALLEST)


def _excess(document: Document, chunks: list[Chunk], spec: ChunkingSpec, tokenizer: Tokenizer, limit: int) -> list[int]:
    """Count by how many tokens each chunk, with what is put before it, is longer than the model's limit."""
    if not limit or not (spec.context or any(chunk.lead for chunk in chunks)):
        return [0] * len(chunks)
    return (tokenizer.count([embedding_text(document, chunk, spec) for chunk in chunks]) - limit).tolist()


def _split(chunker: Chunker, document: Document) -> list[Chunk]:
    try:
        return chunker.split(document)
    except MissingExtraError as error:  # the documents that can be split without it go on
        raise DocumentError(document.uri, str(error)) from None
    except RelanceError:
        raise
    except Exception as error:  # a document that a strategy has not foreseen must not stop the others
        reason = f"cannot be split ({type(error).__name__}: {str(error)[:200]})"
        raise DocumentError(document.uri, reason) from error


def _find(spec: ChunkingSpec, plugins: Plugins | None) -> Any:
    try:
        return (plugins or Plugins()).find("chunkers", spec.strategy)
    except ConfigurationError as error:
        raise ConfigurationError(f"chunking.strategy: {error}") from error
