"""The text of a Word document: paragraphs with their fields, notes and drawings, cells, list labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from relance.parsers.office.docx_styles import Numbering, Styles, W, is_on, value
from relance.parsers.office.drawing import alt_text, write_chart, write_diagram
from relance.parsers.office.grid import Grid
from relance.parsers.office.left_out import LeftOut
from relance.parsers.office.markdown_writer import MarkdownWriter
from relance.parsers.office.math_text import math_text
from relance.parsers.office.numbering import ordinal
from relance.parsers.office.package import Part
from relance.parsers.office.symbols import symbol
from relance.parsers.office.xml import Element, local, whole

__all__ = ["DocxText", "Line", "R", "cells_of", "choice_of", "rows_of"]

R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_INSIDE = frozenset(
    ("ins", "moveTo", "smartTag", "customXml", "sdtContent", "dir", "bdo", "fldSimple", "ruby", "rubyBase")
)
_GONE = {"del": "deleted text", "moveFrom": "deleted text"}
_BREAKS = {"br": "\n", "cr": "\n", "tab": "\t", "ptab": "\t", "noBreakHyphen": "\u2011"}
_PAGE_FIELD = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES|DATE|TIME|PRINTDATE|SAVEDATE)\b", re.IGNORECASE)
_LINK_FIELD = re.compile(r'\s*HYPERLINK\s+"([^"]+)"', re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(slots=True)
class _Field:
    """A field that is open: its instruction, and whether its result has begun."""

    code: list[str] = field(default_factory=list)
    result: bool = False
    shown: str = ""  # of a form's field, which has no result


@dataclass(slots=True)
class Line:
    """The pieces of a paragraph, each with what hides it, and the boxes that are anchored in it."""

    pieces: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    page_fields: bool = False

    def add(self, text: str, hidden: str = "") -> None:
        """Add a piece."""
        if text:
            self.pieces.append((text, hidden))


class DocxText:
    """Reads whatever holds paragraphs as plain lines, whichever part it is in."""

    def __init__(self, main: Part, writer: MarkdownWriter, left_out: LeftOut) -> None:
        self._main = self._part = main
        self._writer = writer
        self._left_out = left_out
        self._styles = Styles(main.first("styles"))
        self._numbering = Numbering(main.first("numbering"))
        self._fields: list[_Field] = []
        self._notes: dict[str, dict[str, Element]] = {}
        self._marks: dict[tuple[str, str], str] = {}

    def _inside(self, part: Part, container: Element, *, furniture: bool = False) -> list[str]:
        """Return the lines of a note, a header or a cell, whose pictures and links another part may name."""
        before, self._part = self._part, part
        fields, self._fields = self._fields, []
        lines = [text for text in self._lines(container, furniture=furniture) if text.strip()]
        self._part, self._fields = before, fields
        return lines

    def _lines(self, container: Element, *, furniture: bool = False) -> Iterator[str]:
        """Yield the paragraphs of a cell, a box or a note as plain lines; those of tables inside, too."""
        for child in container.iterchildren():
            match local(child):
                case "p":
                    line = self._line(child)
                    text = self._text(line)
                    if furniture and line.page_fields and len(_WORD.findall(text)) <= 2:
                        continue
                    label = self._label(child)
                    yield f"{label} {text}".strip() if label and text else text
                    for box in line.boxes:
                        yield from self._box_lines(box)
                case "tbl":
                    for row in self._grid(child).rows():
                        # A merged cell is named once here.
                        yield " ".join(text for at, text in enumerate(row) if text and (not at or row[at - 1] != text))
                case "sdt" | "sdtContent" | "customXml" | "ins" | "moveTo" | "smartTag":
                    yield from self._lines(child, furniture=furniture)
                case "AlternateContent":
                    if (choice := choice_of(child)) is not None:
                        yield from self._lines(choice, furniture=furniture)

    def _label(self, paragraph: Element) -> str | None:
        properties = paragraph.find(f"{W}pPr")
        name = value(properties, "pStyle")
        style = self._styles.of(name)
        own = value(properties, "numPr", "numId")
        number = style.number if own is None else own
        if not number or number == "0":
            return None
        level = value(properties, "numPr", "ilvl")
        if level is None and style.level is None and name:
            return self._numbering.label(number, self._numbering.level_of(number, name))
        return self._numbering.label(number, whole(level, style.level or 0))

    def _text(self, line: Line, *, strip: bool = True) -> str:
        text = self._left_out.passages(line.pieces)
        return text.strip() if strip else text

    def _line(self, paragraph: Element) -> Line:
        line = Line()
        style = self._styles.of(value(paragraph, "pPr", "pStyle"))
        self._inline(paragraph, line, "hidden text" if style.vanish else "")
        return line

    def _inline(self, parent: Element, line: Line, hidden: str) -> None:
        for child in parent.iterchildren():
            name = local(child)
            if name == "r":
                self._run(child, line, hidden)
            elif name in _INSIDE:
                if name == "fldSimple" and _PAGE_FIELD.match(child.get(f"{W}instr", "")):
                    line.page_fields = True
                    if self._part is not self._main:
                        continue
                self._inline(child, line, hidden)
            elif name == "hyperlink":
                begin = len(line.pieces)
                self._inline(child, line, hidden)
                relation = self._part.relations.get(child.get(f"{R}id") or "")
                if relation is not None and relation.external:
                    shown = "".join(text for text, _ in line.pieces[begin:])
                    line.add(self._left_out.address(relation.target, shown), hidden)
            elif name in _GONE:
                self._inline(child, line, _GONE[name])
            elif name == "sdt":
                if (content := child.find(f"{W}sdtContent")) is not None:
                    self._inline(content, line, hidden)
            elif name in {"oMath", "oMathPara"}:
                line.add(math_text(child), hidden)
            elif name == "AlternateContent" and (choice := choice_of(child)) is not None:
                self._inline(choice, line, hidden)

    def _run(self, run: Element, line: Line, hidden: str) -> None:  # noqa: PLR0912  # a table of elements
        properties = run.find(f"{W}rPr")
        if not hidden and properties is not None:
            vanish = is_on(properties, "vanish")
            if vanish is None and (style := value(properties, "rStyle")):
                vanish = self._styles.of(style).vanish
            hidden = "hidden text" if vanish else ""
        for child in run.iterchildren():
            name = local(child)
            if name == "fldChar":
                self._field(child, line, hidden)
            elif name == "instrText":
                if self._fields:
                    self._fields[-1].code.append(child.text or "")
            elif any(not each.result for each in self._fields):
                continue  # between the instruction's parts
            elif name in {"t", "delText"}:
                if self._in_page_field():
                    line.page_fields = True
                else:
                    line.add(child.text or "", "deleted text" if name == "delText" and not hidden else hidden)
            elif name in _BREAKS:
                line.add(_BREAKS[name], hidden)
            elif name == "sym":
                line.add(symbol(child.get(f"{W}char", ""), child.get(f"{W}font", "")), hidden)
            elif name in {"footnoteReference", "endnoteReference"}:
                line.add(self._note(name.removesuffix("Reference"), child.get(f"{W}id", "")), hidden)
            elif name == "commentReference":
                line.add(self._comment(child.get(f"{W}id", "")), hidden)
            elif name in {"drawing", "pict", "object"}:
                self._drawing(child, line, hidden)
            elif name == "ruby":
                for part, form in (("rubyBase", "{}"), ("rt", "({})")):
                    inner = Line()
                    if (content := child.find(f"{W}{part}")) is not None:
                        self._inline(content, inner, "")
                        line.add(form.format("".join(text for text, _ in inner.pieces)), hidden)
            elif name == "AlternateContent" and (choice := choice_of(child)) is not None:
                self._drawing(choice, line, hidden)

    def _in_page_field(self) -> bool:
        """Whether this is the number of a page in a header: every page has another one."""
        return self._part is not self._main and any(_PAGE_FIELD.match("".join(each.code)) for each in self._fields)

    def _field(self, mark: Element, line: Line, hidden: str) -> None:
        kind = mark.get(f"{W}fldCharType")
        if kind == "begin":
            self._fields.append(_Field(shown=_form_field(mark)))
        elif kind == "separate" and self._fields:
            self._fields[-1].result = True
        elif kind == "end" and self._fields:
            ended = self._fields.pop()
            if not any(not each.result for each in self._fields):
                if ended.shown:
                    line.add(ended.shown, hidden)
                if found := _LINK_FIELD.match("".join(ended.code)):
                    line.add(self._left_out.address(found[1], "".join(text for text, _ in line.pieces)), hidden)

    def _note(self, kind: str, identifier: str) -> str:
        """Return the mark of a footnote or endnote, and keep its text for the section's end."""
        part = self._main.first(f"{kind}s")
        if part is None:
            return ""
        if kind not in self._notes:
            self._notes[kind] = {each.get(f"{W}id", ""): each for each in part.root().iterchildren(f"{W}{kind}")}
        if (kind, identifier) not in self._marks:
            content = self._notes[kind].get(identifier)
            if content is None:
                return ""
            number = sum(known == kind for known, _ in self._marks) + 1
            mark = ordinal(number, "decimal" if kind == "footnote" else "lowerRoman")
            self._marks[kind, identifier] = mark
            self._writer.note(mark, " ".join(self._inside(part, content)))
        return f"[^{self._marks[kind, identifier]}]"

    def _comment(self, identifier: str) -> str:
        part = self._main.first("comments")
        if part is None:
            return ""
        if "comment" not in self._notes:
            self._notes["comment"] = {each.get(f"{W}id", ""): each for each in part.root().iterchildren(f"{W}comment")}
        comment = self._notes["comment"].get(identifier)
        if comment is None:
            return ""
        return self._left_out.comment(comment.get(f"{W}author", ""), " ".join(self._inside(part, comment)))

    def _drawing(self, drawing: Element, line: Line, hidden: str) -> None:
        """Take the alternative text of a picture at once, and text boxes, charts and diagrams for later."""
        stack = [drawing]
        while stack:
            element = stack.pop()
            name = local(element)
            if name == "docPr":
                alt = alt_text(element)
            elif name == "shape":
                alt = " ".join((element.get("alt") or "").split())
            elif name == "textpath":  # WordArt
                alt = element.get("string") or ""
            else:
                alt = ""
            if alt:
                line.add(f" {alt} ", hidden)
            if name in {"txbxContent", "chart", "relIds"}:
                if not hidden or self._left_out.keeps(hidden):
                    line.boxes.append(element)
            elif name == "OLEObject":
                self._left_out.other("embedded object")
            elif name == "AlternateContent":
                choice = choice_of(element)
                stack += [] if choice is None else [choice]
            elif name != "Fallback":
                stack += reversed(element)

    def _box_lines(self, box: Element) -> Iterator[str]:
        if local(box) == "txbxContent":
            yield from self._lines(box)
        else:
            writer = MarkdownWriter(self._part.package.uri)
            self._write_drawing(box, writer)
            yield writer.finish()[0]

    def _write_drawing(self, drawing: Element, writer: MarkdownWriter) -> None:
        """Write a chart or a diagram."""
        is_chart = local(drawing) == "chart"
        part = self._part.related(drawing.get(f"{R}id" if is_chart else f"{R}dm"))
        if part is not None:
            (write_chart if is_chart else write_diagram)(part, writer)

    def _grid(self, table: Element) -> Grid:
        grid = Grid()
        for row in rows_of(table):
            properties = row.find(f"{W}trPr")
            gone = ""
            if properties is not None:
                deleted = properties.find(f"{W}del") is not None
                gone = "deleted row" if deleted else "hidden row" if is_on(properties, "hidden") else ""
            if gone and not self._left_out.keeps(gone):
                continue
            grid.row()
            grid.skip(whole(value(properties, "gridBefore")))
            mark = f"[{gone}] " if gone else ""
            for cell in cells_of(row):
                properties = cell.find(f"{W}tcPr")
                span = whole(value(properties, "gridSpan"), 1)
                merge = value(properties, "vMerge")
                text = mark + " ".join(text for text in self._lines(cell) if text.strip())
                mark = ""
                if merge is not None and merge != "restart" and not text.strip():
                    text = grid.above()
                grid.cell(text, columns=span)
        return grid


