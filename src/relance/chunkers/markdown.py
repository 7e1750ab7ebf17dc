"""Splits Markdown: sections first, code fences and tables whole, every chunk with the headings above it."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from relance.chunkers.boundaries import Level, find_boundaries
from relance.chunkers.characters import line_starts
from relance.chunkers.packing import pack
from relance.documents import Chunk

if TYPE_CHECKING:
    from relance.chunkers.boundaries import Boundaries
    from relance.documents import Document
    from relance.embedding.tokenizers import Tokenizer

__all__ = ["Heading", "MarkdownChunker", "Outline", "outline"]

# Lines that mean something. Quantifiers are possessive: a line of a million blanks must not take a minute.
MARK = re.compile(
    r"^(?:"
    r"[ ]{0,3}(?P<atx>\#{1,6})(?:[ \t]++(?P<title>[^\n]*+))?$"
    r"|[ \t>]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)?(?P<fence>`{3,}+(?=[^`\n]*+$)|~{3,}+)[^\n]*+"
    r"|[ ]{0,3}(?P<setext>=++|-++)[ \t]*+$"
    r"|[ ]{0,3}(?P<table>\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?)[ \t]*+$"
    r")",
    re.MULTILINE,
)
FRONT_MATTER = re.compile(r"---[ \t]*\n(?=[\w'\"-]+[ \t]*:)(?:[^\n]*\n)*?(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
# Inline code, links and images: blanks in them are bad places to split.
INLINE = re.compile(r"`[^`\n]{1,200}`|\[[^\[\]\n]{0,200}\](?:\([^()\n]{0,500}\)|\[[^\[\]\n]{0,100}\])")
MARKUP = re.compile(r"[#{\[<*_~`]")
NO_PARAGRAPH = re.compile(r"[ ]{4}|\t|[ ]{0,3}(?:[-*+>|#]|\d{1,9}[.)][ \t])")
LONGEST_TITLE = 200


class Heading(NamedTuple):
    """A heading: offsets of its first line's start and last line's end, depth 1 to 6, and title without markup."""

    start: int
    end: int
    depth: int
    title: str


class Outline:
    """The skeleton of a Markdown text; blocks are (start, end) of fences, tables and front matter."""

    def __init__(self, headings: list[Heading], blocks: list[tuple[int, int]]) -> None:
        self.headings = headings
        self.blocks = blocks
        self._parents: list[int] = []  # of each heading, -1 for none
        self._paths: dict[int, tuple[str, ...]] = {-1: ()}  # of each heading that was looked up
        above: list[int] = []
        for at, heading in enumerate(headings):
            while above and headings[above[-1]].depth >= heading.depth:
                above.pop()
            self._parents.append(above[-1] if above else -1)
            above.append(at)

    def path(self, text: str, start: int, end: int) -> tuple[str, ...]:
        """Name the section that a span is in, or with whose headings it begins; outermost first."""
        headings = self.headings
        at = bisect_right(headings, start, key=lambda heading: heading.start) - 1
        # A span that begins with headings is in the section of the last of them.
        begin = start if at < 0 or headings[at].start < start else headings[at].end
        while (
            at + 1 < len(headings) and headings[at + 1].start < end and not text[begin : headings[at + 1].start].strip()
        ):
            at += 1
            begin = headings[at].end
        return self._path(at)

    def _path(self, at: int) -> tuple[str, ...]:
        if at not in self._paths:
            title = self.headings[at].title
            self._paths[at] = (*self._path(self._parents[at]), *([title] if title else []))
        return self._paths[at]


@dataclass(slots=True, frozen=True)
class MarkdownChunker:
    """Split at headings, else as prose is split."""

    tokenizer: Tokenizer
    max_tokens: int
    overlap_tokens: int = 0

    def split(self, document: Document) -> list[Chunk]:
        """See `Chunker`."""
        text = document.text
        skeleton = outline(text)
        spans = pack(
            text, lambda text: _boundaries(text, skeleton), self.tokenizer, self.max_tokens, self.overlap_tokens
        )
        return [Chunk(*span, heading_path=skeleton.path(text, span.start, span.end)) for span in spans]


def outline(text: str) -> Outline:
    """Find headings (`#` and underlined), fences, tables and front matter.

    An underlined heading is one line with a blank line above: a rule right below a paragraph is usually meant as one.
    """
    headings: list[Heading] = []
    blocks: list[tuple[int, int]] = []
    front = FRONT_MATTER.match(text)
    at = 0
    if front:
        blocks.append((front.start(), front.end()))
        at = front.end()
    while mark := MARK.search(text, at):
        begin, at = mark.start(), max(mark.end(), mark.start() + 1)
        if mark["atx"]:
            headings.append(Heading(begin, mark.end(), len(mark["atx"]), _title(mark["title"] or "")))
        elif mark["fence"]:
            close = re.compile(rf"^[ \t>]*+{mark['fence'][0]}{{{len(mark['fence'])},}}+[ \t]*+$", re.MULTILINE)
            closed = close.search(text, mark.end())
            at = closed.end() if closed else len(text)  # as CommonMark has it: it runs to the end
            blocks.append((begin, at))
        else:
            above = text.rfind("\n", 0, max(begin - 1, 0)) + 1
            line = text[above : max(begin - 1, above)]
            taken = max(headings[-1].end if headings else 0, blocks[-1][1] if blocks else 0)
            if above < taken or not line.strip():
                continue
            underline = mark["setext"]
            if underline:
                before = text[text.rfind("\n", 0, max(above - 1, 0)) + 1 : max(above - 1, 0)]
                alone = not before.strip() or above <= taken + 1
                if alone and not NO_PARAGRAPH.match(line):
                    headings.append(Heading(above, mark.end(), 1 if underline[0] == "=" else 2, _title(line)))
            elif "|" in mark["table"] and "|" in line:
                at = _table_end(text, mark.end())
                blocks.append((above, at))
    return Outline(headings, blocks)


def _table_end(text: str, at: int) -> int:
    while at < len(text):
        end = text.find("\n", at + 1)
        end = len(text) if end < 0 else end
        if "|" not in text[at + 1 : end]:
            break
        at = end
    return at


def _title(line: str) -> str:
    """Strip closing `#`s, attributes, links, code, emphasis and tags from a heading's text."""
    line = line[: 2 * LONGEST_TITLE].strip()
    if not MARKUP.search(line):
        return " ".join(line.split())[:LONGEST_TITLE].strip()
    line = re.sub(r"(?:^|[ \t])#+$", "", line)
    line = re.sub(r"\s*\{[#.:][^{}]*\}$", "", line)
    line = re.sub(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])", r"\1", line)
    line = re.sub(r"</?[A-Za-z][^<>]*>", "", line)
    line = re.sub(r"(?<!\w)([*_~`]{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)", r"\2", line)
    return " ".join(line.replace("`", "").split())[:LONGEST_TITLE].strip()


