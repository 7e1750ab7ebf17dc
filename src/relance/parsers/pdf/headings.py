"""Which lines are headings: those of the outline, those that tags name, and those set larger or bold."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from statistics import median
from typing import TYPE_CHECKING

from relance.parsers.pdf.lines import Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from relance.parsers.pdf.lines import Page
    from relance.parsers.pdf.outline import Bookmark

__all__ = ["body_size", "find_headings"]

_MOST_PLACES = 50
# A heading has no more lines and letters, and is larger than the text by that; equals are as near as that.
_LINES, _LETTERS = 3, 200
_LARGER = 1.12
_AS_LARGE = 1.05
_NOT_ALNUM = re.compile(r"[\W_]+")
_NUMBERED = re.compile(r"(?i)^(?:chapter|section|part|appendix)?(?:[0-9]+|[a-z](?=[0-9]))*")
_ONLY_PAGES = re.compile(r"(?i)\W*(?:page|slide|p|seite|folie|cover|第)?\W*(?:\d+|[ivxlc]+)?\W*页?")
_LEADERS = re.compile(r"(?:[.·…]\s?){4,}")
_COUNT = re.compile(r"(?:[A-Z]|[IVX]+|\d+)?(?:\.\d+)*\.?")
_PAGE = re.compile(r"\d{1,4}|[ivxlc]{1,6}")
_SENTENCE = re.compile(r"[.,;:!。，；：]$")


def body_size(pages: Sequence[Page]) -> float:
    """Name the size that most letters of a document have."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            if line.upright:
                sizes[round(line.size * 2) / 2] += len(line.text)
    return max(sizes.most_common(1)[0][0], 1.0) if sizes else 1.0


def find_headings(pages: Sequence[Page], outline: Sequence[Bookmark], body: float) -> None:
    """Set the levels of the lines that are headings; one of several lines becomes one line."""
    tagged = any(line.level for page in pages for line in page.lines)
    marks: dict[int, list[Bookmark]] = defaultdict(list)
    for mark in outline:
        marks[mark.page].append(mark)
    for number, some in marks.items():
        if number < len(pages):
            pages[number].lines = _with_bookmarks(pages[number].lines, some, tagged=tagged)
    if tagged:
        for page in pages:
            page.lines = list(_merged(page.lines))
        return
    known: dict[tuple[int, bool], list[int]] = defaultdict(list)
    for page in pages:
        for line in page.lines:
            if line.level and line.at >= 0:
                known[_style(line)].append(line.level)
    candidates = list(_by_type(pages, body))
    levels = _levels({_style(group[0]) for _, group in candidates}, known)
    gone: dict[int, set[int]] = defaultdict(set)
    for number, group in candidates:
        group[0].level = levels[_style(group[0])]
        gone[number].update(_join(group))
    for number, ids in gone.items():
        pages[number].lines = [line for line in pages[number].lines if id(line) not in ids]


def _style(line: Line) -> tuple[int, bool]:
    return round(line.size * 2), line.bold


def _plain(text: str) -> str:
    return _NOT_ALNUM.sub("", text).casefold()


def _bare(plain: str) -> str:
    return _NUMBERED.sub("", plain)


