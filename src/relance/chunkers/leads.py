"""What chunks need before their spans to be read alone: a table's header, what a list is about, what code is in."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["COMMENT", "Block", "enclosing", "longest_lead", "markdown_leads", "within"]

# Bytes of UTF-8. A row of a table is about as long as its header, so a lead may be as long as a chunk.
LONGEST_LEAD = 1000
BYTES_PER_TOKEN = 4
LONGEST_LINE = 160
LONGEST_PARAGRAPH = 320
MAXIMUM = 1 << 30
LINE = re.compile(r"^(?P<indent>[ \t]*+)(?P<line>\S[^\n]*+)", re.MULTILINE)
ITEM = re.compile(r"(?:[-*+•]|\d{1,9}[.)])[ \t]")
# A line that says nothing of what is below it, though it is indented less.
COMMENT = ("#", "//", "/*", "*", "--", ";", "@", '"""', "'''")
CELL = re.compile(r"(?<!\\)\|")
SENTENCE = re.compile(r"(?<=[.!?。！？])\s*(?=\S)")


class Block(NamedTuple):
    """A fence, a table or front matter: offsets of its start and end, and of its body, before which a lead goes."""

    start: int
    end: int
    body: int


class _Line(NamedTuple):
    """A line that others belong to: its indentation, and its text with that."""

    depth: int
    text: str


def longest_lead(max_tokens: int) -> int:
    """Say how many bytes a lead may have before chunks of so many tokens."""
    return min(LONGEST_LEAD, BYTES_PER_TOKEN * max_tokens)


def within(lead: str, most: int) -> str:
    """Cut a lead to so many bytes."""
    data = lead.encode("utf-8", "replace")
    return lead if len(data) <= most else data[: most - 3].decode("utf-8", "ignore").rstrip() + "…"


def markdown_leads(
    text: str, blocks: Sequence[Block], headings: Iterable[tuple[int, int]], starts: Sequence[int], most: int
) -> list[str]:
    """Give the lead of each span of a Markdown text, by where it starts; ascending, in one walk over the text.

    Args:
        text: the document.
        blocks: tables and fences, ascending.
        headings: (start, end) of each, ascending: a list ends there.
        starts: of spans.
        most: bytes a lead may have.
    """
    begins = [block.start for block in blocks]
    inside: dict[int, list[int]] = {}  # starts by the block that they continue, -1 for none
    for start in starts:
        at = bisect_right(begins, start) - 1
        inside.setdefault(at if at >= 0 and blocks[at].body <= start < blocks[at].end else -1, []).append(start)
    outside = inside.pop(-1, [])
    apart = sorted([(block.start, block.end, False) for block in blocks] + [(*each, True) for each in headings])
    leads = dict(zip(outside, _lists(text, apart, outside, most), strict=True)) if outside else {}
    for at, mine in inside.items():
        leads |= zip(mine, _block_leads(text, blocks[at], mine, most), strict=True)
    return [leads[start] for start in starts]


def _block_leads(text: str, block: Block, starts: Sequence[int], most: int) -> list[str]:
    head = text[block.start : block.body].strip("\n")
    if "\n" in head:  # of a table; of a fence it is one line
        return [_table_header(head, most)] * len(starts)
    opening = within(head.strip(), most)
    around = enclosing(text, starts, most - len(opening.encode("utf-8", "replace")) - 1, block.body, block.end)
    return ["\n".join(filter(None, (opening, each))) for each in around]


def enclosing(text: str, starts: Sequence[int], most: int, begin: int = 0, end: int | None = None) -> list[str]:
    """Give the lines that each place of code is in, by indentation: its class, its function; ascending, in one walk."""
    waiting, leads = list(reversed(starts)), []
    above: list[_Line] = []
    for match in LINE.finditer(text, begin, len(text) if end is None else end):
        if not waiting:
            break
        depth = _depth(match)
        while waiting and waiting[-1] <= match.end():
            waiting.pop()
            leads.append(_joined(above, depth, most))
        if text.startswith(COMMENT, match.start("line")):
            continue
        closes = text[match.start("line")] in ")]}"
        while above and above[-1].depth >= depth + closes:
            above.pop()
        if not closes:
            above.append(_line(text, match, depth))
    return leads + [""] * len(waiting)


