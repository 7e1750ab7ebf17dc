"""What a PDF says about itself: author, dates, keywords, language."""

from __future__ import annotations

import ctypes
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

from relance.parsers.decoding import clean

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

__all__ = ["read_metadata", "read_title"]

# What programs write when nobody said anything.
_JUNK_TITLE = re.compile(
    r"(?i)(untitled|untitled document|title|\(?anonymous\)?|about:blank|microsoft (?:word|powerpoint|excel) - .*|"
    r"powerpoint presentation|(?:document|layout|presentation|slide)\s?\d*|"
    r"(?:file:|[a-z]:\\|/).*|.*\.(?:docx?|pptx?|xlsx?|indd|qxd|tex|dvi|pdf|ps|html?))"
)
_JUNK = re.compile(r"(?i)\(?(?:anonymous|unspecified|unknown|user|admin|administrator|author)?\)?")
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?\s*(?:([Zz])|([+-])(\d\d)'?(\d\d)?'?)?'?")
_LONGEST = 2_000
_MOST_KEYWORDS = 100


def read_title(document: PdfDocument) -> str:
    """Read the title somebody gave it; empty if a program did."""
    title = _value(document, "Title")
    return "" if _JUNK_TITLE.fullmatch(title) else title


def read_metadata(document: PdfDocument) -> dict[str, Any]:
    """Read what is known of a document as JSON values; what is not said is not there."""
    found: dict[str, Any] = {"page_count": len(document)}
    for key, name in (("author", "Author"), ("subject", "Subject")):
        value = _value(document, name)
        if not _JUNK.fullmatch(value):
            found[key] = value
    keywords = [word for part in re.split(r"[,;，；、]", _value(document, "Keywords")) if (word := part.strip())]
    if keywords:
        found["keywords"] = keywords[:_MOST_KEYWORDS]
    for key, name in (("created", "CreationDate"), ("modified", "ModDate")):
        if date := _date(_value(document, name)):
            found[key] = date
    if language := _language(document):
        found["language"] = language
    return found


def _value(document: PdfDocument, name: str) -> str:
    return " ".join(clean(document.get_metadata_value(name) or "").split())[:_LONGEST]


def _date(value: str) -> str:
    """Write a date of a PDF as ISO 8601; empty if it is none."""
    match = _DATE.fullmatch(value)
    if not match:
        return ""
    year, month, day, hour, minute, second, utc, sign, hours, minutes = match.groups()
    zone = UTC if utc else None
    if sign and hours:
        zone = timezone(timedelta(hours=int(hours), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1))
    try:
        return datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone
        ).isoformat()
    except ValueError:
        return ""


def _language(document: PdfDocument) -> str:
    size = pdfium.FPDFCatalog_GetLanguage(document, None, 0)
    if not 2 < size < 100:
        return ""
    buffer = (ctypes.c_ushort * size)()
    pdfium.FPDFCatalog_GetLanguage(document, buffer, size)
    said = bytes(buffer)[:size].decode("utf-16-le", "replace").partition("\0")[0].strip()
    return said if re.fullmatch(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*", said) else ""
