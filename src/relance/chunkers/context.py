"""What is put before a chunk's text when it is embedded: where the chunk stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relance.chunkers.bare import bare

if TYPE_CHECKING:
    from relance.config import ChunkingSpec
    from relance.documents import Chunk, Document

__all__ = ["LONGEST_CONTEXT", "context_prefix", "embedding_text"]

# Bytes of UTF-8: no tokenizer makes many more tokens of it, so that room for it can be kept under a model's limit.
LONGEST_CONTEXT = 240


def context_prefix(document: Document, chunk: Chunk, spec: ChunkingSpec) -> str:
    """Give title and heading path as the spec's `context` asks for them, `Title › Part › Section` and a line end.

    Empty where there is nothing to say. At most `LONGEST_CONTEXT` bytes: the outermost parts go first.
    """
    parts: list[str] = []
    if "title" in spec.context:
        parts.append(document.title)
    if "headings" in spec.context:
        parts += chunk.heading_path
    names: list[str] = []
    for part in parts:
        name = " ".join(part.split())
        if name and (not names or name.casefold() != names[-1].casefold()):
            names.append(name)
    line = " › ".join(names).encode("utf-8", "replace")
    if not line:
        return ""
    return line[-(LONGEST_CONTEXT - 1) :].decode("utf-8", "ignore") + "\n"


def embedding_text(document: Document, chunk: Chunk, spec: ChunkingSpec) -> str:
    """Give what the model is sent for a chunk: its context, if the spec asks for any, its lead, and its span.

    Addresses of pictures are left out.
    """
    lead = f"{chunk.lead}\n" if chunk.lead else ""
    return context_prefix(document, chunk, spec) + bare(lead) + bare(document.text[chunk.start : chunk.end])