def rows_of(table: Element) -> Iterator[Element]:
    """Yield the rows of a table, those in content controls, too."""
    for child in table.iterchildren():
        match local(child):
            case "tr":
                yield child
            case "sdt" | "sdtContent" | "customXml" | "ins" | "moveTo":
                yield from rows_of(child)


def cells_of(row: Element) -> Iterator[Element]:
    """Yield the cells of a row."""
    for child in row.iterchildren():
        match local(child):
            case "tc":
                yield child
            case "sdt" | "sdtContent" | "customXml":
                yield from cells_of(child)


def choice_of(alternatives: Element) -> Element | None:
    """Return the one of several forms of the same content that newer programs show."""
    first = next(alternatives.iterchildren("{*}Choice"), None)
    return first if first is not None else next(alternatives.iterchildren("{*}Fallback"), None)


def _form_field(mark: Element) -> str:
    data = mark.find(f"{W}ffData")
    if data is None:
        return ""
    box, choice = data.find(f"{W}checkBox"), data.find(f"{W}ddList")
    if box is not None:
        on = is_on(box, "checked")
        return "☒" if (is_on(box, "default") if on is None else on) else "☐"
    if choice is not None:
        entries = [entry.get(f"{W}val", "") for entry in choice.iterchildren(f"{W}listEntry")]
        at = whole(value(choice, "result"))
        return entries[at] if 0 <= at < len(entries) else ""
    return ""
