"""Splits Markdown: sections first, code fences and tables whole, every chunk with the headings above it."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from relance.chunkers.boundaries import TITLE, Level, find_boundaries
from relance.chunkers.characters import line_starts
from relance.chunkers.leads import Block, longest_lead, markdown_leads
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
# Paragraphs of one line that belong to what follows: bold words alone, and what is written above a table or listing.
INTRODUCES = re.compile(
    r"^[ ]{0,3}(?:"
    r"(?P<mark>\*\*|__)(?![\s*_])[^*\n]{1,200}(?P=mark)[:：]?"
    r"|[*_]{0,3}(?:Table|Tab\.|Listing|Exhibit|表|清单)[ \t]*[\dA-ZIVX一二三四五六七八九十][^\n]{0,300}"
    r"|(?:Q|Question|问|問)[ \t]*\d*[.:：][^\n]{1,200}"
    r")[ \t]*$",
    re.MULTILINE,
)
# A picture alone in a line, which keeps the caption below it.
PICTURE = re.compile(r"^[ ]{0,3}!\[[^\]\n]{0,1000}\](?:\([^\n]{0,2000}\))?[ \t]*$", re.MULTILINE)
CAPTION = re.compile(
    r"\s{1,8}(?:[*_]{1,3}[^*_\s][^\n]{0,1000}[*_]{1,3}[ \t]*$"
    r"|[*_]{0,3}(?:Figure|Fig\.|Image|Photo|Chart|Diagram|图|圖)[ \t]*[\d:：.A-Z一二三四五六七八九十][^\n]{0,1000}$)",
    re.MULTILINE,
)


class Heading(NamedTuple):
    """A heading: offsets of its first line's start and last line's end, depth 1 to 6, and title without markup."""

    start: int
    end: int
    depth: int
    title: str


class Outline:
    """The skeleton of a Markdown text: headings, and as blocks fences, tables and front matter."""

    def __init__(self, headings: list[Heading], blocks: list[Block]) -> None:
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

    def sections(self, text: str, depth: int) -> list[int]:
        """Find where sections begin whose headings are that deep at most; one right below another begins no section."""
        begins, before = [], 0
        for heading in self.headings:
            if heading.depth <= depth and text[before : heading.start].strip():
                begins.append(heading.start)
            before = heading.end
        return begins

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
    split_at: int = 0

    def split(self, document: Document) -> list[Chunk]:
        """See `Chunker`."""
        text = document.text
        skeleton = outline(text)
        spans = pack(
            text, lambda text: _boundaries(text, skeleton), self.tokenizer, self.max_tokens, self.overlap_tokens,
            skeleton.sections(text, self.split_at),
        )  # fmt: skip
        headings = (heading[:2] for heading in skeleton.headings)
        starts = [span.start for span in spans]
        leads = markdown_leads(text, skeleton.blocks, headings, starts, longest_lead(self.max_tokens))
        return [Chunk(*span, skeleton.path(text, span.start, span.end), lead)
                for span, lead in zip(spans, leads, strict=True)]  # fmt: skip


def outline(text: str) -> Outline:
    """Find headings (`#` and underlined), fences, tables and front matter.

    An underlined heading is one line with a blank line above: a rule right below a paragraph is usually meant as one.
    """
    headings: list[Heading] = []
    blocks: list[Block] = []
    front = FRONT_MATTER.match(text)
    at = 0
    if front:
        blocks.append(Block(front.start(), front.end(), front.end()))
        at = front.end()
    while mark := MARK.search(text, at):
        begin, at = mark.start(), max(mark.end(), mark.start() + 1)
        if mark["atx"]:
            headings.append(Heading(begin, mark.end(), len(mark["atx"]), _title(mark["title"] or "")))
        elif mark["fence"]:
            close = re.compile(rf"^[ \t>]*+{mark['fence'][0]}{{{len(mark['fence'])},}}+[ \t]*+$", re.MULTILINE)
            closed = close.search(text, mark.end())
            at = closed.end() if closed else len(text)  # as CommonMark has it: it runs to the end
            blocks.append(Block(begin, at, min(mark.end() + 1, at)))
        else:
            above = text.rfind("\n", 0, max(begin - 1, 0)) + 1
            line = text[above : max(begin - 1, above)]
            taken = max(headings[-1].end if headings else 0, blocks[-1].end if blocks else 0)
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
                blocks.append(Block(above, at, min(mark.end() + 1, at)))
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

    blocks = np.array(sorted([block[:2] for block in skeleton.blocks] + _pictures(text, skeleton)), np.int64)
    blocks = blocks.reshape(-1, 2)
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

    found.hold(_introductions(text, skeleton), [heading.start for heading in skeleton.headings])
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


def _pictures(text: str, skeleton: Outline) -> list[tuple[int, int]]:
    """Find pictures that have a caption below them, outside other blocks: start of the one, end of the other."""
    found = []
    begins = [block.start for block in skeleton.blocks]
    for picture in PICTURE.finditer(text):
        if caption := CAPTION.match(text, picture.end()):
            at = bisect_right(begins, picture.start()) - 1
            apart = at < 0 or skeleton.blocks[at].end <= picture.start()
            if apart and (at + 1 == len(begins) or begins[at + 1] >= caption.end()):
                found.append((picture.start(), caption.end()))
    return found


def _introductions(text: str, skeleton: Outline) -> list[tuple[int, int]]:
    """Find lines outside blocks that introduce what follows: start and end, ascending, disjoint."""
    found: list[tuple[int, int]] = []
    begins = [block.start for block in skeleton.blocks]
    matches = chain(INTRODUCES.finditer(text), TITLE.finditer(text))
    for start, end in sorted(match.span() for match in matches):
        at = bisect_right(begins, start) - 1
        if (at < 0 or skeleton.blocks[at].end <= start) and (not found or found[-1][1] <= start):
            found.append((start, end))
    return found
