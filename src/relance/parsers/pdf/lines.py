"""The lines of a page as PDFium reads them, with their place and type.

PDFium's order is kept: it is that of the file, and right for columns where sorting by place is wrong. What costs is
asked once a line, not once a character: 1 µs a call, 2,000 characters and 40 lines a page.
"""

from __future__ import annotations

import ctypes
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import pypdfium2.raw as pdfium

from relance.parsers.decoding import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypdfium2 import PdfTextPage

__all__ = ["Cell", "Fonts", "Line", "Page", "read_lines"]

# U+FFFE (U+0002 in older versions) stands for a hyphen at a line's end.
_LINE = re.compile("[^\r\n\ufffe\x02]+[\ufffe\x02]?")
_WORD = re.compile(r"\S+")
_LIGATURES = str.maketrans({
    "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st",
    "\u00ad": None, "\u200b": None, "\u2060": None, "\ufeff": None, "\u00a0": " ",
})  # fmt: skip
_BOLD = re.compile(r"(?i)bold|black|heavy|demi|semib|-bd|cmbx|cmb10|sfbx|nimbus.*medi|\.b(?:$|\+)|medi$")
_MONO = re.compile(r"(?i)mono|courier|consol|typewriter|cmtt|cmsltt|cmitt|sftt|menlo|inconsol|fixed")
# Of 20 families the plain ones weigh 340 to 510, by PDFium's measure; the lightest bold one, which its name tells, 545.
_HEAVY = 600
_FIXED_PITCH, _FORCE_BOLD = 1, 1 << 18
# A gap as wide as this many letters' height is one between cells.
_CELL_GAP = 0.75
_MOST_RUNS = 16
_LONGEST_ROW = 2_000


class Cell(NamedTuple):
    """A part of a line between wide gaps."""

    text: str
    left: float
    right: float


@dataclass(slots=True)
class Line:
    """One line as it is printed, in points from the lower left corner.

    Attributes:
        at: index of its first character on the page, as `length` for PDFium's functions.
        base: height of its baseline.
        size: of its letters, after all scaling.
        bold: whether all of it is, as `mono`.
        broken: whether it ends in a hyphen.
        upright: whether it runs from left to right.
        cells: its parts, where wide gaps divide it; else empty.
        mark: number of its first letter's marked content, -1 without.
        level: of the heading it is, 0 of text.
        table: rows of the table that stands here, instead of text.
    """

    text: str
    at: int
    length: int
    left: float
    bottom: float
    right: float
    top: float
    base: float
    size: float
    bold: bool = False
    mono: bool = False
    broken: bool = False
    upright: bool = True
    cells: list[Cell] = field(default_factory=list)
    mark: int = -1
    level: int = 0
    table: list[list[str]] | None = None


@dataclass(slots=True)
class Page:
    """What was read of it.

    Attributes:
        lines: in the order of the file.
        scanned: whether it is a picture with hardly any text.
        damaged: whether it cannot be read.
        crowded: whether there was more on it than is read of fields, notes and links.
    """

    width: float
    height: float
    lines: list[Line] = field(default_factory=list)
    scanned: bool = False
    damaged: bool = False
    crowded: bool = False


