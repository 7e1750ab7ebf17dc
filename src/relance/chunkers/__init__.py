"""How documents are split, by the strategy that `chunking` names."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol

from relance.chunkers.ahead import TokenizedAhead
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

    For many short documents this takes half the time: they are tokenised together, and the chunker is opened once.
    """
    for some in _groups(documents):
        texts = [document.text.rstrip() for document in some] if len(some) > 1 else []
        ahead = TokenizedAhead(tokenizer, texts) if texts else tokenizer
        opened = cache(partial(open_chunker, spec, ahead, plugins=plugins))
        for document in some:
            try:
                yield _chunk(document, spec, tokenizer, limit, opened)
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
    while True:
        chunks = _split(opened(most), document)
        if not (spec.context and limit) or not chunks:
            return chunks
        longest = int(tokenizer.count([embedding_text(document, chunk, spec) for chunk in chunks]).max())
        if longest <= limit or most <= SMALLEST:
            return chunks
        most = max(min(most, spec.max_tokens) - (longest - limit), SMALLEST)


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
