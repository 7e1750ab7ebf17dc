"""What stands on every page: running heads, footers, page numbers."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from relance.parsers.pdf.lines import Line, Page

__all__ = ["drop_furniture", "is_page_number"]

_NUMBER = re.compile(r"\d+")
_ROMAN = re.compile(r"(?i)[ivxlc]{1,7}")
_PAGE_NUMBER = re.compile(
    r"(?i)[\W_]*(?:(?:page|p\.|pg\.?|seite|página|pagina|стр\.?|第)?[\W_]*(?:\d{1,5}|[ivxlc]{1,7})[\W_]*"
    r"(?:(?:of|/|von|de|di|sur|из|页|頁|共)[\W_]*\d{0,5}[\W_]*(?:页|頁)?)?)[\W_]*"
)
# Lines at the edge of a page that may be furniture, and the part of the page where they are.
_EDGE = 3
_MARGIN = 0.16


def is_page_number(text: str) -> bool:
    """Whether a line says nothing but which page it is on."""
    return len(text) <= 40 and _PAGE_NUMBER.fullmatch(text) is not None


def drop_furniture(pages: Sequence[Page], body: float) -> list[str]:
    """Take out of pages what they repeat at the same place; returns each such line once.

    A line is furniture if it is the same on three pages (on both of two), but for its numbers, which have to grow with
    those of the pages. What is larger than the text is a heading, and what nothing sets apart from the text is text.
    """
    places: dict[tuple[str, bool], list[tuple[int, Line]]] = defaultdict(list)
    for number, page in enumerate(pages):
        for top in (True, False):
            edge = list(_edge(page, body, top=top))
            if len(edge) < sum(line.upright for line in page.lines):  # a page of nothing else has no furniture
                for line in edge:
                    places[_key(line.text), top].append((number, line))
    enough = 3 if len(pages) > 2 else 2
    gone: dict[int, set[int]] = defaultdict(set)
    said: dict[str, None] = {}
    for (key, _), found in places.items():
        for same in _by_height(found):
            counted = [(number, line) for number, line in same if _numbered(key, same)]
            if len({number for number, _ in counted}) >= enough and len(pages) > 1:
                for number, line in counted:
                    gone[number].add(id(line))
                said.setdefault(counted[0][1].text)
    for line in _neighbours(places, gone, len(pages)):
        said.setdefault(line.text)
    for number, ids in gone.items():
        pages[number].lines = [line for line in pages[number].lines if id(line) not in ids]
    return [text for text in said if not is_page_number(text)]


def _neighbours(
    places: dict[tuple[str, bool], list[tuple[int, Line]]], gone: dict[int, set[int]], pages: int
) -> Iterator[Line]:
    """Drop, and give, what stands where other pages have furniture, in the same size: the heads of short chapters.

    A quarter of the pages have furniture there, or half of them a line, of which three are furniture.
    """
    repeated: Counter[tuple[bool, int, int]] = Counter()
    every: Counter[tuple[bool, int, int]] = Counter()
    lines = [(top, number, line) for (_, top), found in places.items() for number, line in found]
    for top, number, line in lines:
        every[_height(line, top=top)] += 1
        if id(line) in gone.get(number, ()):
            repeated[_height(line, top=top)] += 1
    for top, number, line in lines:
        height = _height(line, top=top)
        if repeated[height] >= max(5, pages / 4) or (repeated[height] >= 3 and every[height] >= max(5, pages / 2)):
            gone[number].add(id(line))
            yield line


def _height(line: Line, *, top: bool) -> tuple[bool, int, int]:
    return top, round(line.base / 2), round(line.size * 2)


def _key(text: str) -> str:
    key = "#" if _ROMAN.fullmatch(text) else _NUMBER.sub("#", text)
    return " ".join(key.casefold().split())


def _edge(page: Page, body: float, *, top: bool) -> Iterable[Line]:
    """Give the outermost lines of a page, as far as a gap sets them apart from the text."""
    lines = sorted((line for line in page.lines if line.upright), key=lambda line: -line.base if top else line.base)[
        : _EDGE * 4
    ]
    rows: list[list[Line]] = []
    for line in lines:
        if rows and abs(rows[-1][0].base - line.base) < 0.5 * max(line.size, 1):
            rows[-1].append(line)
        else:
            rows.append([line])
    limit = page.height * (1 - _MARGIN) if top else page.height * _MARGIN
    found: list[Line] = []
    for at, row in enumerate(rows[:_EDGE]):
        inside = row[0].base < limit if top else row[0].base > limit
        if inside or any(line.size > 1.15 * body for line in row):
            break
        after = rows[at + 1][0] if at + 1 < len(rows) else None
        found += row
        apart = after is None or abs(after.base - row[0].base) > 1.7 * max(after.size, row[0].size)
        if apart or (at == 0 and all(is_page_number(line.text) for line in row)):
            yield from found
            found = []


def _by_height(found: list[tuple[int, Line]]) -> Iterable[list[tuple[int, Line]]]:
    """Group lines of one wording by where they are: within three points."""
    ordered = sorted(found, key=lambda each: each[1].base)
    group: list[tuple[int, Line]] = []
    for each in ordered:
        if group and each[1].base - group[0][1].base > 3:
            yield sorted(group, key=lambda each: each[0])
            group = []
        group.append(each)
    if group:
        yield sorted(group, key=lambda each: each[0])


def _numbered(key: str, same: list[tuple[int, Line]]) -> bool:
    """Whether the numbers in lines of one wording are the same, or one of them grows as the pages do."""
    if "#" not in key or key == "#":
        return True
    values = [tuple(map(int, _NUMBER.findall(line.text[:200])[:6])) for _, line in same]
    for column in zip(*values, strict=False):
        steps = [value - number for value, (number, _) in zip(column, same, strict=True)]
        if len(set(column)) > 1 and sum(a == b for a, b in pairwise(steps)) * 2 < len(steps) - 1:
            return False
    return True
