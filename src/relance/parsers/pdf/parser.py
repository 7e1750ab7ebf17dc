"""PDF: the text layer, page by page, with headings, tables and values of forms."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from pydantic import Field

from relance.config.spec_model import SpecModel
from relance.counted import counted
from relance.errors import DocumentError
from relance.parsers.parser import Parsed, Parser, Raw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pypdfium2 import PdfDocument

    from relance.parsers.pdf.lines import Line, Page

__all__ = ["Pdf", "PdfOptions"]

# PDFium is not thread-safe: not even two different documents may be open in two threads.
_PDFIUM = Lock()
_WRONG_PASSWORD = 4
_UNKNOWN_SECURITY = 5
_MOST_PAGES = 20_000
_MOST_NAMED = 30
_TAIL = 2_048


class PdfOptions(SpecModel):
    """Options of PDF files."""

    ocr: bool = Field(default=False, title="Read scanned pages")
    """Read pages that are pictures; needs the extra `ocr`, and 2.4 CPU-seconds a page."""


class Pdf(Parser):
    """The text of a PDF as its readers see it."""

    Spec = PdfOptions
    version = "pdf-2/pypdfium2"
    media_types = ("application/pdf",)
    isolated = media_types
    spec: PdfOptions

    @property
    def effort(self) -> tuple[float, float]:
        """How many times the CPU seconds and memory of `limits` a document may take: many where pages are recognised.

        A scanned page may have 20 kB, and takes 2.4 CPU-s; the models and a page take 500 MB.
        """
        return (100.0, 3.0) if self.spec.ocr else (1.0, 1.0)

    def parse(self, raw: Raw) -> Parsed:
        """Extract text with the offset of each page."""
        import pypdfium2.raw as pdfium

        from relance.parsers.pdf.furniture import drop_furniture
        from relance.parsers.pdf.headings import body_size, find_headings
        from relance.parsers.pdf.metadata import read_metadata, read_title
        from relance.parsers.pdf.outline import read_outline
        from relance.parsers.pdf.tables import with_tables
        from relance.parsers.pdf.writing import has_code, write

        with _PDFIUM:
            document = _open(raw)
        try:
            with _PDFIUM:
                pages = _pages(document, raw)
                outline = read_outline(document)
                title, metadata = read_title(document), read_metadata(document)
                whole = bool(pdfium.FPDF_DocumentHasValidCrossReferenceTable(document))
            if not whole and b"%%EOF" not in raw.data[-_TAIL:]:
                raise DocumentError(raw.uri, "truncated: its end is missing")
            if self.spec.ocr:
                _read_pictures(document, pages)
        finally:
            with _PDFIUM:
                document.close()
        warnings = _warnings(pages, whole=whole, ocr=self.spec.ocr)
        if not any(page.lines for page in pages) and any(page.scanned or page.damaged for page in pages):
            raise DocumentError(raw.uri, _nothing(pages, ocr=self.spec.ocr))
        body = body_size(pages)
        if repeated := drop_furniture(pages, body):
            metadata["repeated_lines"] = repeated[:10]
        code = has_code(pages)
        before: Line | None = None
        for page in pages:
            columns = len(before.table[0]) if before is not None and before.table else 0
            page.lines = with_tables(page.lines, code=code, before=columns)
            before = page.lines[-1] if page.lines else None
        find_headings(pages, outline, body)
        written = write(pages, code=code)
        first = next((line.text for page in pages[:2] for line in page.lines if line.level), "")
        return Parsed(
            written.text,
            title=title or first,
            syntax="markdown" if written.marked else "text",
            pages=written.pages,
            metadata=metadata,
            warnings=warnings,
        )


def _open(raw: Raw) -> PdfDocument:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(raw.data)
    except pypdfium2.PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code == _WRONG_PASSWORD:
            raise DocumentError(raw.uri, "encrypted: this PDF needs a password") from None
        if code == _UNKNOWN_SECURITY:
            raise DocumentError(raw.uri, "encrypted in a way that is not supported") from None
        raise DocumentError(raw.uri, "truncated or damaged: not a readable PDF") from None


def _pages(document: PdfDocument, raw: Raw) -> list[Page]:
    import pypdfium2.raw as pdfium

    from relance.parsers.pdf.annotations import Form
    from relance.parsers.pdf.lines import Fonts
    from relance.parsers.pdf.reading import read_page

    form = Form(document) if pdfium.FPDF_GetFormType(document) != pdfium.FORMTYPE_NONE else None
    count = len(document)
    if not count:
        raise DocumentError(raw.uri, "no pages in it")
    if count > _MOST_PAGES:
        raise DocumentError(raw.uri, f"{counted(count, 'page')}; at most {_MOST_PAGES:,} are read: divide it")
    fonts, tagged = Fonts(), bool(pdfium.FPDFCatalog_IsTagged(document))
    return [read_page(document, number, fonts=fonts, form=form, tagged=tagged) for number in range(count)]


def _read_pictures(document: PdfDocument, pages: Sequence[Page]) -> None:
    """Read the scanned pages; the lock is free meanwhile, since a page takes seconds."""
    from relance.parsers.pdf.ocr import picture_of, read_picture

    for number, page in enumerate(pages):
        if page.scanned:
            with _PDFIUM:
                opened = document[number]
                try:
                    pixels, scale = picture_of(opened)
                finally:
                    opened.close()
            page.lines = read_picture(pixels, scale)


def _warnings(pages: Sequence[Page], *, whole: bool, ocr: bool) -> tuple[str, ...]:
    scanned = [number for number, page in enumerate(pages, 1) if page.scanned]
    empty = [number for number in scanned if not pages[number - 1].lines]
    damaged = [number for number, page in enumerate(pages, 1) if page.damaged]
    said = []
    if ocr and len(empty) < len(scanned):
        read = [number for number in scanned if pages[number - 1].lines]
        said.append(f"{_named(read)} scanned: the text was read from pictures and may be wrong")
        scanned = empty
    if scanned:
        said.append(f"{_named(scanned)} scanned: no text in {'it' if len(scanned) == 1 else 'them'}")
    if damaged:
        said.append(f"{_named(damaged)} damaged and not read")
    if crowded := [number for number, page in enumerate(pages, 1) if page.crowded]:
        said.append(f"{_named(crowded)} crowded: not all fields, notes and links were read")
    if not whole:
        said.append("damaged: its table of objects was rebuilt, so that parts may be missing")
    return tuple(said)


def _nothing(pages: Sequence[Page], *, ocr: bool) -> str:
    if all(page.damaged for page in pages):
        return "truncated or damaged: no page can be read"
    scanned = [number for number, page in enumerate(pages, 1) if page.scanned]
    if not scanned:
        return f"no text in it: {_named([at for at, page in enumerate(pages, 1) if page.damaged])} damaged"
    return f"no text in it: {_named(scanned)} scanned" + ("" if ocr else "; `parsers: {pdf: {ocr: true}}` reads them")


def _named(numbers: Sequence[int]) -> str:
    """Name pages: `page 2 is`, `pages 2, 3 and 7 are`, runs as `4–9`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    if len(numbers) == 1:
        return f"page {numbers[0]} is"
    parts: list[str] = []
    for first, last in runs:
        parts += [f"{first}–{last}"] if last - first > 1 else [str(each) for each in sorted({first, last})]
    if len(parts) > _MOST_NAMED:
        parts = [*parts[:_MOST_NAMED], f"{len(parts) - _MOST_NAMED} more"]
    return f"pages {' and '.join(filter(None, [', '.join(parts[:-1]), parts[-1]]))} are"
