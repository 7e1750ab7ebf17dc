"""The text of an OpenDocument file: paragraphs with their notes and comments, cells, frames."""

from __future__ import annotations

from collections.abc import Iterator

from relance.parsers.archive import Archive
from relance.parsers.office.grid import Grid
from relance.parsers.office.left_out import LeftOut
from relance.parsers.office.markdown_writer import MarkdownWriter
from relance.parsers.office.math_text import math_text
from relance.parsers.office.odf_styles import DRAW, SVG, TABLE, TEXT, XLINK, OdfStyles
from relance.parsers.office.xml import Element, local, parse_xml, whole

__all__ = ["OdfText", "alt_of", "author_of", "rows_of"]

_INSIDE = frozenset(("span", "a", "meta", "meta-field", "ruby-base", "bookmark-ref", "reference-ref", "note-ref",
                     "sequence",
                     "sequence-ref", "text-input", "placeholder", "conditional-text", "variable-set", "variable-get",
                     "user-field-get", "expression", "database-display", "title", "subject", "author-name", "creator",
                     "description", "keywords", "initial-creator", "file-name", "chapter", "drop-down"))  # fmt: skip
_NUMBERS_OF_PAGES = frozenset(("page-number", "page-count", "date", "time", "page-continuation"))
# Cells that repeated rows and cells may add to a document; empty ones cost nothing.
_MOST_REPEATED = 200_000


