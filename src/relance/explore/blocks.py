"""A text as blocks: code with the numbers of its lines, tables as tables, and the rest as it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from markupsafe import Markup, escape

from relance.explore.reading import UNSEEN, flowing, running
from relance.parsers.media_types import language_of

__all__ = ["Block", "blocks", "excerpt", "marked", "whole"]

Span = tuple[int, int]

# A block of code between fences that are both there, and lines that begin and end with a bar.
_BLOCK = re.compile(
    r"^(?P<fence>```|~~~)[^\n]*\n(?P<code>[\s\S]*?)^(?P=fence)[ \t]*$|(?P<table>(?:^[ \t]*\|[^\n]*\|[ \t]*(?:\n|\Z))+)",
    re.MULTILINE,
)
_RULE = re.compile(r"\|?[ \t:|-]*-[ \t:|-]*\|?")
_BAR = re.compile(r"(?<!\\)\|")
_LINES, _ROWS = 12, 6  # of an excerpt


@dataclass(slots=True, frozen=True)
class Block:
    """A part of a text, by the offsets of its characters."""

    kind: Literal["prose", "code", "table"]
    start: int
    end: int


def blocks(text: str, media_type: str) -> list[Block]:
    """Split a text; together they hold all of it but fences of code."""
    if language_of(media_type):
        return [Block("code", 0, len(text))]
    if media_type == "text/plain":
        return [Block("prose", 0, len(text))]
    found, at = [], 0
    for match in _BLOCK.finditer(text):
        found.append(Block("prose", at, match.start()))
        kind = "table" if match["table"] is not None else "code"
        found.append(Block(kind, *match.span("table" if kind == "table" else "code")))
        at = match.end()
    return [each for each in [*found, Block("prose", at, len(text))] if text[each.start : each.end].strip()]


def excerpt(text: str, media_type: str, spans: Sequence[Span] = (), window: Span | None = None,
            line: int | None = None) -> Markup:  # fmt: skip
    """Write what is in a window of a text, with marks: of code and tables whole lines, at most 12 and 6.

    Args:
        text: of a chunk.
        media_type: of its document.
        spans: to mark, sorted, not overlapping.
        window: that is shown, all without one.
        line: of the file, that the text begins on.
    """
    start, end = window or (0, len(text))
    pieces = []
    for block in blocks(text, media_type):
        low, high = max(start, block.start), min(end, block.end)
        if low >= high:
            continue
        if block.kind == "prose":
            words = text[: block.start] + running(text[block.start : block.end], media_type) + text[block.end :]
            inside = marked(words[: block.end], spans, (low, high), since=block.start)
            pieces.append(Markup('<p class="snippet">{}</p>').format(inside))
        elif block.kind == "code":
            first = text.rfind("\n", block.start, low) + 1 or block.start
            last = text.find("\n", high - 1, block.end)
            part = Block("code", first, block.end if last < 0 else last)
            pieces.append(_code(text, part, spans, _line_at(text, first, line), most=_LINES))
        else:
            pieces.append(_table(text, block, spans, (low, high), most=_ROWS))
    return Markup("").join(pieces)


def whole(text: str, media_type: str, line: int | None = None, repeated: int = 0) -> Markup:
    """Write a text to be read; its first characters may be `repeated` from the chunk before, and are paler."""
    text = flowing(text, media_type)
    pieces = []
    for block in blocks(text, media_type):
        if block.kind == "prose":
            words = text[block.start : block.end]
            start = block.start + len(words) - len(words.lstrip("\n"))
            inside = _paler(text, start, start + len(words.strip("\n")), (), repeated)
            pieces.append(Markup('<div class="text" dir="auto">{}</div>').format(inside))
        elif block.kind == "code":
            pieces.append(_code(text, block, (), _line_at(text, block.start, line), repeated=repeated))
        else:
            pieces.append(_table(text, block, (), (block.start, block.end), repeated=repeated))
    return Markup("").join(pieces)


def marked(text: str, spans: Sequence[Span], window: Span | None = None, since: int = 0) -> Markup:
    """Mark spans of a text; of a text longer than the window only that, with an ellipsis where something is left out.

    Spans are sorted and do not overlap. All count characters of the text, which begins at `since`.
    """
    start, end = window or (since, len(text))
    pieces = [Markup("… ")] if start > since else []
    at = start
    for first, last in spans:
        low, high = max(first, at), min(last, end)
        if low < high and text[low:high].strip(UNSEEN):
            pieces += [escape(text[at:low]), Markup("<mark>"), escape(text[low:high]), Markup("</mark>")]
            at = high
    pieces.append(escape(text[at:end]))
    return Markup("").join([*pieces, Markup(" …")] if end < len(text) else pieces)


def _code(text: str, block: Block, spans: Sequence[Span], line: int | None, *, most: int = 0,
          repeated: int = 0) -> Markup:  # fmt: skip
    """Write lines; their numbers are no part of the text, so that what is copied is the code."""
    rows, at = [], block.start
    code = text[block.start : block.end].rstrip("\n")
    left = code.count("\n") + 1 - most if most else 0
    for offset, row in enumerate(code.split("\n")[: most or None]):
        number = Markup(' data-line="{}"').format(line + offset) if line else ""
        inside = _paler(text, at, at + len(row), spans, repeated)
        rows.append(Markup('<span class="line"{}>{}\n</span>').format(number, inside))
        at += len(row) + 1
    more = (
        Markup('<span class="line rest">… {} more line{}\n</span>').format(left, "s" * (left != 1)) if left > 0 else ""
    )
    return Markup('<pre class="listing" tabindex="0"><code>{}{}</code></pre>').format(Markup("").join(rows), more)


def _table(text: str, block: Block, spans: Sequence[Span], window: Span, *, most: int = 0,
           repeated: int = 0) -> Markup:  # fmt: skip
    rows = list(_rows(text, block))
    titled = len(rows) > 1 and _RULE.fullmatch(text[slice(*rows[1])].strip())
    body = [row for row in rows[2 * bool(titled) :] if row[1] > window[0] and row[0] < window[1]]
    shown = body[: most or None]

    def cells(row: Span, tag: str) -> Markup:
        scope = ' scope="col"' if tag == "th" else ""
        written = [f"<{tag}{scope}>{_paler(text, *cell, spans, repeated)}</{tag}>" for cell in _cells(text, row)]
        return Markup(f"<tr>{''.join(written)}</tr>")  # noqa: S704  # all that is not ours was escaped by `_paler`

    head = Markup("<thead>{}</thead>").format(cells(rows[0], "th")) if titled else ""
    lines = Markup("").join(cells(row, "td") for row in shown)
    left = len(body) - len(shown)
    note = Markup('<p class="dim">… {} more row{}</p>').format(left, "s" * (left != 1)) if left else ""
    table = Markup("<table>{}<tbody>{}</tbody></table>").format(head, lines)
    frame = Markup('<div class="table inner" role="group" aria-label="Table" tabindex="0">{}</div>{}')
    return frame.format(table, note)


def _rows(text: str, block: Block) -> Iterator[Span]:
    at = block.start
    for row in text[block.start : block.end].split("\n"):
        if row.strip():
            yield at, at + len(row)
        at += len(row) + 1


def _cells(text: str, row: Span) -> Iterator[Span]:
    """Find the cells of a row between its bars, without the spaces around them."""
    bars = [row[0] + match.start() for match in _BAR.finditer(text[slice(*row)])]
    for left, right in pairwise(bars):
        cell = text[left + 1 : right]
        begin = left + 1 + len(cell) - len(cell.lstrip())
        yield begin, max(begin, begin + len(cell.strip()))


def _paler(text: str, start: int, end: int, spans: Sequence[Span], repeated: int) -> Markup:
    """Write a part of a text, what is repeated in it paler."""
    border = min(max(start, repeated), end)
    said = Markup('<span class="repeated" title="Repeated from the passage before">{}</span>')
    before = said.format(marked(text[:border], spans, (start, border), since=start)) if border > start else ""
    return before + marked(text[:end], spans, (border, end), since=border)


def _line_at(text: str, start: int, line: int | None) -> int | None:
    return None if line is None else line + text.count("\n", 0, start)
