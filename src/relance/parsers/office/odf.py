"""OpenDocument texts, sheets and presentations (ODT, ODS, ODP and their flat forms) as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from relance.errors import DocumentError
from relance.parsers.archive import Archive
from relance.parsers.office.left_out import LeftOut
from relance.parsers.office.odf_styles import DRAW, OFFICE, PRESENTATION, TABLE, TEXT, OdfLists, OdfStyles
from relance.parsers.office.odf_text import OdfText, alt_of, author_of, rows_of
from relance.parsers.office.properties import dublin_core
from relance.parsers.office.sheet import Sheet
from relance.parsers.office.xml import Element, local, parse_xml, whole
from relance.parsers.parser import Parsed

__all__ = ["read_flat_odf", "read_odf"]
_SECTIONS = frozenset(("section", "index-body", "table-of-content", "alphabetical-index", "illustration-index",
                       "table-index",
                       "object-index", "user-index", "bibliography", "index-title", "numbered-paragraph",
                       "text", "g", "a"))  # fmt: skip
_DEEPEST = 60
_CHART = "xmlns:chart"


def read_odf(archive: Archive, left_out: LeftOut) -> Parsed:
    """Read an OpenDocument archive."""
    uri = archive.uri
    manifest = archive.read("META-INF/manifest.xml")
    if b"encryption-data" in manifest:
        raise DocumentError(uri, "encrypted: this document needs a password")
    if "content.xml" not in archive:
        raise DocumentError(uri, "damaged: an archive without content.xml in it")
    content = parse_xml(archive.read("content.xml"), uri, "content.xml")
    styles = parse_xml(archive.read("styles.xml"), uri, "styles.xml") if "styles.xml" in archive else None
    meta = parse_xml(archive.read("meta.xml"), uri, "meta.xml") if "meta.xml" in archive else None
    return _Odf(uri, archive, left_out, content, styles).read(meta)


def read_flat_odf(data: bytes, uri: str, left_out: LeftOut) -> Parsed:
    """Read an OpenDocument file that is one XML file."""
    root = parse_xml(data, uri, "the file")
    return _Odf(uri, None, left_out, root, root).read(root.find(f"{OFFICE}meta"))


class _Odf(OdfText):
    """One pass over a document."""

    def __init__(
        self, uri: str, archive: Archive | None, left_out: LeftOut, content: Element, styles: Element | None
    ) -> None:
        roots = [content] if styles is None or styles is content else [styles, content]
        super().__init__(uri, archive, left_out, OdfStyles(roots))
        self._body = content.find(f"{OFFICE}body")
        self._master = None if styles is None else styles.find(f"{OFFICE}master-styles")
        self._lists = OdfLists(self._styles)
        self._footers: set[str] = set()
        self._code: list[str] = []
        self._depth = 0
        self.title = ""

    def read(self, meta: Element | None) -> Parsed:
        """Read whatever kind of document it is."""
        properties: dict[str, Any] = {} if meta is None else dublin_core(meta)
        kind = None if self._body is None else next(self._body.iterchildren("*"), None)
        if kind is None:
            raise DocumentError(self._uri, "damaged: an OpenDocument file without a body")
        named = properties.pop("title", "")
        match local(kind):
            case "spreadsheet":
                self._spreadsheet(kind)
                title = named or PurePosixPath(self._uri).stem
            case "presentation" | "drawing":
                self._slides(kind)
                title = self.title or named
            case _:
                self._text_document(kind)
                title = self.title or self._writer.first_heading or named
        text, pages = self._writer.finish()
        if pages:
            properties["page_count"] = len(pages)
        return Parsed(text, title=title, syntax="markdown", metadata=properties, pages=pages)

    def _text_document(self, body: Element) -> None:
        self._furniture("header")
        self._blocks(body)
        self._writer.flush_notes()
        self._furniture("footer")

    def _furniture(self, kind: str) -> None:
        """Write headers or footers of pages: each text once, without the numbers of pages."""
        seen: set[str] = set()
        for element in (
            () if self._master is None else self._master.iter(f"{{*}}{kind}", f"{{*}}{kind}-left", f"{{*}}{kind}-first")
        ):
            if (
                element.tag.startswith("{urn:oasis:names:tc:opendocument:xmlns:style")
                and element.get(f"{OdfStyles.STYLE}display") != "false"
            ):
                numbered = any(True for _ in element.iter(f"{TEXT}page-number"))
                lines = [text for text in self._lines(element) if text.strip()]
                text = "\n".join(lines)
                if text and text not in seen and not (numbered and sum(map(str.isalpha, text)) <= 8):
                    seen.add(text)
                    self._writer.paragraph(text)

    def _blocks(self, container: Element) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise DocumentError(self._uri, f"parts of it lie more than {_DEEPEST} deep in each other")
        for child in container.iterchildren("*"):
            if self._code and not self._is_code(child):
                self._end_code()
            match local(child):
                case "h":
                    self._heading(child)
                case "p":
                    self._paragraph(child)
                case "list":
                    self._list(child, "", 0)
                case "table":
                    self._table(child)
                case "section" if child.get(f"{TEXT}display") == "none":
                    text = "\n".join(self._lines(child))
                    self._writer.paragraph(self._left_out.passage("hidden text", text))
                case "frame" | "custom-shape" | "rect" | "text-box" | "ellipse" | "circle" | "line" | "connector":
                    self._frame(child)
                case name if name in _SECTIONS:
                    self._blocks(child)
        self._end_code()
        self._depth -= 1

    def _is_code(self, element: Element) -> bool:
        return local(element) == "p" and self._styles.is_code(element.get(f"{TEXT}style-name", ""))

    def _end_code(self) -> None:
        if self._code:
            self._writer.code("\n".join(self._code))
            self._code = []

    def _heading(self, element: Element) -> None:
        text = self._line(element)
        level = whole(element.get(f"{TEXT}outline-level"), 1)
        label = "" if element.get(f"{TEXT}is-list-header") == "true" else self._lists.heading(level)
        if text:
            self._writer.heading(level, f"{label} {text}")
        self._boxes(element)

    def _paragraph(self, element: Element) -> None:
        if self._is_code(element):
            self._code.append(self._line(element, strip=False))
            return
        text = self._line(element)
        if self._styles.is_title(element.get(f"{TEXT}style-name", "")) and text:
            self.title = self.title or " ".join(text.split())
            self._writer.heading(1, text)
        else:
            self._writer.paragraph(text)
        self._boxes(element)

    def _list(self, element: Element, style: str, level: int) -> None:
        style = element.get(f"{TEXT}style-name") or style
        self._lists.begin(element, style, level)
        for item in element.iterchildren(f"{TEXT}list-item", f"{TEXT}list-header"):
            first = item.tag == f"{TEXT}list-item"
            for child in item.iterchildren("*"):
                match local(child):
                    case "list":
                        if level < _DEEPEST:
                            self._list(child, style, level + 1)
                    case "h":
                        if first:
                            self._heading(child)
                        first = False
                    case "p":
                        text = self._line(child)
                        if first:
                            label = self._lists.label(item, style, level)
                            if text:
                                self._writer.item(label, text, level) if label else self._writer.paragraph(text)
                            first = False
                        elif text:
                            self._writer.item(" ", text, level)
                        self._boxes(child)
                    case _:
                        continue

    def _boxes(self, paragraph: Element) -> None:
        """Write text boxes, charts and tables that are anchored in a paragraph."""
        for frame in paragraph.iter(f"{DRAW}frame", f"{DRAW}custom-shape", f"{DRAW}rect"):
            if frame.getparent() is not None and any(local(above) == "text-box" for above in _above(frame, paragraph)):
                continue  # written with the box around it
            self._frame(frame, alt=False)

    def _frame(self, frame: Element, *, alt: bool = True) -> None:
        if local(frame) != "frame":
            self._blocks(frame)
            return
        if alt and (text := alt_of(frame)):
            self._writer.paragraph(text)
        for child in frame.iterchildren("*"):
            match local(child):
                case "text-box":
                    self._blocks(child)
                case "table":
                    self._table(child)
                    return
                case "object":
                    self._object(child)
                    return

    def _object(self, element: Element) -> None:
        """Write an embedded chart or table; formulas are read where they stand, others are counted."""
        inner = self._embedded(element)
        if inner is None:
            self._left_out.other("embedded object")
        if inner is None or local(inner) == "math":
            return
        found = (title for title in inner.iter("{*}title", "{*}subtitle") if _CHART in title.tag)
        titles = [" ".join("".join(title.itertext()).split()) for title in found]
        self._writer.paragraph(" · ".join(filter(None, titles)))
        tables = [*inner.iter(f"{TABLE}table")]
        for table in tables:
            self._table(table)
        if not tables:
            self._left_out.other("embedded object")

    def _table(self, table: Element) -> None:
        cells = [*table.iter(f"{TABLE}table-cell")]
        if len(cells) == 1:
            self._blocks(cells[0])
            return
        self._writer.table(self._grid(table).rows())

    def _spreadsheet(self, body: Element) -> None:
        for table in body.iterchildren(f"{TABLE}table"):
            hidden = self._styles.is_hidden_table(table.get(f"{TABLE}style-name", ""))
            if hidden and not self._left_out.keeps("hidden sheet"):
                continue
            name = table.get(f"{TABLE}name", "")
            title = f"{'[hidden sheet] ' if hidden else ''}{name}"
            sheet = Sheet(self._left_out)
            at = 0
            column = 0
            for element in table.iter(f"{TABLE}table-column"):
                count = max(whole(element.get(f"{TABLE}number-columns-repeated"), 1), 1)
                if element.get(f"{TABLE}visibility", "visible") != "visible":
                    sheet.hide_columns(column + 1, column + count)
                column += count
            for row in rows_of(table):
                repeated = max(whole(row.get(f"{TABLE}number-rows-repeated"), 1), 1)
                hidden = row.get(f"{TABLE}visibility", "visible") != "visible"
                cells = [*self._cells(row)]
                written = self._repeat(repeated, len(cells)) if cells else 0
                for number in range(at + 1, at + written + 1):
                    sheet.row(number, hidden=hidden)
                    for first, text, columns, rows in cells:
                        sheet.cell(first, text)
                        if columns > 1 or rows > 1:
                            sheet.merge(number, first, number + rows - 1, first + columns - 1)
                at += repeated
            drawings = [*table.iterchildren(f"{TABLE}shapes")]
            sheet.write(self._writer, title, named=bool(drawings))
            for shapes in drawings:
                self._blocks(shapes)

    def _cells(self, row: Element) -> Iterator[tuple[int, str, int, int]]:
        column = 1
        for cell in row.iterchildren(f"{TABLE}table-cell", f"{TABLE}covered-table-cell"):
            repeated = max(whole(cell.get(f"{TABLE}number-columns-repeated"), 1), 1)
            if cell.tag == f"{TABLE}table-cell" and len(cell):
                text = "\n".join(line for line in self._lines(cell) if line)
                for note in cell.iterchildren(f"{OFFICE}annotation"):
                    comment = self._left_out.comment(author_of(note), " ".join(self._lines(note)))
                    text = f"{text} {comment}".strip()
                if text:
                    spans = (whole(cell.get(f"{TABLE}number-{what}-spanned"), 1) for what in ("columns", "rows"))
                    columns, rows = spans
                    for at in range(self._repeat(repeated, 1)):
                        yield column + at, text, columns, rows
            column += repeated

    def _slides(self, body: Element) -> None:
        pages = [*body.iterchildren(f"{DRAW}page")]
        for number, page in enumerate(pages, 1):
            self._writer.page()
            hidden = self._styles.is_hidden_slide(page.get(f"{DRAW}style-name", ""))
            if hidden and not self._left_out.keeps("hidden slide"):
                continue
            frames = [*page.iterchildren("*")]
            titles = [each for each in frames if each.get(f"{PRESENTATION}class") == "title"]
            lines = (text.strip() for each in titles for text in self._lines(each))
            title = " ".join(text for text in lines if text)
            self.title = self.title or title
            self._writer.heading(2, f"{'[hidden slide] ' if hidden else ''}{title or f'Slide {number}'}")
            for frame in frames:
                kind = frame.get(f"{PRESENTATION}class", "")
                if frame in titles or kind in {"page-number", "date-time", "page"}:
                    continue
                if kind in {"footer", "header"}:
                    text = "\n".join(self._lines(frame)).strip()
                    if text and text not in self._footers:
                        self._footers.add(text)
                        self._writer.paragraph(text)
                elif local(frame) == "annotation":
                    self._writer.paragraph(self._left_out.comment(author_of(frame), " ".join(self._lines(frame))))
                elif local(frame) == "notes":
                    texts = [
                        text
                        for note in frame.iterchildren("*")
                        if note.get(f"{PRESENTATION}class") == "notes"
                        for text in self._lines(note)
                        if text
                    ]
                    if texts:
                        self._writer.heading(3, f"Notes of slide {number}")
                        for text in texts:
                            self._writer.paragraph(text)
                elif local(frame) == "g":
                    self._blocks(frame)
                else:
                    self._frame(frame)


def _above(element: Element, top: Element) -> Iterator[Element]:
    above = element.getparent()
    while above is not None and above is not top:
        yield above
        above = above.getparent()
