"""The parser of HTML."""

from __future__ import annotations

import re

from relance.parsers.decoding import codec, decode
from relance.parsers.html.page import read_page
from relance.parsers.parser import Parsed, Parser, Raw, Reference
from relance.parsers.references import MEDIA_MARKS, html_references

__all__ = ["Html", "declared_encoding"]

_DECLARED = re.compile(rb"""(?:<meta[^>]+charset|<\?xml[^>]+encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)


class Html(Parser):
    """HTML; what the main part of the page shows."""

    version = "html-4"
    media_types = ("text/html", "application/xhtml+xml")
    isolated = media_types
    decodes = True
    media_marks = MEDIA_MARKS

    def parse(self, raw: Raw) -> Parsed:
        """Write the main part of a page as Markdown."""
        page = read_page(_source(raw), raw.uri)
        return Parsed(page.text, page.title, "markdown", page.metadata, warnings=page.warnings)

    def references(self, raw: Raw) -> list[Reference]:
        """List what a page shows; of a `<picture>`, `srcset` or `<video>` with alternatives one is taken."""
        return html_references(_source(raw), raw.uri)


def _source(raw: Raw) -> str:
    """Decode a page, in the encoding it declares about itself where that is right."""
    return decode(raw.data, raw.uri, encoding=raw.encoding, declared=declared_encoding(raw.data))


def declared_encoding(data: bytes) -> str:
    """Find the encoding a page declares; empty where it does not, or names one nobody knows."""
    found = _DECLARED.search(data, 0, 4096)
    try:
        return codec(found[1].decode("ascii", "replace")) if found else ""
    except LookupError:
        return ""