class OdfText:
    """Reads whatever holds paragraphs as plain lines."""

    def __init__(self, uri: str, archive: Archive | None, left_out: LeftOut, styles: OdfStyles) -> None:
        self._uri = uri
        self._archive = archive
        self._formulas: dict[str, str] = {}
        self._left_out = left_out
        self._styles = styles
        self._writer = MarkdownWriter(uri)
        self._left = _MOST_REPEATED

    def _line(self, element: Element, *, strip: bool = True) -> str:
        pieces: list[str] = []
        self._inline(element, pieces)
        text = "".join(pieces)
        text = text.strip() if strip else text
        if self._styles.is_hidden(element.get(f"{TEXT}style-name", "")):
            return self._left_out.passage("hidden text", text)
        return text

    def _inline(self, parent: Element, pieces: list[str]) -> None:  # noqa: PLR0912  # a table of elements
        _spaced(parent.text, pieces)
        for child in parent.iterchildren():
            name = local(child)
            match name:
                case "s":
                    pieces.append(" " * min(whole(child.get(f"{TEXT}c"), 1), 1000))
                case "tab":
                    pieces.append("\t")
                case "line-break":
                    pieces.append("\n")
                case "note":
                    pieces.append(self._note(child))
                case "annotation":
                    author = author_of(child)
                    pieces.append(self._left_out.comment(author, " ".join(self._lines(child))))
                case "hidden-text" | "hidden-paragraph":
                    text = child.get(f"{TEXT}string-value") or "".join(child.itertext())
                    pieces.append(self._left_out.passage("hidden text", text))
                case "ruby":
                    base, above = child.find(f"{TEXT}ruby-base"), child.find(f"{TEXT}ruby-text")
                    if base is not None:
                        self._inline(base, pieces)
                    if above is not None and (text := "".join(above.itertext()).strip()):
                        pieces.append(f"({text})")
                case "frame":
                    if words := self._formula(child) or alt_of(child):
                        pieces.append(f" {words} ")
                case _ if name in _NUMBERS_OF_PAGES and _is_furniture(child):
                    pass
                case _ if self._styles.is_hidden(child.get(f"{TEXT}style-name", "")):
                    inner: list[str] = []
                    self._inline(child, inner)
                    pieces.append(self._left_out.passage("hidden text", "".join(inner)))
                case _ if name in _INSIDE or name in _NUMBERS_OF_PAGES or child.tag.startswith(TEXT):
                    if name not in {"tracked-changes", "soft-page-break", "bookmark", "change", "ruby-text"}:
                        begin = len(pieces)
                        self._inline(child, pieces)
                        if name == "a":
                            pieces.append(
                                self._left_out.address(child.get(f"{XLINK}href", ""), "".join(pieces[begin:]))
                            )
            _spaced(child.tail, pieces)

    def _embedded(self, element: Element) -> Element | None:
        """Open what a `draw:object` stands for; None where the file lacks it."""
        inner = next(element.iterchildren("{*}document", "{*}math"), None)
        target = element.get(f"{XLINK}href", "").removeprefix("./").rstrip("/")
        name = f"{target}/content.xml"
        if inner is None and self._archive is not None and target and name in self._archive:
            inner = parse_xml(self._archive.read(name), self._uri, name)
        return inner

    def _formula(self, frame: Element) -> str:
        """Write the formula in a frame; nothing where there is none."""
        found = frame.find(f"{DRAW}object")
        if found is None:
            return ""
        name = found.get(f"{XLINK}href", "")
        if name not in self._formulas:
            inner = self._embedded(found)
            self._formulas[name] = math_text(inner) if inner is not None and local(inner) == "math" else ""
        return self._formulas[name]

    def _note(self, note: Element) -> str:
        body = note.find(f"{TEXT}note-body")
        if body is None:
            return ""
        citation = "".join(
            (note.find(f"{TEXT}note-citation") if note.find(f"{TEXT}note-citation") is not None else note).itertext()
        )
        mark = " ".join(citation.split())[:20] or "*"
        self._writer.note(mark, " ".join(text for text in self._lines(body) if text))
        return f"[^{mark}]"

    def _lines(self, container: Element) -> Iterator[str]:
        """Yield what a cell, a note or a box holds as plain lines."""
        for child in container.iterchildren("*"):
            match local(child):
                case "p" | "h":
                    yield self._line(child)
                    for frame in child.iter(f"{DRAW}text-box"):
                        yield from self._lines(frame)
                case "list":
                    for item in child.iterchildren(f"{TEXT}list-item", f"{TEXT}list-header"):
                        yield from self._lines(item)
                case "table":
                    for row in self._grid(child).rows():
                        yield " ".join(text for at, text in enumerate(row) if text and (not at or row[at - 1] != text))
                case "creator" | "date" | "initials" | "creator-initials" | "annotation" | "note-citation":
                    continue
                case "frame" | "text-box" | "section" | "custom-shape" | "g":
                    yield from self._lines(child)

    def _grid(self, table: Element) -> Grid:
        grid = Grid()
        for row in rows_of(table):
            grid.row()
            for cell in row.iterchildren(f"{TABLE}table-cell", f"{TABLE}covered-table-cell"):
                repeated = whole(cell.get(f"{TABLE}number-columns-repeated"), 1)
                if cell.tag == f"{TABLE}covered-table-cell":
                    continue  # the merged cell stands there already
                text = " ".join(line for line in self._lines(cell) if line)
                columns = whole(cell.get(f"{TABLE}number-columns-spanned"), 1)
                rows = whole(cell.get(f"{TABLE}number-rows-spanned"), 1)
                if not text and repeated > 1:
                    grid.skip(repeated)
                    continue
                for _ in range(self._repeat(repeated, 1)):
                    grid.cell(text, columns=columns, rows=rows)
        return grid

    def _repeat(self, times: int, cells: int) -> int:
        """Say how often a row or cell is written, of so many times; a whole column of the same text is a bomb."""
        wanted = max(times, 1)
        allowed = min(wanted, 1 + self._left // cells)
        self._left -= (allowed - 1) * cells
        if allowed < wanted:
            self._left_out.other("run of repeated cells")
        return allowed


def rows_of(table: Element) -> Iterator[Element]:
    """Yield the rows of a table, those in groups, too."""
    for child in table.iterchildren("*"):
        match local(child):
            case "table-row":
                yield child
            case "table-rows" | "table-header-rows" | "table-row-group":
                yield from rows_of(child)


def _spaced(text: str | None, pieces: list[str]) -> None:
    """Add text, blanks as one, which is what they mean in this format; those between elements stay one each."""
    if not text:
        return
    words = " ".join(text.split())
    before = " " if text[0].isspace() and not (pieces and pieces[-1].endswith((" ", "\n"))) else ""
    after = " " if words and text[-1].isspace() else ""
    pieces.append(before + words + after)


def author_of(annotation: Element) -> str:
    """Name who wrote a comment."""
    creator = annotation.find("{*}creator")
    return "" if creator is None else "".join(creator.itertext())


def alt_of(frame: Element) -> str:
    """Return what the author says a picture shows."""
    texts = (frame.find(f"{SVG}{name}") for name in ("desc", "title"))
    return next((" ".join("".join(text.itertext()).split()) for text in texts if text is not None), "")


def _is_furniture(element: Element) -> bool:
    return any(local(above).startswith(("header", "footer")) for above in element.iterancestors())
