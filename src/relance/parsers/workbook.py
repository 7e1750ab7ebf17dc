"""Workbooks (XLSX, XLSM) as a stream of rows with the cells they really have."""

from __future__ import annotations

import lzma
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, BinaryIO, TypeAlias

from relance.errors import DocumentError
from relance.parsers.records import NoValue

__all__ = ["LAST_COLUMN", "LAST_ROW", "Cells", "Sheet", "Workbook", "damage", "open_sheets"]

# First and last column (excluded), from 0, and the value in them.
Cells: TypeAlias = list[tuple[int, int, Any]]

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MIB = 1 << 20
_READING = (EOFError, OSError, NotImplementedError, ValueError)
_RATIO = 200
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
_REFERENCE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
LAST_COLUMN, LAST_ROW = 16_384, 1_048_576
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
# Formats that are dates and times by their number alone; those of East Asia among them.
_DATES = frozenset((*range(14, 18), *range(27, 32), 34, 35, 36, *range(50, 59)))
_TIMES = frozenset((18, 19, 20, 21, 32, 33, 45, 47))
_BOTH, _ELAPSED = frozenset((22,)), frozenset((46,))
_QUIET = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_UNCALCULATED = NoValue("holds a formula that was never calculated; open and save the file in a spreadsheet program")


@dataclass(slots=True, frozen=True)
class Sheet:
    """A sheet of a workbook; `part` is the file of the archive that has its rows."""

    name: str
    hidden: bool = False
    part: str = ""


class Workbook:
    """An open workbook. Numbers are as stored, whole ones as int; dates, times and durations have their types."""

    def __init__(self, archive: zipfile.ZipFile, uri: str) -> None:
        self._archive, self._uri = archive, uri
        root = self._read("xl/workbook.xml")
        settings = next(root.iterfind("{*}workbookPr"), None)
        since_1904 = settings is not None and settings.get("date1904", "0") in {"1", "true"}
        self._epoch = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30)  # noqa: DTZ001  # cells have no zone
        targets = {
            each.get("Id"): posixpath.normpath(posixpath.join("/xl", each.get("Target", "")))[1:]
            for each in self._read("xl/_rels/workbook.xml.rels")
        }
        self.sheets = [
            Sheet(
                each.get("name", ""),
                each.get("state", "visible") != "visible",
                targets.get(each.get(_RELATION) or each.get(_STRICT_RELATION), ""),
            )
            for each in root.iterfind("{*}sheets/{*}sheet")
        ]
        self.sheets = [sheet for sheet in self.sheets if "worksheets/" in sheet.part]  # charts have no rows
        self._texts: list[str] = []
        self._formats: list[str] = []

    def rows(self, wanted: Callable[[Sheet], bool]) -> Iterator[tuple[Sheet, int, Cells]]:
        """Stream the rows that have cells, sheet by sheet, with their numbers from 1."""
        self._texts, self._formats = list(self._shared()), self._styles()
        for sheet in self.sheets:
            if wanted(sheet):
                yield from ((sheet, number, cells) for number, cells in self._rows(sheet))

    def _rows(self, sheet: Sheet) -> Iterator[tuple[int, Cells]]:
        number = 0
        for row in self._elements(sheet.part, "row", "sheetData"):
            number = _number(row.get("r"), number + 1, self._uri)
            cells, column = [], -1
            for cell in row.iterchildren(f"{row.tag[:-3]}c"):
                column = self._column(cell.get("r"), column + 1)
                if (value := self._value(cell)) is not None:
                    cells.append((column, column + 1, value))
            if cells:
                yield number, cells

    def _column(self, reference: str | None, otherwise: int) -> int:
        if reference is None:
            return otherwise
        found = _REFERENCE.fullmatch(reference)
        column = 0
        for letter in found[1].upper() if found else "":
            column = 26 * column + ord(letter) - 64
        if not 0 < column <= LAST_COLUMN:
            raise DocumentError(self._uri, f"damaged: {reference[:20]!r} is no cell of a sheet")
        return column - 1

    def _value(self, cell: Any) -> Any:  # noqa: PLR0911  # a table of types
        kind, text = cell.get("t", "n"), None
        if kind == "inlineStr":
            return "".join(map(_text, cell.iterfind("{*}is"))) or None
        for child in cell.iterchildren(f"{cell.tag[:-1]}v"):  # three times as fast as a search
            text = child.text
        if not text:
            return _UNCALCULATED if text is None and cell.find("{*}f") is not None else None
        try:
            match kind:
                case "s":
                    return self._texts[int(text)] or None
                case "b":
                    return text.strip() == "1"
                case "str":
                    return _unescaped(text)
                case "e":
                    return text
                case "d":
                    return datetime.fromisoformat(text)
                case _:
                    return self._typed(text, cell.get("s", "0"))
        except (ValueError, IndexError, OverflowError):
            return NoValue(f"holds {text[:40]!r}, which is no value of a cell")

    def _typed(self, text: str, style: str) -> Any:
        value = int(text) if text.lstrip("-").isdecimal() else float(text)
        form = self._formats[int(style)] if int(style) < len(self._formats) else ""
        if form:
            # Days since the epoch, as a double: a millisecond is what it keeps.
            days = timedelta(milliseconds=round(value * 86_400_000))
            if form == "elapsed":
                return days
            if form == "time" and 0 <= value < 1:
                return (datetime.min + days).time()  # noqa: DTZ901  # only its time is taken
            if self._epoch.year < 1904 and value < 60:
                days += timedelta(days=1)  # it has a 29th of February 1900
            moment = self._epoch + days
            return moment.date() if form == "date" and moment.time() == time() else moment
        return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value

    def _shared(self) -> Iterator[str]:
        if "xl/sharedStrings.xml" in self._archive.NameToInfo:
            for each in self._elements("xl/sharedStrings.xml", "si", "sst"):
                yield _text(each)

    def _styles(self) -> list[str]:
        """Name what each cell format makes of a number: date, time, both, elapsed, or nothing."""
        if "xl/styles.xml" not in self._archive.NameToInfo:
            return []
        root = self._read("xl/styles.xml")
        own = {each.get("numFmtId"): each.get("formatCode", "") for each in root.iterfind("{*}numFmts/{*}numFmt")}
        return [_meaning(each.get("numFmtId", "0"), own) for each in root.iterfind("{*}cellXfs/{*}xf")]

    def _read(self, part: str) -> Any:
        from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

        with damage(self._uri, part):
            return etree.fromstring(self._archive.read(part), etree.XMLParser(resolve_entities=False, no_network=True))

    def _elements(self, part: str, tag: str, end: str) -> Iterator[Any]:
        """Stream the elements of a part until one ends; each is dropped after its turn, so that memory stays flat."""
        from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

        with damage(self._uri, part), self._archive.open(part) as stream:
            tags = (f"{{*}}{tag}", f"{{*}}{end}")
            for _, element in etree.iterparse(stream, tag=tags, resolve_entities=False, no_network=True):
                if etree.QName(element).localname == end:
                    return
                yield element
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
            raise DocumentError(self._uri, f"truncated or damaged: {part} has no {end}")


