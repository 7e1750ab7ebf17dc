"""The parser of office documents and e-books."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from relance.errors import EmptyError
from relance.parsers.archive import open_archive
from relance.parsers.office.docx import read_docx
from relance.parsers.office.epub import read_epub
from relance.parsers.office.left_out import LeftOut
from relance.parsers.office.odf import read_flat_odf, read_odf
from relance.parsers.office.package import Package
from relance.parsers.office.pptx import read_pptx
from relance.parsers.office.rtf import read_rtf
from relance.parsers.office.spec import OfficeSpec
from relance.parsers.office.xlsx import read_xlsx
from relance.parsers.parser import Parsed, Parser, Raw

__all__ = ["Office"]

_OPEN_XML = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."
_PACKAGES = {"wordprocessingml": read_docx, "ms-word": read_docx, "presentationml": read_pptx,
             "ms-powerpoint": read_pptx,
             "spreadsheetml": read_xlsx, "ms-excel": read_xlsx}  # fmt: skip


class Office(Parser):
    """Office documents and e-books, from their own XML: every character, headings, lists, tables, notes."""

    Spec = OfficeSpec
    spec: OfficeSpec
    version = "office-2"
    media_types = (
        f"{_OPEN_XML}wordprocessingml.*",
        f"{_OPEN_XML}presentationml.*",
        f"{_OPEN_XML}spreadsheetml.*",
        "application/vnd.ms-word.*",
        "application/vnd.ms-powerpoint.*",
        "application/vnd.ms-excel.*",
        *(f"{_ODF}{kind}*" for kind in ("text", "spreadsheet", "presentation", "graphics")),
        "application/epub+zip",
        "application/rtf",
        "text/rtf",
    )
    isolated = media_types
    refused: ClassVar[Mapping[str, str]] = {
        "application/msword": "no parser for old Word files; save it as .docx",
        "application/vnd.ms-excel": "no parser for old Excel files; save it as .xlsx",
        "application/vnd.ms-powerpoint": "no parser for old PowerPoint files; save it as .pptx",
        "application/vnd.ms-excel.sheet.binary.macroEnabled.12": "no parser for binary workbooks; save it as .xlsx",
        "application/x-mobipocket-ebook": "no parser for Kindle books; convert it to .epub",
    }

    def parse(self, raw: Raw) -> Parsed:
        """Read a document; hidden parts, comments and addresses of links as the spec says."""
        left_out = LeftOut(self.spec)
        damaged: tuple[str, ...] = ()
        if raw.media_type in {"application/rtf", "text/rtf"}:
            parsed = read_rtf(raw.data, raw.uri, left_out)
        elif raw.media_type.endswith("-flat-xml"):
            parsed = read_flat_odf(raw.data, raw.uri, left_out)
        else:
            archive = open_archive(raw.data, raw.uri, max_unpacked=raw.max_unpacked)
            damaged = archive.damaged
            if raw.media_type == "application/epub+zip":
                parsed = read_epub(archive, left_out)
            elif raw.media_type.startswith(_ODF):
                parsed = read_odf(archive, left_out)
            else:
                read = next(read for name, read in _PACKAGES.items() if name in raw.media_type)
                parsed = read(Package(archive), left_out)
        if not parsed.text.strip():
            raise EmptyError(raw.uri, "no text in it")
        parsed.warnings = (*parsed.warnings, *left_out.warnings(damaged))
        return parsed
