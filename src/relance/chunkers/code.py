"""Splits source code: by its layout, or (strategy `code`) by its syntax tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from relance.chunkers.boundaries import Boundaries, Level, find_boundaries
from relance.chunkers.characters import line_starts
from relance.chunkers.leads import COMMENT, enclosing, longest_lead
from relance.chunkers.packing import pack
from relance.documents import Chunk
from relance.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

    from relance.documents import Document
    from relance.embedding.tokenizers import Tokenizer

__all__ = ["CodeChunker", "SyntaxChunker", "line_boundaries"]

# A line's indentation, whether a blank line is above it, and whether it only ends what is above.
LINE = re.compile(r"(?:\A|(?<=\n))(?P<indent>[ \t]*+)(?P<ends>[\])}]|(?:end|else|elif|except|finally|catch)\b)?[^\n]*+")


@dataclass(slots=True, frozen=True)
class CodeChunker:
    """Split before a line that follows a blank one and is indented little; needs no parser and knows any language."""

    tokenizer: Tokenizer
    max_tokens: int
    overlap_tokens: int = 0

    def split(self, document: Document) -> list[Chunk]:
        """See `Chunker`."""
        return _split(document, layout_boundaries, self)


def _split(
    document: Document, boundaries: Callable[[str], Boundaries], chunker: CodeChunker | SyntaxChunker
) -> list[Chunk]:
    spans = pack(document.text, boundaries, chunker.tokenizer, chunker.max_tokens, chunker.overlap_tokens)
    leads = enclosing(document.text, [span.start for span in spans], longest_lead(chunker.max_tokens))
    return [Chunk(*span, lead=lead) for span, lead in zip(spans, leads, strict=True)]


def line_boundaries(text: str) -> Boundaries:
    """Give line starts as lines and every other place as glue."""
    found = find_boundaries(text)
    starts = found.among(line_starts(text))
    found.levels = np.where(starts, Level.CLAUSE, np.minimum(found.levels, Level.WORD)).astype(np.int8)
    return found


def layout_boundaries(text: str) -> Boundaries:
    """Rank line starts: after a blank line before any other, and the less indented the better."""
    found = line_boundaries(text)
    starts, levels = [], []
    blank, above = True, ""
    for match in LINE.finditer(text):
        line = match[0].strip()
        if not line:
            blank = True
            continue
        depth = len(match["indent"].expandtabs(4)) // 4
        if match["ends"]:
            level = Level.WORD
        elif blank:
            level = Level.HEADING if depth == 0 else Level.PARAGRAPH if depth == 1 else Level.LINE
        elif above.startswith(COMMENT):
            level = Level.WORD  # comments and decorators stay with what they are about
        else:
            level = Level.SENTENCE if depth == 0 else Level.CLAUSE
        starts.append(match.start())
        levels.append(level)
        blank, above = False, line
    _rank(found, starts, levels)
    return found


def _rank(found: Boundaries, at: list[int], levels: list[int]) -> None:
    found.set_level(np.array(at, np.int64), np.array(levels, np.int8))


@dataclass(slots=True, frozen=True)
class SyntaxChunker:
    """Split between definitions; what is too long for a chunk, between the statements in it, and so on down."""

    tokenizer: Tokenizer
    max_tokens: int
    overlap_tokens: int
    parser: Any

    @classmethod
    def open(cls, language: str, tokenizer: Tokenizer, max_tokens: int, overlap_tokens: int) -> SyntaxChunker | None:
        """Open a language's parser; None if there is none for it, MissingExtraError without the extra `code`."""
        from importlib import import_module

        try:
            # Versions from 1.0 on have no `bindings` in them: they would download grammars during a run.
            pack: Any = import_module("tree_sitter_language_pack")
            import_module("tree_sitter_language_pack.bindings")
        except ImportError as error:
            raise MissingExtraError("the chunking strategy `code`", "code") from error
        try:
            parser = pack.get_parser(language)
        except LookupError:
            return None
        return cls(tokenizer, max_tokens, overlap_tokens, parser)

    def split(self, document: Document) -> list[Chunk]:
        """See `Chunker`."""
        return _split(document, self._boundaries, self)

    def _boundaries(self, text: str) -> Boundaries:
        found = line_boundaries(text)
        data = text.encode("utf-8", "replace")
        begun = np.cumsum((np.frombuffer(data, np.uint8) & 0xC0) != 0x80)  # byte → characters begun
        at: list[int] = []
        levels: list[int] = []
        # A node of fewer bytes than the limit has tokens fits into a chunk: no need to look inside.
        pending = [(self.parser.parse(data).root_node, Level.HEADING + 2)]
        while pending:
            node, level = pending.pop()
            named = node.named_children
            wrapper = len(named) == 1
            previous = None
            for child in named:
                start = int(begun[child.start_byte]) - 1
                margin = text.rfind("\n", 0, start) + 1
                attached = previous is not None and _belongs_below(previous, child)
                if not text[margin:start].strip():
                    at.append(margin)
                    levels.append(Level.WORD if attached else level)
                previous = child
                if child.end_byte - child.start_byte > self.max_tokens and child.named_child_count:
                    pending.append((child, level if wrapper else max(level - 1, Level.SENTENCE)))
        order = sorted(range(len(at)), key=lambda i: (at[i], levels[i]))  # the outermost node at a place decides
        _rank(found, [at[i] for i in order], [levels[i] for i in order])
        return found


def _belongs_below(node: Any, following: Any) -> bool:
    """Say whether a comment or an attribute directly precedes what it is about."""
    kinds = ("comment", "attribute", "decorator", "annotation")
    return any(kind in node.type for kind in kinds) and following.start_point[0] - node.end_point[0] <= 1