def _boundaries(text: str, skeleton: Outline) -> Boundaries:
    found = find_boundaries(text)
    inline = np.fromiter(chain.from_iterable(match.span() for match in INLINE.finditer(text)), np.int64)
    if len(inline):
        found.levels[found.inside(inline.reshape(-1, 2))] = Level.GLUE

    blocks = np.array(skeleton.blocks, np.int64).reshape(-1, 2)
    if len(blocks):
        # A block too long for a chunk is split at its blank lines, else lines; places around it are better.
        within = found.inside(blocks)
        old = found.levels[within]
        line = found.among(line_starts(text))[within]
        found.levels[within] = np.where(
            old >= Level.PARAGRAPH, Level.SENTENCE, np.where(line, Level.CLAUSE, Level.GLUE)
        )
        # What introduces a block stays with it if it ends in a colon.
        announced = [text[max(at - 3, 0) : at].rstrip().endswith((":", "：")) for at in blocks[:, 0].tolist()]
        found.set_level(blocks[:, 0], np.where(announced, Level.LINE, Level.PARAGRAPH).astype(np.int8))
        found.set_level(blocks[:, 1], np.full(len(blocks), Level.PARAGRAPH, np.int8))
        found.blocks = blocks

    if skeleton.headings:
        lines = np.array([heading[:3] for heading in skeleton.headings], np.int64)
        found.levels[found.inside(lines[:, :2])] = Level.GLUE
        found.set_level(lines[:, 0], (Level.HEADING + 6 - lines[:, 2]).astype(np.int8))
        # A heading is not split from what follows it, nor, if possible, from a first heading one deeper.
        body = found.first_from(lines[:, 1])
        bare = body[:-1] == found.first_from(lines[1:, 0])
        found.levels[body[:-1][bare & (lines[1:, 2] > lines[:-1, 2])]] = Level.GLUE
        unwanted = np.zeros(len(found.positions) + 1, bool)
        unwanted[body[:-1][~bare]] = unwanted[body[-1]] = True
        found.drop(unwanted[:-1])
    return found
