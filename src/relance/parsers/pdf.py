"""PDF: the text layer, page by page."""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING

from relance.errors import DocumentError
from relance.parsers.decoding import clean
from relance.parsers.parser import Parsed, Parser, Raw

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

__all__ = ["Pdf"]

# PDFium is not thread-safe: not even two different documents may be open in two threads.
_PDFIUM = Lock()
_WRONG_PASSWORD = 4
# Titles that programs write when nobody gave one.
_JUNK_TITLE = re.compile(
    r"(?i)(untitled|microsoft word - .*|powerpoint presentation|.*\.(docx?|pptx?|indd|qxd|tex|dvi|pdf))"
)
_BREAK = "\n\n"


class Pdf(Parser):
    """The text layer of a PDF."""

    version = "pdf-1/pypdfium2"
    media_types = ("application/pdf",)

    def parse(self, raw: Raw) -> Parsed:
        """Extract text with the offset of each page."""
        import pypdfium2

        with _PDFIUM:
            try:
                document = pypdfium2.PdfDocument(raw.data)
            except pypdfium2.PdfiumError as error:
                if getattr(error, "err_code", None) == _WRONG_PASSWORD:
                    raise DocumentError(raw.uri, "encrypted: this PDF needs a password") from None
                raise DocumentError(raw.uri, "truncated or damaged: not a readable PDF") from None
            try:
                texts = [_page_text(document[number]) for number in range(len(document))]
                title = document.get_metadata_value("Title") or ""
            except pypdfium2.PdfiumError as error:
                raise DocumentError(raw.uri, f"truncated or damaged: a page cannot be read ({error})") from None
            finally:
                document.close()
        if not texts:
            raise DocumentError(raw.uri, "no pages in it")
        pages, offset = [], 0
        for text in texts:
            pages.append(offset)
            offset += len(text) + len(_BREAK)
        if _JUNK_TITLE.fullmatch(title.strip()):
            title = ""
        return Parsed(_BREAK.join(texts), title=title, pages=tuple(pages), metadata={"page_count": len(texts)})


def _page_text(page: PdfPage) -> str:
    layer = page.get_textpage()
    try:
        text = layer.get_text_range()
    finally:
        layer.close()
        page.close()
    # U+FFFE stands for a hyphen at a line's end, where nearly always a word was broken.
    return clean(text.replace("\ufffe", "").replace("\x02", "")).strip()