class Fonts:
    """Whether fonts are bold or of one width, by their names; asked once a font."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[bool, bool]] = {}

    def style(self, thing: object) -> tuple[bool, bool]:
        """Say whether a text object is bold, and whether its letters are all as wide."""
        font = pdfium.FPDFTextObj_GetFont(thing) if thing else None
        if not font:
            return False, False
        address = ctypes.addressof(font.contents)
        known = self._known.get(address)
        if known is None:
            buffer = ctypes.create_string_buffer(256)
            pdfium.FPDFFont_GetBaseFontName(font, buffer, 256)
            name = buffer.value.decode("latin-1")
            flags = max(pdfium.FPDFFont_GetFlags(font), 0)
            known = self._known[address] = (
                bool(_BOLD.search(name) or flags & _FORCE_BOLD or pdfium.FPDFFont_GetWeight(font) >= _HEAVY),
                bool(_MONO.search(name) or flags & _FIXED_PITCH),
            )
        return known


def read_lines(layer: PdfTextPage, fonts: Fonts, *, tagged: bool) -> list[Line]:
    """Read the lines of a page in the order of the file."""
    return list(_Reader(layer, fonts, tagged=tagged).lines())


class _Reader:
    """Reads one page; what PDFium writes to is made once."""

    def __init__(self, layer: PdfTextPage, fonts: Fonts, *, tagged: bool) -> None:
        self._raw, self._fonts, self._tagged = layer.raw, fonts, tagged
        self._sides = tuple(ctypes.c_double() for _ in range(4))
        self._matrix = pdfium.FS_MATRIX()
        self._text, count = _characters(layer.raw)
        self._same = len(self._text) == count
        # Characters outside the basic plane count twice.
        self._wide = [] if self._same else [at for at, letter in enumerate(self._text) if letter > "\uffff"]

    def lines(self) -> Iterator[Line]:
        """Read the lines in the order of the file."""
        for match in _LINE.finditer(self._text):
            raw = match[0]
            broken = raw[-1] in "\ufffe\x02"
            written = raw.rstrip("\ufffe\x02 \t")
            start = match.start() + len(written) - len(written.lstrip())
            written = written.lstrip()
            if shown := _shown(written):
                yield self._line(start, written, shown, broken=broken)

    def _place(self, offset: int) -> int:
        """Turn an offset in the text into PDFium's number of the character; mostly it is the same."""
        if self._same:
            return offset
        offset += bisect_left(self._wide, offset)
        return max(pdfium.FPDFText_GetCharIndexFromTextIndex(self._raw, offset), 0)

    def _line(self, start: int, written: str, shown: str, *, broken: bool) -> Line:
        raw, matrix = self._raw, self._matrix
        at, last = self._place(start), self._place(start + len(written) - 1)
        size, upright = pdfium.FPDFText_GetFontSize(raw, at), True
        if pdfium.FPDFText_GetMatrix(raw, at, matrix):
            size *= (matrix.c * matrix.c + matrix.d * matrix.d) ** 0.5
            upright = matrix.a > 0 and abs(matrix.b) < 0.1 * matrix.a
        x, y = self._sides[:2]
        base = y.value if pdfium.FPDFText_GetCharOrigin(raw, at, x, y) else 0.0
        # Some programs place each letter: there, words are asked for, a tenth of the calls.
        words: list[Cell] = []
        count = pdfium.FPDFText_CountRects(raw, at, last - at + 1)
        if count > _MOST_RUNS and len(written) < _LONGEST_ROW:
            words = self._words(start, written)
            runs = [(word.left, word.right, base - 0.2 * size, base + 0.8 * size) for word in words]
        else:
            runs = self._runs(min(count, _LONGEST_ROW))
        left, bottom, right, top, gap = _box(runs)
        first = pdfium.FPDFText_GetTextObject(raw, at)
        bold, mono = self._fonts.style(first)
        for each in ((at + last) // 2, last):
            if bold or mono:
                also = self._fonts.style(pdfium.FPDFText_GetTextObject(raw, each))
                bold, mono = bold and also[0], mono and also[1]
        mark = pdfium.FPDFPageObj_GetMarkedContentID(first) if first and self._tagged else -1
        line = Line(shown, at, last - at + 1, left, bottom, right, top, base, size or top - bottom, bold, mono, broken,
                    upright, mark=mark)  # fmt: skip
        # A gap within what one operator draws shows in the width alone: letters are half as wide as high, on average.
        stretched = right - left > (0.6 if shown.isascii() else 1.1) * size * len(shown)
        if upright and (stretched or gap > _CELL_GAP * size) and len(written) < _LONGEST_ROW:
            line.cells = _cells(words or self._words(start, written), size)
        return line

    def _runs(self, count: int) -> list[tuple[float, float, float, float]]:
        """Read the runs of the line that was counted last: left, right, bottom, top each."""
        raw, (left, top, right, bottom) = self._raw, self._sides
        runs = []
        for number in range(count):
            pdfium.FPDFText_GetRect(raw, number, left, top, right, bottom)
            runs.append((left.value, right.value, bottom.value, top.value))
        return runs

    def _words(self, start: int, written: str) -> list[Cell]:
        """Ask where each word of a line begins and ends."""
        left, right, bottom, top = self._sides
        words = []
        for word in _WORD.finditer(written):
            if not pdfium.FPDFText_GetCharBox(self._raw, self._place(start + word.start()), left, right, bottom, top):
                continue
            begin, end = left.value, right.value
            if pdfium.FPDFText_GetCharBox(self._raw, self._place(start + word.end() - 1), left, right, bottom, top):
                end = right.value
            words.append(Cell(_shown(word[0]), begin, end))
        return words


def _box(runs: list[tuple[float, float, float, float]]) -> tuple[float, float, float, float, float]:
    """Measure the runs of a line: its sides, and the widest gap."""
    if not runs:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    runs.sort()
    gap, reached = 0.0, runs[0][1]
    low, high = runs[0][2:]
    for begin, end, down, up in runs:
        gap = max(gap, begin - reached)
        reached, low, high = max(reached, end), min(low, down), max(high, up)
    return runs[0][0], low, reached, high, gap


def _cells(words: list[Cell], size: float) -> list[Cell]:
    """Divide a line at its wide gaps."""
    cells: list[Cell] = []
    for word in words:
        if cells and word.left - cells[-1].right < _CELL_GAP * size:
            cells[-1] = Cell(f"{cells[-1].text} {word.text}", cells[-1].left, max(word.right, cells[-1].right))
        else:
            cells.append(word)
    return cells if len(cells) > 1 else []


def _characters(raw: object) -> tuple[str, int]:
    """Read the characters of a page, and how many PDFium counts."""
    count = pdfium.FPDFText_CountChars(raw)
    if count <= 0:
        return "", 0
    # It may write more than it counts: two units for what is outside the basic plane.
    buffer = (ctypes.c_ushort * (2 * count + 2))()
    written = pdfium.FPDFText_GetText(raw, 0, count, buffer)
    return bytes(buffer)[: 2 * max(written - 1, 0)].decode("utf-16-le", "replace"), count


def _shown(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.strip()
    return clean(text.translate(_LIGATURES)).strip()