def _lists(text: str, apart: Sequence[tuple[int, int, bool]], starts: Sequence[int], most: int) -> list[str]:
    """Give what is above each place of a list: the sentence that announces it, and the items it is part of.

    `apart` are start and end of blocks and headings, and whether it is a heading.
    """
    waiting, leads = list(reversed(starts)), []
    above: list[_Line] = []
    paragraph = intro = ""
    at = last = 0  # end of the line before
    spans = iter([*apart, (len(text) + 1, len(text) + 1, True)])
    begin, end, heading = next(spans)
    while waiting and (match := LINE.search(text, at)):
        at = match.end()
        while end <= match.start():
            begin, end, heading = next(spans)
        depth, blank = _depth(match), match.start() > last + 1
        item = ITEM.match(text, match.start("line")) is not None
        goes_on = bool(above) and not item and (depth > above[0].depth or not blank)
        while waiting and waiting[-1] <= at:
            waiting.pop()
            lines = [_Line(-1, intro), *above] if intro else above
            leads.append(_joined(lines, depth if item or depth else MAXIMUM, most) if item or goes_on else "")
        if begin <= match.start():
            paragraph = ""
            if heading:  # it ends a list; a table or a fence in one does not
                above, intro = [], ""
            at = max(end, at)
            while waiting and waiting[-1] < at:
                waiting.pop()
                leads.append("")
        elif item:
            if not above:
                intro = _announcement(paragraph)
            while above and above[-1].depth >= depth:
                above.pop()
            above.append(_line(text, match, depth))
        elif goes_on:
            while depth and above and above[-1].depth >= depth:
                above.pop()
        else:
            above, intro = [], ""
            line = text[max(match.start("line"), at - LONGEST_PARAGRAPH) : at]
            paragraph = line if blank else f"{paragraph} {line}"[-LONGEST_PARAGRAPH:]
        last = at
    return leads + [""] * len(waiting)


def _announcement(paragraph: str) -> str:
    """Take the sentence that a colon ends."""
    whole = paragraph.rstrip()
    return SENTENCE.split(whole)[-1] if whole.endswith((":", "：")) else ""


def _depth(match: re.Match[str]) -> int:
    indent = match["indent"]
    return len(indent.expandtabs(4)) if "\t" in indent else len(indent)


def _line(text: str, match: re.Match[str], depth: int) -> _Line:
    begin, end = match.span("line")
    cut = text[begin : min(end, begin + LONGEST_LINE)].rstrip()
    return _Line(depth, " " * min(depth, LONGEST_LINE) + cut + ("…" if end - begin > LONGEST_LINE else ""))


def _joined(lines: Sequence[_Line], depth: int, most: int) -> str:
    """Join the lines that are indented less; of too many the innermost."""
    kept: list[str] = []
    size = 0
    for line in reversed(lines):
        if line.depth < depth:
            size += len(line.text.encode("utf-8", "replace")) + 1
            if size > most:
                break
            kept.append(line.text)
    return "\n".join(reversed(kept)).strip("\n")


def _table_header(head: str, most: int) -> str:
    """Write a table's header and rule as short as they can be; names that are too long together are cut, each alike."""
    names, rule = head.rsplit("\n", 1)
    cells = [" ".join(cell.split()) for cell in CELL.split(names.strip().strip("|"))]
    aligned = [re.sub("-+", "---", cell.strip()) for cell in rule.strip().strip("|").split("|")]
    line = f"|{'|'.join(aligned)}|"
    for longest in (1000, 40, 20, 12, 8, 4):
        header = f"| {' | '.join(cell if len(cell) <= longest else cell[: longest - 1] + '…' for cell in cells)} |"
        if len(header.encode("utf-8", "replace")) + 1 + len(line) <= most:
            return f"{header}\n{line}"
    return within(header, most)
