"""Pages of lines to Markdown: paragraphs joined, headings, code, tables; and where each page begins."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relance.parsers.pdf.lines import Line, Page

__all__ = ["Written", "has_code", "write"]

_CJK = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
_BULLET = re.compile(r"(?:[•◦▪▸‣●○■□☐☑✓–—*·-]|\[[ x]\])\s")
_NUMBERED = re.compile(r"\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{2,5})[.)]\s")
_LEADERS = re.compile(r"[.·…](?:\s?[.·…]){3,}")
_CONTENTS = re.compile(r"…\s*\w{1,6}$")
_COMPOUND = re.compile(r"\w+-\w+")
_LAST_PART = re.compile(r"[\w-]+$")
_FIRST_PART = re.compile(r"\w+")
_ENDS = re.compile(r"[.!?:;。！？：；…]['\"”’)\]]{0,4}$")
_FEW = 2
_SLOT = 24
_MOST_OF_A_LINE = 0.6
# What Markdown would read as something else than text.
_MARKUP = re.compile(r"#{1,6}(?:\s|$)|-+\s*$|=+\s*$")
_FENCE = re.compile(r"`{3,}|~{3,}")
_HYPHENS = "-\u2010"
_LONGEST_WORD = 80


@dataclass(slots=True)
class Written:
    """A document's text, with the offset of each page, and whether it has any markup."""

    text: str
    pages: tuple[int, ...]
    marked: bool


@dataclass(slots=True)
class _Block:
    """What blank lines divide.

    Attributes:
        kind: text, heading, code or table.
        pieces: its text is all of them.
        line: its last.
    """

    kind: str
    pieces: list[str]
    line: Line
    rows: list[list[str]] = field(default_factory=list)

    def add(self, gap: str, text: str, line: Line) -> None:
        """Add a line behind a gap."""
        self.pieces += [gap, text]
        self.line = line


def write(pages: Sequence[Page], *, code: bool) -> Written:
    """Write pages one below the other; a paragraph, or a table, that goes on over a page is joined."""
    compounds = _compounds(pages)
    leading = _leading(pages)
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    last: _Block | None = None
    for page in pages:
        start = -1
        for at, block in enumerate(_blocks(page, leading, compounds, code=code)):
            gap, pieces = "" if last is None else "\n\n", block.pieces
            if at == 0 and last is not None:
                if _goes_on(last, block):
                    before = parts[-1]
                    parts[-1], gap = _seam(before, pieces[0], last.line, compounds)
                    length += len(parts[-1]) - len(before)
                elif last.rows and block.rows and len(last.rows[0]) == len(block.rows[0]):
                    rows = block.rows[1:] if block.rows[0] == last.rows[0] or not any(block.rows[0]) else block.rows
                    gap, pieces = "\n", ["\n".join(map(_row, rows))]
            text = "".join(pieces)
            length += len(gap)
            start = length if start < 0 else start
            length += len(text)
            parts += [gap, text]
            last = block
        starts.append(start)
    following = length
    for at in range(len(starts) - 1, -1, -1):  # a page of nothing begins where the next one does
        following = starts[at] = following if starts[at] < 0 else starts[at]
    marked = any(line.level or line.table is not None for page in pages for line in page.lines) or (
        code and any(line.mono for page in pages for line in page.lines)
    )
    return Written("".join(parts), tuple(starts), marked)


def _compounds(pages: Sequence[Page]) -> set[str]:
    """List the words that the document writes with a hyphen within a line."""
    if not any(line.broken or line.text.endswith("-") for page in pages for line in page.lines):
        return set()
    return {word.casefold() for page in pages for line in page.lines for word in _COMPOUND.findall(line.text)}


def has_code(pages: Sequence[Page]) -> bool:
    """Whether letters of one width mean code: not where all of it is set so."""
    mono = sum(len(line.text) for page in pages for line in page.lines if line.mono)
    return 2 * mono < sum(len(line.text) for page in pages for line in page.lines)


def _leading(pages: Sequence[Page]) -> dict[int, float]:
    """Measure how far lines of each size are from one another: the commonest distance."""
    found: dict[int, Counter[float]] = {}
    for page in pages:
        for above, line in zip(page.lines, page.lines[1:], strict=False):
            down = above.base - line.base
            if abs(above.size - line.size) < 0.3 and 0.8 * line.size < down < 2.5 * line.size:
                found.setdefault(round(line.size), Counter())[round(down, 1)] += 1
    return {size: counted.most_common(1)[0][0] for size, counted in found.items()}


def _blocks(page: Page, leading: dict[int, float], compounds: set[str], *, code: bool) -> list[_Block]:
    margins = _margins(page.lines)
    blocks: list[_Block] = []
    left = 0.0
    for line in page.lines:
        last = blocks[-1] if blocks else None
        if line.level:
            blocks.append(_Block("heading", [f"{'#' * line.level} {_tidy(line.text)}"], line))
        elif line.table is not None:
            blocks.append(_Block("table", [_table(line.table)], line, line.table))
        elif code and line.mono and line.upright:
            if last is not None and last.kind == "code":
                last.add("\n", _indent(line, left) + line.text, line)
            else:
                left = line.left
                blocks.append(_Block("code", [line.text], line))
        else:
            text = _tidy(line.text)
            if last is None or last.kind != "text" or _begins(last.line, line, leading):
                blocks.append(_Block("text", [text], line))
            elif (
                _is_full(last.line, line, margins)
                and not _is_item(last, line)
                and not _CONTENTS.search(last.pieces[-1])
            ):
                last.pieces[-1], gap = _seam(last.pieces[-1], text, last.line, compounds)
                last.add(gap, text, line)
            else:
                last.add("\n", text, line)
    for block in blocks:
        if block.kind == "code":
            longest = max((len(mark) for piece in block.pieces for mark in _FENCE.findall(piece)), default=2)
            fence = "`" * max(3, longest + 1)
            block.pieces = [f"{fence}\n", *block.pieces, f"\n{fence}"]
    return blocks