def _with_bookmarks(lines: list[Line], marks: list[Bookmark], *, tagged: bool) -> list[Line]:
    """Find the lines that bookmarks name; a bookmark that no line shows becomes a heading of its own."""
    exact: dict[str, list[int]] = defaultdict(list)
    near: dict[str, list[int]] = defaultdict(list)
    plain = [_plain(line.text[: 2 * _LETTERS]) if line.table is None else "" for line in lines]
    count = len(lines)
    for at in range(count):
        joined = ""
        for some in range(1, min(_LINES, count - at) + 1):
            joined += plain[at + some - 1]
            if len(joined) > _LETTERS or not plain[at + some - 1]:
                break
            exact[joined].append(at * _LINES + some - 1)
            near[_bare(joined)].append(at * _LINES + some - 1)
    taken: set[int] = set()
    before: dict[int, list[Line]] = defaultdict(list)
    gone: set[int] = set()
    for mark in marks:
        key = _plain(mark.title)
        bare = _bare(key)
        places = exact.get(key) or (near.get(bare) if len(bare) > 2 else None) or []
        places = [place for place in places[:_MOST_PLACES] if taken.isdisjoint(_covered(place))]
        if places:
            place = min(
                places,
                key=lambda place, mark=mark: (_away(lines, place, mark), -lines[place // _LINES].size, place % _LINES),
            )
            at, more = divmod(place, _LINES)
            taken.update(_covered(place))
            if not lines[at].level or not tagged:
                lines[at].level = mark.level
            gone.update(_join(lines[at : at + more + 1]))
        elif not tagged and not _ONLY_PAGES.fullmatch(mark.title):
            at = next((at for at, line in enumerate(lines) if line.upright and line.base < mark.height), count)
            before[at].append(Line(mark.title, -1, 0, 0, 0, 0, 0, 0, 0, level=mark.level))
    found: list[Line] = []
    for at, line in enumerate(lines):
        found += before[at]
        if id(line) not in gone:
            found.append(line)
    return found + before[count] if count else before[0]


def _covered(place: int) -> range:
    """Number the lines of a place: the first, and how many follow."""
    at, more = divmod(place, _LINES)
    return range(at, at + more + 1)


def _away(lines: list[Line], place: int, mark: Bookmark) -> int:
    """Measure how far a place is from where a bookmark leads, in lines."""
    return round(abs(lines[place // _LINES].top - mark.height) / 20) if mark.height < float("inf") else 0


def _join(group: Sequence[Line]) -> set[int]:
    """Make the first line of a heading hold all of it; returns the `id`s of the others."""
    first = group[0]
    for line in group[1:]:
        first.text += line.text if first.broken else f" {line.text}"
        first.broken, first.bottom, first.base = line.broken, line.bottom, line.base
        first.right = max(first.right, line.right)
    first.cells = []
    return {id(line) for line in group[1:]}


def _merged(lines: list[Line]) -> Iterator[Line]:
    """Join the lines of one tagged heading."""
    last: Line | None = None
    for line in lines:
        if last is not None and line.level and line.level == last.level and line.mark == last.mark >= 0:
            _join([last, line])
            continue
        yield line
        last = line


def _by_type(pages: Sequence[Page], body: float) -> Iterator[tuple[int, list[Line]]]:
    """Give the groups of lines that are set as headings, with the number of their page."""
    letters = sum(len(line.text) for page in pages for line in page.lines) or 1
    bold = sum(len(line.text) for page in pages for line in page.lines if line.bold)
    large = sum(len(line.text) for page in pages for line in page.lines if line.size >= _LARGER * body)
    for number, page in enumerate(pages):
        above: Line | None = None
        groups = list(_groups(page.lines))
        for at, group in enumerate(groups):
            first, text = group[0], " ".join(line.text for line in group)
            after = groups[at + 1][0] if at + 1 < len(groups) else None
            fits = len(group) <= _LINES and len(text) <= _LETTERS and first.upright and not first.level
            if fits and first.table is None and _reads_as_heading(text) and not _is_entry(group[-1]):
                if first.size >= _LARGER * body:
                    if 2 * large < letters:
                        yield number, group
                elif (
                    first.bold and not first.mono and first.size >= 0.95 * body and 4 * bold < letters
                    and len(group) < _LINES and not any(_is_row(line) for line in group)
                    and not _SENTENCE.search(text) and _stands_alone(above, group, after)
                ):  # fmt: skip
                    yield number, group
            above = group[-1]


def _groups(lines: list[Line]) -> Iterator[list[Line]]:
    """Group lines below each other that are set alike."""
    group: list[Line] = []
    for line in lines:
        if group and not (
            line.table is None and group[-1].table is None and line.level == group[-1].level == 0
            and _style(line) == _style(group[-1])
            and 0 < group[-1].base - line.base <= 1.9 * line.size
            and line.left < group[-1].right and group[-1].left < line.right
        ):  # fmt: skip
            yield group
            group = []
        group.append(line)
    if group:
        yield group


def _reads_as_heading(text: str) -> bool:
    letters = sum(letter.isalpha() for letter in text)
    enough = 2 if any("\u3040" <= letter <= "\uffdc" for letter in text) else 3
    start = text.lstrip("([\"'“‘§")[:1]
    return letters >= enough and 2 * letters > len(text.replace(" ", "")) and (start.isdigit() or not start.islower())


def _is_entry(line: Line) -> bool:
    """Whether a line is of a table of contents: dots or a gap, and the number of a page."""
    return _LEADERS.search(line.text) is not None or bool(line.cells and _PAGE.fullmatch(line.cells[-1].text))


def _is_row(line: Line) -> bool:
    """Whether a line has cells, other than a number and what it counts."""
    return bool(line.cells) and not (len(line.cells) == 2 and _COUNT.fullmatch(line.cells[0].text))


def _stands_alone(above: Line | None, group: list[Line], after: Line | None) -> bool:
    """Whether a bold line has room above it and text below it that is not bold."""
    first, last = group[0], group[-1]
    room = above is None or above.base - first.base > 1.45 * first.size or above.base < first.base or above.level > 0
    if after is None or after.bold or after.table is not None or after.cells or not room:
        return False
    return 0 < last.base - after.base < 4 * last.size and after.left < last.right


def _levels(styles: set[tuple[int, bool]], known: dict[tuple[int, bool], list[int]]) -> dict[tuple[int, bool], int]:
    """Rank styles by size, bold before plain; those whose level the outline tells keep it."""
    found: dict[tuple[int, bool], int] = {}
    level, last = 0, 0.0
    for style in sorted(styles | known.keys(), key=lambda style: (-style[0], not style[1])):
        if style in known:
            level = int(median(known[style]))
        elif not last or style[0] * _AS_LARGE < last or level == 0:
            level += 1
        elif style[0] < last:
            level = level or 1
        else:
            level += 1
        last = style[0]
        found[style] = min(level, 6)
    return found
