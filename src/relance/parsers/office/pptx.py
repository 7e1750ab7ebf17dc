"""Presentations: each slide with its number, its title as a heading, and its notes."""

from __future__ import annotations

from collections.abc import Iterator

from relance.parsers.office.drawing import alt_text, paragraph_text, write_chart, write_diagram
from relance.parsers.office.grid import Grid
from relance.parsers.office.left_out import LeftOut
from relance.parsers.office.markdown_writer import MarkdownWriter
from relance.parsers.office.numbering import ordinal
from relance.parsers.office.package import Package, Part
from relance.parsers.office.xml import Element, local, whole
from relance.parsers.parser import Parsed

__all__ = ["read_pptx"]

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_TITLES = frozenset({"title", "ctrTitle"})
_NO_TEXT = frozenset({"sldNum", "dt", "sldImg"})
_BULLETS = frozenset({"body", "obj", ""})  # placeholders whose paragraphs have bullets unless something says no
_AUTO = {"alphaLc": "lowerLetter", "alphaUc": "upperLetter", "romanLc": "lowerRoman", "romanUc": "upperRoman",
         "arabic": "decimal", "circleNum": "decimalEnclosedCircle", "ea1": "chineseCounting"}  # fmt: skip


def read_pptx(package: Package, left_out: LeftOut) -> Parsed:
    """Read a presentation."""
    writer = MarkdownWriter(package.uri)
    deck = _Deck(package.main(), writer, left_out)
    deck.write()
    text, pages = writer.finish()
    properties = package.properties()
    named = properties.pop("title", "")
    # PowerPoint calls every deck so until somebody names it.
    title = deck.title or (named if named.lower() != "powerpoint presentation" else "")
    return Parsed(text, title=title, syntax="markdown", metadata=properties | {"page_count": len(pages)}, pages=pages)


class _Deck:
    def __init__(self, main: Part, writer: MarkdownWriter, left_out: LeftOut) -> None:
        self._main = main
        self._writer = writer
        self._left_out = left_out
        self._authors: dict[str, str] | None = None
        self._layouts: dict[str, set[str]] = {}
        self._footers: set[str] = set()
        self.title = ""

    def write(self) -> None:
        """Write the slides in the order in which they are shown."""
        listed = self._main.root().find(f"{_P}sldIdLst")
        seen: set[str] = set()
        for number, slide in enumerate([] if listed is None else listed.iterchildren(f"{_P}sldId"), 1):
            part = self._main.related(slide.get(f"{_R}id"))
            if part is None or part.name in seen:
                self._writer.page()
                self._left_out.other("missing slide")
                continue
            seen.add(part.name)
            self._slide(part, number)

    def _slide(self, part: Part, number: int) -> None:
        root = part.root()
        self._writer.page()
        hidden = root.get("show", "1") in {"0", "false"}
        if hidden and not self._left_out.keeps("hidden slide"):
            return
        shapes = [*_shapes(root.find(f"{_P}cSld/{_P}spTree"))]
        titles = [shape for shape in shapes if _placeholder(shape) in _TITLES]
        lines = (text.strip() for shape in titles for _, text in _paragraphs(shape))
        title = " ".join(line for line in lines if line)
        if title and not self.title:
            self.title = title
        self._writer.heading(2, f"{'[hidden slide] ' if hidden else ''}{title or f'Slide {number}'}")
        layout = part.first("slideLayout")
        plain = self._without_bullets(layout) if layout else set()
        for shape in shapes:
            if shape not in titles:
                self._shape(shape, part, plain)
        for kind in ("comments", "comment"):
            for comments in part.all(kind):
                self._comments(comments)
        notes = part.first("notesSlide")
        if notes is not None:
            body = [
                shape for shape in _shapes(notes.root().find(f"{_P}cSld/{_P}spTree")) if _placeholder(shape) == "body"
            ]
            texts = [text.strip() for shape in body for _, text in _paragraphs(shape) if text.strip()]
            if texts:
                self._writer.heading(3, f"Notes of slide {number}")
                for text in texts:
                    self._writer.paragraph(text)

    def _shape(self, shape: Element, part: Part, plain: set[str]) -> None:
        properties = next((found for child in shape if (found := child.find(f"{_P}cNvPr")) is not None), None)
        hidden = properties is not None and properties.get("hidden") in {"1", "true"}
        if hidden and not self._left_out.keeps("hidden shape"):
            return
        kind = _placeholder(shape)
        match local(shape):
            case "graphicFrame":
                self._graphic(shape, part)
            case "pic":
                if alt := alt_text(properties):
                    self._writer.paragraph(alt)
            case _ if kind in {"ftr", "hdr"}:
                text = "\n".join(text for _, text in _paragraphs(shape)).strip()
                if text and text not in self._footers:  # the same on every slide
                    self._footers.add(text)
                    self._writer.paragraph(text)
            case _ if kind not in _NO_TEXT:
                holder = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
                bullets = kind in _BULLETS and (holder is None or holder.get("idx", "") not in plain)
                self._body(shape, bullets=bullets)

    def _body(self, shape: Element, *, bullets: bool) -> None:
        counts: dict[int, int] = {}
        styles = shape.find(f"{_P}txBody/{_A}lstStyle")
        for paragraph, text in _paragraphs(shape):
            properties = paragraph.find(f"{_A}pPr")
            level = 0 if properties is None else whole(properties.get("lvl"))
            inherited = None if styles is None else styles.find(f"{_A}lvl{level + 1}pPr")
            bullet = _bullet(properties) or _bullet(inherited) or ("buChar" if bullets else "buNone")
            if not text.strip():
                continue
            for deeper in [deeper for deeper in counts if deeper > level]:
                del counts[deeper]
            if bullet == "buAutoNum":
                source = properties if _bullet(properties) else inherited
                element = {} if source is None else source.find(f"{_A}buAutoNum")
                counts[level] = counts.get(level, whole(element.get("startAt"), 1) - 1) + 1
                self._writer.item(_label(counts[level], element.get("type", "arabicPeriod")), text, level)
                continue
            counts.pop(level, None)
            if bullet in {"buChar", "buBlip"}:
                self._writer.item("-", text, level)
            else:
                self._writer.paragraph(text)

    def _graphic(self, frame: Element, part: Part) -> None:
        for element in frame.iter("{*}tbl", "{*}chart", "{*}relIds", "{*}oleObj"):
            match local(element):
                case "tbl":
                    self._writer.table(_grid(element).rows())
                case "oleObj":
                    self._left_out.other("embedded object")
                case name:
                    other = part.related(element.get(f"{_R}id" if name == "chart" else f"{_R}dm"))
                    if other is not None:
                        (write_chart if name == "chart" else write_diagram)(other, self._writer)
        properties = frame.find(f"{_P}nvGraphicFramePr/{_P}cNvPr")
        if alt := alt_text(properties):
            self._writer.paragraph(alt)

    def _without_bullets(self, layout: Part) -> set[str]:
        """Name the placeholders of a layout whose first level has no bullet."""
        if layout.name not in self._layouts:
            found = set()
            for shape in _shapes(layout.root().find(f"{_P}cSld/{_P}spTree")):
                holder = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
                level = shape.find(f"{_P}txBody/{_A}lstStyle/{_A}lvl1pPr")
                if holder is not None and _bullet(level) == "buNone":
                    found.add(holder.get("idx", ""))
            self._layouts[layout.name] = found
        return self._layouts[layout.name]

    def _comments(self, part: Part) -> None:
        if self._authors is None:
            self._authors = {
                author.get("id", ""): author.get("name", "")
                for kind in ("commentAuthors", "authors")
                for known in self._main.all(kind)
                for author in known.root().iter("{*}cmAuthor", "{*}author")
            }
        for comment in part.root().iter("{*}cm", "{*}reply"):
            words = [text.text or "" for text in comment.iterchildren("{*}text")]
            words += [paragraph_text(p) for body in comment.iterchildren("{*}txBody") for p in body.iter(f"{_A}p")]
            self._writer.paragraph(
                self._left_out.comment(self._authors.get(comment.get("authorId", ""), ""), " ".join(words))
            )


