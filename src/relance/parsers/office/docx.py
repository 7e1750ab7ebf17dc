"""Word documents: body, headers, notes and comments as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from relance.parsers.office.docx_styles import W, is_on, value
from relance.parsers.office.docx_text import DocxText, Line, R, cells_of, choice_of, rows_of
from relance.parsers.office.left_out import LeftOut
from relance.parsers.office.markdown_writer import MarkdownWriter
from relance.parsers.office.package import Package, Part
from relance.parsers.office.xml import Element, local, whole
from relance.parsers.parser import Parsed

__all__ = ["read_docx"]

_DEEPEST = 20  # boxes in boxes


def read_docx(package: Package, left_out: LeftOut) -> Parsed:
    """Read a Word document."""
    writer = MarkdownWriter(package.uri)
    properties = package.properties()
    document = _Document(package.main(), writer, left_out)
    document.write()
    text, _ = writer.finish()
    title = document.title or writer.first_heading or properties.pop("title", "")
    properties.pop("title", None)
    return Parsed(text, title=title, syntax="markdown", metadata=properties)


class _Document(DocxText):
    """One pass over the parts of a document."""

    def __init__(self, main: Part, writer: MarkdownWriter, left_out: LeftOut) -> None:
        super().__init__(main, writer, left_out)
        self._code: list[str] = []
        self._carried: Line | None = None  # of a paragraph whose end was deleted: the next one continues it
        self._depth = 0
        self.title = ""

    def write(self) -> None:
        """Write headers, body, footers."""
        root = self._main.root()
        body = root.find(f"{W}body")
        sections = [] if body is None else [*body.iter(f"{W}sectPr")]
        self._furniture("headerReference", sections)
        if body is not None:
            self._blocks(body)
        self._end_code()
        self._writer.flush_notes()
        self._furniture("footerReference", sections)

    def _furniture(self, reference: str, sections: Iterable[Element]) -> None:
        """Write headers or footers: each text once, without page numbers."""
        settings = self._main.first("settings")
        even = settings is not None and is_on(settings.root(), "evenAndOddHeaders")
        seen: set[str] = set()
        for section in sections:
            for each in section.iterchildren(f"{W}{reference}"):
                kind = each.get(f"{W}type", "default")
                if (kind == "first" and not is_on(section, "titlePg")) or (kind == "even" and not even):
                    continue
                part = self._main.related(each.get(f"{R}id"))
                if part is None or part.name in seen:
                    continue
                seen.add(part.name)
                lines = self._inside(part, part.root(), furniture=True)
                if text := "\n".join(lines).strip():
                    if text in seen:
                        continue
                    seen.add(text)
                    self._writer.paragraph(text)

    def _blocks(self, container: Element) -> None:
        for child in container.iterchildren():
            match local(child):
                case "p":
                    self._paragraph(child)
                case "tbl":
                    self._end_code()
                    self._table(child)
                case "sdt":
                    if (content := child.find(f"{W}sdtContent")) is not None:
                        self._blocks(content)
                case "customXml" | "ins" | "moveTo" | "smartTag":
                    self._blocks(child)
                case "del" | "moveFrom":
                    self._end_code()
                    self._writer.paragraph(self._left_out.passage("deleted text", "\n".join(self._lines(child))))
                case "altChunk":
                    self._left_out.other("embedded document")
                case "AlternateContent":
                    if (choice := choice_of(child)) is not None:
                        self._blocks(choice)

    def _paragraph(self, paragraph: Element) -> None:
        properties = paragraph.find(f"{W}pPr")
        style = self._styles.of(value(properties, "pStyle"))
        line = self._line(paragraph)
        if self._carried is not None:
            carried, self._carried = self._carried, None
            line = Line(carried.pieces + line.pieces, carried.boxes + line.boxes)
        mark = None if properties is None else properties.find(f"{W}rPr")
        if mark is not None and (mark.find(f"{W}del") is not None or mark.find(f"{W}moveFrom") is not None):
            self._carried = line
            return
        if style.is_code:
            self._code.append(self._text(line, strip=False))
            return
        self._end_code()
        text = self._text(line)
        outline = value(properties, "outlineLvl")
        level = style.outline if outline is None else whole(outline, 9)
        label = self._label(paragraph)  # an empty item counts, too
        if text and (style.is_title or (level is not None and level < 9)):
            self._writer.heading(1 if level is None or level > 8 else level + 1, f"{label or ''} {text}")
            if style.is_title and not self.title:
                self.title = " ".join(text.split())
        elif label and text:
            depth = whole(value(properties, "numPr", "ilvl"), style.level or 0)
            self._writer.item(label, text, depth)
        else:
            self._writer.paragraph(text)
        for box in line.boxes:
            self._box(box)

    def _end_code(self) -> None:
        if self._code:
            self._writer.code("\n".join(self._code))
            self._code = []

    def _box(self, box: Element) -> None:
        if local(box) != "txbxContent":
            self._write_drawing(box, self._writer)
        elif self._depth < _DEEPEST:
            self._depth += 1
            self._blocks(box)
            self._end_code()
            self._depth -= 1

    def _table(self, table: Element) -> None:
        rows = [*rows_of(table)]
        cells = [cell for row in rows for cell in cells_of(row)]
        if len(cells) == 1:  # a frame around text
            self._blocks(cells[0])
            self._end_code()
            return
        self._writer.table(self._grid(table).rows())
