"""Workbooks: each sheet as tables under its name, with the values as the program shows them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from relance.parsers.office.drawing import alt_text, paragraph_text, write_chart, write_diagram
from relance.parsers.office.left_out import LeftOut
from relance.parsers.office.markdown_writer import MarkdownWriter
from relance.parsers.office.number_format import NumberFormats
from relance.parsers.office.package import Package, Part
from relance.parsers.office.sheet import Sheet
from relance.parsers.office.xml import Element, local, whole
from relance.parsers.parser import Parsed

__all__ = ["read_xlsx"]

_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})")
_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7}):\$?([A-Z]{1,3})\$?(\d{1,7})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_ON = frozenset({"1", "true"})


def read_xlsx(package: Package, left_out: LeftOut) -> Parsed:
    """Read a workbook."""
    writer = MarkdownWriter(package.uri)
    _Workbook(package.main(), writer, left_out).write()
    text, _ = writer.finish()
    properties = package.properties()
    title = properties.pop("title", "") or PurePosixPath(package.uri).stem
    return Parsed(text, title=title, syntax="markdown", metadata=properties)


class _Workbook:
    def __init__(self, main: Part, writer: MarkdownWriter, left_out: LeftOut) -> None:
        self._main = main
        self._writer = writer
        self._left_out = left_out
        self._strings: list[str] = []
        self._formats = NumberFormats()

    def write(self) -> None:
        """Write the sheets in the order of their tabs."""
        root = self._main.root()
        properties = root.find("{*}workbookPr")
        if (styles := self._main.first("styles")) is not None:
            since_1904 = properties is not None and properties.get("date1904") in _ON
            self._formats = NumberFormats.of(styles.root(), since_1904=since_1904)
        if (strings := self._main.first("sharedStrings")) is not None:
            self._strings = [_rich_text(item) for item in strings.stream("si")]
        seen: set[str] = set()
        for sheet in root.iterfind("{*}sheets/{*}sheet"):
            part = self._main.related(sheet.get(f"{_R}id"))
            hidden = sheet.get("state", "visible") != "visible"
            if part is None or part.name in seen:
                self._left_out.other("missing sheet")
            elif not hidden or self._left_out.keeps("hidden sheet"):
                seen.add(part.name)
                self._sheet(part, f"{'[hidden sheet] ' if hidden else ''}{sheet.get('name', '')}")

    def _sheet(self, part: Part, name: str) -> None:
        relation = next((each for each in self._main.relations.values() if each.target == part.name), None)
        sheet = Sheet(self._left_out)
        if relation is None or relation.kind not in {"chartsheet", "dialogsheet"}:
            self._fill(sheet, part)
        comments = self._comments(part)
        for row, column, text in comments:
            sheet.append(row, column, text)
        drawings = [*part.all("drawing")]
        sheet.write(self._writer, name, named=bool(drawings))
        for drawing in drawings:
            self._drawing(drawing)

    def _fill(self, sheet: Sheet, part: Part) -> None:
        row = column = 0
        for element in part.stream("row", "mergeCell", "col"):
            match local(element):
                case "col":
                    if element.get("hidden") in _ON:
                        sheet.hide_columns(whole(element.get("min")), whole(element.get("max")))
                case "mergeCell":
                    if found := _RANGE.fullmatch(element.get("ref", "")):
                        sheet.merge(int(found[2]), _column(found[1]), int(found[4]), _column(found[3]))
                case "row":
                    row = whole(element.get("r"), row + 1)
                    column = 0
                    sheet.row(row, hidden=element.get("hidden") in _ON)
                    for cell in element.iterchildren("{*}c"):
                        found = _REFERENCE.fullmatch(cell.get("r", ""))
                        column = _column(found[1]) if found else column + 1
                        text = self._cell(cell)
                        if text:
                            sheet.cell(column, text)

    def _cell(self, cell: Element) -> str:  # noqa: PLR0911  # a table of types
        kind = cell.get("t", "n")
        stored = formula = None
        for child in cell.iterchildren():
            match local(child):
                case "v":
                    stored = child.text
                case "is":
                    return _rich_text(child)
                case "f":
                    formula = child.text
        if not stored:
            if formula:  # a program wrote it that does not calculate
                self._left_out.uncalculated()
                return f"={formula}"
            return ""
        match kind:
            case "s":
                at = whole(stored, -1)
                return self._strings[at] if 0 <= at < len(self._strings) else ""
            case "b":
                return "TRUE" if stored.strip() in _ON else "FALSE"
            case "str" | "e":
                return _unescape(stored)
            case "d":
                return stored
            case _:
                return self._formats.show(stored.strip(), whole(cell.get("s")))

    def _comments(self, part: Part) -> list[tuple[int, int, str]]:
        found = []
        threaded = False
        persons = {}
        for known in self._main.all("person"):
            persons = {each.get("id", ""): each.get("displayName", "") for each in known.root().iter("{*}person")}
        for comments in part.all("threadedComment"):
            threaded = True
            for comment in comments.root().iter("{*}threadedComment"):
                words = "".join(text.text or "" for text in comment.iterchildren("{*}text"))
                found.append((comment.get("ref", ""), persons.get(comment.get("personId", ""), ""), words))
        for comments in part.all("comments") if not threaded else ():
            root = comments.root()
            authors = [author.text or "" for author in root.iterfind("{*}authors/{*}author")]
            for comment in root.iter("{*}comment"):
                at = whole(comment.get("authorId"), -1)
                words = "".join(_rich_text(text) for text in comment.iterchildren("{*}text"))
                found.append((comment.get("ref", ""), authors[at] if 0 <= at < len(authors) else "", words))
        kept = []
        for reference, author, words in found:
            text = self._left_out.comment(author, words)
            if text and (place := _REFERENCE.fullmatch(reference)):
                kept.append((int(place[2]), _column(place[1]), text))
        return kept

    def _drawing(self, part: Part) -> None:
        stack = [*reversed(part.root())]
        while stack:
            element = stack.pop()
            match local(element):
                case "Fallback":
                    continue
                case "cNvPr":
                    self._writer.paragraph(alt_text(element))
                case "txBody":
                    lines = (paragraph_text(paragraph, furniture=True) for paragraph in element.iterchildren(f"{_A}p"))
                    self._writer.paragraph("\n".join(lines))
                case "chart":
                    if (chart := part.related(element.get(f"{_R}id"))) is not None:
                        write_chart(chart, self._writer)
                case "relIds":
                    if (diagram := part.related(element.get(f"{_R}dm"))) is not None:
                        write_diagram(diagram, self._writer)
                case _:
                    stack += reversed(element)


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _rich_text(item: Element) -> str:
    """Join the runs of a text; how it is pronounced (`rPh`) is no part of it."""
    pieces = []
    for child in item.iterchildren():
        match local(child):
            case "t":
                pieces.append(child.text or "")
            case "r":
                pieces += [text.text or "" for text in child.iterchildren("{*}t")]
    return _unescape("".join(pieces))


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