def _shapes(tree: Element | None) -> Iterator[Element]:
    """Yield shapes, those in groups and in alternatives, too."""
    stack = [] if tree is None else [*reversed(tree)]
    while stack:
        element = stack.pop()
        match local(element):
            case "grpSp":
                stack += reversed(element)
            case "AlternateContent":
                choice = next(element.iterchildren("{*}Choice"), None)
                choice = next(element.iterchildren("{*}Fallback"), None) if choice is None else choice
                stack += [] if choice is None else [*reversed(choice)]
            case "sp" | "graphicFrame" | "pic" | "cxnSp" | "contentPart":
                yield element


def _placeholder(shape: Element) -> str | None:
    """Return the kind of placeholder a shape is, empty for one of any content; None for a shape of its own."""
    holder = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
    return None if holder is None else holder.get("type", "")


def _paragraphs(shape: Element) -> Iterator[tuple[Element, str]]:
    for paragraph in shape.iterfind(f"{_P}txBody/{_A}p"):
        yield paragraph, paragraph_text(paragraph)


def _bullet(properties: Element | None) -> str:
    if properties is None:
        return ""
    return next(
        (name for child in properties if (name := local(child)) in {"buNone", "buChar", "buAutoNum", "buBlip"}), ""
    )


def _label(number: int, kind: str) -> str:
    style = next((style for prefix, style in _AUTO.items() if kind.startswith(prefix)), "decimal")
    text = ordinal(number, style)
    if kind.endswith("ParenBoth"):
        return f"({text})"
    return f"{text})" if kind.endswith("ParenR") else text if kind.endswith("Plain") else f"{text}."


def _grid(table: Element) -> Grid:
    grid = Grid()
    for row in table.iterchildren(f"{_A}tr"):
        grid.row()
        for cell in row.iterchildren(f"{_A}tc"):
            if cell.get("hMerge") in {"1", "true"} or cell.get("vMerge") in {"1", "true"}:
                continue
            lines = (paragraph_text(paragraph).strip() for paragraph in cell.iterfind(f"{_A}txBody/{_A}p"))
            text = " ".join(line for line in lines if line)
            grid.cell(text, columns=whole(cell.get("gridSpan"), 1), rows=whole(cell.get("rowSpan"), 1))
    return grid