def _begins(above: Line, line: Line, leading: dict[int, float]) -> bool:
    """Whether a line begins a paragraph: apart from the one above it, or set otherwise."""
    alike = above.upright == line.upright and 0.8 * above.size <= line.size <= 1.25 * above.size
    if above.broken or not alike or not line.upright:
        return not above.broken and not alike
    down = above.base - line.base
    if abs(down) < 0.5 * line.size:  # beside it
        return False
    usual = leading.get(round(line.size), 1.2 * line.size)
    if line.right <= above.left or line.left >= above.right or down < 0:  # the next column
        return _ENDS.search(above.text) is not None or not (line.text[:1].islower() or _CJK.match(line.text))
    if down > 1.25 * usual + 0.5:
        return True
    return line.left - above.left > 0.8 * line.size and _ENDS.search(above.text) is not None


def _margins(lines: list[Line]) -> dict[int, float]:
    """Measure how far lines reach that begin near one another, by their left side; few lines tell nothing."""
    found: dict[int, float] = {}
    reach: dict[int, list[float]] = defaultdict(list)
    for line in lines:
        reach[round(line.left / _SLOT)].append(line.right)
    longest = {slot: max(rights) for slot, rights in reach.items()}
    for slot in list(reach):
        near = [by for by in (slot - 1, slot, slot + 1) if by in longest]
        if sum(len(reach[by]) for by in near) > _FEW:
            found[slot] = max(longest[by] for by in near)
    return found


def _is_full(above: Line, line: Line, margins: dict[int, float]) -> bool:
    """Whether a line ends only because the first word of the next did not fit."""
    if above.broken or not above.upright or not line.upright:
        return True
    if above.at < 0 or line.at < 0 or _is_divided(above) or _is_divided(line):
        return False
    margin = margins.get(round(above.left / _SLOT))
    if margin is None:
        return not _ENDS.search(above.text)
    word = 1 if _CJK.match(line.text) else len(line.text.split(maxsplit=1)[0])
    wide = (line.right - line.left) * word / len(line.text)
    if above.right + wide + 0.2 * line.size > margin:
        return True
    # A sentence goes on, though its line is shorter than most.
    return (
        line.text[:1].islower() and not _ENDS.search(above.text)
        and above.right - above.left > _MOST_OF_A_LINE * (margin - above.left)
    )  # fmt: skip


def _is_divided(line: Line) -> bool:
    """Whether there is a gap in a line such as no margin makes."""
    return any(after.left - before.right > 2 * line.size for before, after in pairwise(line.cells))


def _is_item(last: _Block, line: Line) -> bool:
    """Whether a line begins an item of a list; a number may also have come to stand there by chance."""
    if _BULLET.match(line.text):
        return True
    if not _NUMBERED.match(line.text):
        return False
    return bool(_ENDS.search(last.pieces[-1])) or abs(last.line.left - line.left) > 0.5 * line.size


def _seam(before: str, after: str, above: Line, compounds: set[str]) -> tuple[str, str]:
    """Say how a line becomes one with the next: as what it then ends, and what comes between.

    A word that a hyphen broke is whole again, unless the document has it with that hyphen elsewhere.
    """
    if above.broken or (before[-1:] in _HYPHENS and before[-2:-1].isalpha()):
        stem = before.rstrip(_HYPHENS)
        first, second = _LAST_PART.search(stem[-_LONGEST_WORD:]), _FIRST_PART.match(after[:_LONGEST_WORD])
        if not first or not second:
            return (stem, "") if above.broken else (before, "")
        # `day-to-` and `COVID-` keep theirs.
        kept = "-" in first[0] or not (first[0][-1].isalpha() and second[0][0].islower())
        kept = kept or f"{first[0]}-{second[0]}".casefold() in compounds
        return stem, "-" if kept else ""
    return before, "" if _CJK.match(before[-1:]) and _CJK.match(after) else " "


def _goes_on(last: _Block, block: _Block) -> bool:
    """Whether a paragraph goes on over the page: it does not end, and what follows does not begin."""
    if last.kind != "text" or block.kind != "text":
        return False
    before, after = last.pieces[-1], block.pieces[0]
    if abs(last.line.size - block.line.size) > 0.1 * block.line.size or _ENDS.search(before):
        return False
    return last.line.broken or after[:1].islower() or bool(_CJK.match(before[-1:]) and _CJK.match(after))


def _tidy(text: str) -> str:
    if "..." in text or ". ." in text or "…" in text or "··" in text:
        text = " … ".join(part.strip() for part in _LEADERS.split(text)).strip()
    if text[:1] in "`~" and _FENCE.match(text):
        return f"\\{text}"
    return f"    {text}" if text[:1] in "#-=" and _MARKUP.match(text) else text


def _indent(line: Line, left: float) -> str:
    width = (line.right - line.left) / max(len(line.text), 1)
    return " " * min(max(round((line.left - left) / width), 0), 80) if width > 0 else ""


def _table(rows: list[list[str]]) -> str:
    return "\n".join([_row(rows[0]), "|" + " --- |" * len(rows[0]), *map(_row, rows[1:])])


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
