"""Markdown, written block by block: every character stays, and what is no heading never looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from relance.errors import DocumentError
from relance.parsers.decoding import clean

__all__ = ["MarkdownWriter"]

# More text than that is a bomb: cells that name one long string, merged cells that repeat one.
_LONGEST = 128 << 20
# Lines of plain text that Markdown would read as a heading, as the rule below one, or as the fence of code.
_MARKS = re.compile(r"^(?=[ ]{0,3}(?:#{1,6}(?:[ \t]|$)|`{3}|~{3}|=+[ \t]*$|-+[ \t]*$))", re.MULTILINE)
_SPACES = re.compile(r"\s+")


class MarkdownWriter:
    """Collects blocks; each is cleaned at once, so that the offsets of pages are right."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._blocks: list[str] = []
        self._kinds: list[str] = []  # neighbours of a kind that has a name follow without a blank line
        self._pages: list[int] = []  # the blocks that begin them
        self._notes: list[tuple[str, str]] = []
        self._size = 0
        self.first_heading = ""

    def heading(self, level: int, text: str) -> None:
        """Write a heading of one line; footnotes of the section before come first."""
        text = line(text)
        if not text:
            return
        self.flush_notes()
        self.first_heading = self.first_heading or text
        self._add(f"{'#' * min(max(level, 1), 6)} {text}")

    def paragraph(self, text: str) -> None:
        """Write a paragraph; line breaks in it stay."""
        self._add(_MARKS.sub(r"\\", text.strip()))

    def item(self, label: str, text: str, level: int) -> None:
        """Write an item of a list, with the label that the document shows."""
        indent = "  " * min(level, 8)
        text = _MARKS.sub(r"\\", text.strip()).replace("\n", f"\n{indent}  ")
        self._add(f"{indent}{label} {text}".rstrip(), "item")

    def code(self, text: str) -> None:
        """Write lines as they are, in a fence that none of them closes."""
        longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
        fence = "`" * (longest + 1)
        self._add(f"{fence}\n{text.strip(chr(10))}\n{fence}" if text.strip() else "")

    def table(self, rows: Iterable[Sequence[str]]) -> None:
        """Write a table whose first row is its header; empty rows and an empty table are none."""
        lines: list[str] = []
        counted = 0
        for row in rows:
            self._grow(size := sum(map(len, row)) + 3 * len(row))
            counted += size
            cells = [cell(text) for text in row]
            if not any(cells):
                continue
            lines.append(f"| {' | '.join(cells)} |")
            if len(lines) == 1:
                lines.append("|" + " --- |" * len(cells))
        self._size -= counted
        self._add("\n".join(lines))

    def note(self, mark: str, text: str) -> None:
        """Keep a footnote for the end of its section."""
        self._notes.append((mark, text))

    def flush_notes(self) -> None:
        """Write the footnotes that wait."""
        notes, self._notes = self._notes, []
        for mark, text in notes:
            self._add(f"[^{mark}]: {line(text)}", "note")

    def page(self) -> None:
        """Begin a page with the next block."""
        self.flush_notes()
        self._pages.append(len(self._blocks))

    def finish(self) -> tuple[str, tuple[int, ...]]:
        """Return the text and the offset of each page."""
        self.flush_notes()
        offsets, pieces, at = [0], [], 0
        for number, block in enumerate(self._blocks):
            same = number and self._kinds[number] and self._kinds[number] == self._kinds[number - 1]
            between = "" if not number else "\n" if same else "\n\n"
            pieces += (between, block)
            at += len(between) + len(block)
            offsets.append(at)
        # A page begins behind the break that follows the block before it; one without text begins where the next does.
        text = "".join(pieces)
        pages = tuple(min(_begin(text, offsets[block]), len(text)) for block in self._pages)
        return text, pages

    def _add(self, block: str, kind: str = "") -> None:
        block = clean(block)
        if block.strip():
            self._grow(len(block))
            self._blocks.append(block)
            self._kinds.append(kind)

    def _grow(self, characters: int) -> None:
        self._size += characters
        if self._size > _LONGEST:
            raise DocumentError(self._uri, f"its text is longer than {_LONGEST >> 20} million characters; a bomb?")


def line(text: str) -> str:
    """Join the lines of a text, blanks between."""
    return _SPACES.sub(" ", text).strip()


@lru_cache(maxsize=512)  # a shared text may stand in a million cells
def cell(text: str) -> str:
    """Write a text as one cell of a table."""
    return line(text).replace("|", "\\|") if text else ""


def _begin(text: str, at: int) -> int:
    while at < len(text) and text[at] == "\n":
        at += 1
    return at