@contextmanager
def open_sheets(stream: BinaryIO, uri: str) -> Generator[zipfile.ZipFile]:
    """Open the archive of a workbook; raises DocumentError with a plain reason."""
    if stream.read(8) == _OLE:
        raise DocumentError(uri, "encrypted, or an old Excel file under a new name; save it as .xlsx without password")
    size = stream.seek(0, 2)
    stream.seek(0)
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        raise DocumentError(uri, "truncated or damaged: not a readable zip archive") from None
    with archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > max(_RATIO * size, 16 * _MIB):
            raise DocumentError(uri, f"unpacks to {unpacked // size:,} times its size; a zip bomb?")
        yield archive


@contextmanager
def damage(uri: str, part: str) -> Generator[None]:
    """Make a DocumentError of what reading a part of an archive may raise."""
    from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

    try:
        yield
    except KeyError:
        raise DocumentError(uri, f"truncated or damaged: no {part} in it") from None
    except (etree.XMLSyntaxError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, *_READING) as error:
        reason = " ".join(str(error).split())[:120]
        raise DocumentError(uri, f"truncated or damaged: cannot read {part} ({reason})") from None
    except RuntimeError:  # zipfile's answer to an entry that needs a password
        raise DocumentError(uri, "encrypted: this document needs a password") from None


def _number(written: str | None, least: int, uri: str) -> int:
    number = max(least, int(written) if written is not None and written.isdecimal() and len(written) < 9 else 0)
    if number > LAST_ROW:
        raise DocumentError(uri, f"damaged: row {number:,} is beyond the last a sheet can have")
    return number


def _text(element: Any) -> str:
    """Join the runs of a text; phonetic ones are how it is read, not what it says."""
    from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

    found = []
    for child in element:
        name = etree.QName(child).localname if isinstance(child.tag, str) else ""
        if name == "t":
            found.append(child.text or "")
        elif name == "r":
            found.append(child.findtext("{*}t") or "")
    return _unescaped("".join(found))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _meaning(number: str, own: dict[str, str]) -> str:
    code = int(number) if number.isdecimal() else 0
    if number not in own:
        kinds = ((_DATES, "date"), (_TIMES, "time"), (_BOTH, "both"), (_ELAPSED, "elapsed"))
        return next((kind for codes, kind in kinds if code in codes), "")
    form = _QUIET.sub("", own[number]).partition(";")[0].lower()
    if re.search(r"\[[hms]+\]", form):
        return "elapsed"
    days, clock = bool(re.search("[yd]|mmm|[年月日]|e", form)), bool(re.search("[hs]|am/pm", form))
    if "general" in form or re.search("0e[+-]|#e[+-]", form):
        return ""
    if days or form.strip(" -/.") in {"m", "mm"}:
        return "both" if clock else "date"
    return "time" if clock else ""
