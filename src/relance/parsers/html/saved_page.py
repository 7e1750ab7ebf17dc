"""Pages that a browser has saved with their pictures in one file: MHTML."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from relance.errors import DocumentError
from relance.parsers.decoding import codec, decode
from relance.parsers.html.page import read_page
from relance.parsers.html.parser import declared_encoding
from relance.parsers.parser import Parsed, Parser, Raw, Reference
from relance.parsers.references import MEDIA_MARKS, html_references

__all__ = ["SavedPage"]

_PAGES = frozenset(("text/html", "application/xhtml+xml"))


class SavedPage(Parser):
    """MHTML; the page in it as if it were a file of its own."""

    version = "mhtml-2"
    media_types = ("multipart/related", "application/x-mimearchive")
    isolated = media_types
    media_marks = MEDIA_MARKS

    def parse(self, raw: Raw) -> Parsed:
        """Write the main part of the saved page as Markdown."""
        message, pages = _pages(raw)
        page = read_page(_source(pages[0], raw), raw.uri)
        address = _header(message, "Snapshot-Content-Location") or _header(pages[0], "Content-Location")
        metadata: dict[str, Any] = dict(page.metadata)
        if address.startswith(("http:", "https:")):
            metadata.setdefault("canonical", address)
        frames = len(pages) - 1
        left_out = (f"{frames} frame{'s' * (frames > 1)} of the page left out",) if frames else ()
        title = page.title or _header(message, "Subject")
        return Parsed(page.text, title, "markdown", metadata, warnings=(*page.warnings, *left_out))

    def references(self, raw: Raw) -> list[Reference]:
        """List what the saved page shows, by the addresses it had."""
        return html_references(_source(_pages(raw)[1][0], raw), raw.uri)


def _pages(raw: Raw) -> tuple[EmailMessage, list[EmailMessage]]:
    """Find the pages in a file: the main one, then its frames."""
    message = message_from_bytes(raw.data, EmailMessage, policy=policy.default)
    found = [part for part in message.walk() if part.get_content_type() in _PAGES]
    if not found:
        raise DocumentError(raw.uri, "no page in it; truncated, or no MHTML")
    start = message.get_param("start")
    first = next((part for part in found if start and _header(part, "Content-ID") == start), found[0])
    return message, [first, *(part for part in found if part is not first)]


def _source(part: EmailMessage, raw: Raw) -> str:
    data = part.get_payload(decode=True)
    data = data if isinstance(data, bytes) else b""
    try:
        declared = codec(part.get_content_charset() or "")
    except LookupError:
        declared = declared_encoding(data)
    return decode(data, raw.uri, declared=declared)


def _header(part: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(part.get(name) or "").split())
    except (ValueError, IndexError, AttributeError):  # the standard library reads few damaged headers
        return ""
