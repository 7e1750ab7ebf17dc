"""A page that is written as Markdown, so that one splitter knows the headings, code and tables of every markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from relance.counted import counted

__all__ = ["Page", "dedent"]

# What begins a line that Markdown would not take for text.
_STRUCTURE = re.compile(r" {0,3}(?:#{1,6}(?=[ \t]|$)|`{3}|~{3}|=+[ \t]*$|-{2,}[ \t]*$)")
_TICKS = re.compile(r"`{3,}")
_DEEPEST = 6


class Page:
    """What has been written so far.

    Attributes:
        title: of the document; the first heading unless the markup names one.
        metadata: what the document says about itself.
        warnings: what is not in the text.
    """

    def __init__(self) -> None:
        self.title = ""
        self.metadata: dict[str, Any] = {}
        self.warnings: list[str] = []
        self._lines: list[str] = []
        self._not_included = 0

    @property
    def text(self) -> str:
        """Everything, with one blank line between blocks."""
        return "\n".join(self._lines).strip("\n") + "\n"

    def heading(self, level: int, title: str) -> None:
        """Begin a section."""
        title = " ".join(title.split())
        if title:
            self.title = self.title or title
            self._block([f"{'#' * min(max(level, 1), _DEEPEST)} {title}"])

    def line(self, text: str = "") -> None:
        """Add a line of text, marked as such where it looks like a heading, a rule or a fence."""
        if not text.strip():
            self.blank()
        else:
            self._lines.append("\\" + text.lstrip() if _STRUCTURE.match(text) else text.rstrip())

    def blank(self) -> None:
        """End a paragraph."""
        if self._lines and self._lines[-1]:
            self._lines.append("")

    def code(self, lines: Iterable[str], language: str = "") -> None:
        """Add code as it is."""
        lines = dedent(lines)
        if lines:
            longest = max((len(found) for line in lines for found in _TICKS.findall(line)), default=2)
            fence = "`" * max(longest + 1, 3)
            self._block([f"{fence}{language}", *lines, fence])

    def markdown(self, text: str) -> None:
        """Add a block that is Markdown already."""
        if text.strip():
            self._block(text.strip("\n").split("\n"))

    def formula(self, lines: Iterable[str]) -> None:
        """Add a formula."""
        lines = dedent(lines)
        if lines:
            self._block(["$$", *lines, "$$"])

    def table(self, rows: Sequence[Sequence[str]], *, header: bool = True) -> None:
        """Add a table; without a header of its own it gets an empty one, which Markdown asks for."""
        rows = [
            [" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows if any(map(str.strip, row))
        ]
        if not rows:
            return
        width = max(map(len, rows))
        full = [[*row, *[""] * (width - len(row))] for row in rows]
        head = full.pop(0) if header else [""] * width
        self._block([_row(head), "|" + " --- |" * width, *map(_row, full)])

    def not_included(self) -> None:
        """Count a file that the document would show and that is not read."""
        self._not_included += 1
        files = counted(self._not_included, "file")
        self.warnings = [each for each in self.warnings if "it includes" not in each]
        self.warnings.append(f"{files} that it includes {'is' if self._not_included == 1 else 'are'} not in its text")

    def _block(self, lines: list[str]) -> None:
        self.blank()
        self._lines += [*lines, ""]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def dedent(lines: Iterable[str]) -> list[str]:
    """Take away the indentation that all lines share, and blank lines at both ends."""
    found = [line.rstrip().expandtabs(8) if line[:1] in " \t" else line.rstrip() for line in lines]
    while found and not found[-1]:
        found.pop()
    first = next((number for number, line in enumerate(found) if line), 0)
    found = found[first:]
    margin = min((len(line) - len(line.lstrip(" ")) for line in found if line), default=0)
    return [line[margin:] for line in found]
