"""What a document says about itself, as metadata with types."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from relance.parsers.decoding import clean
from relance.parsers.office.xml import Element, local

__all__ = ["as_date", "dublin_core", "split_keywords"]

# Dublin Core and what Office and OpenDocument call the same.
_NAMES = {
    "title": "title",
    "creator": "author",
    "initial-creator": "author",
    "created": "created",
    "creation-date": "created",
    "modified": "modified",
    "date": "modified",
    "subject": "subject",
    "description": "description",
    "keywords": "keywords",
    "keyword": "keywords",
    "language": "language",
    "category": "category",
    "publisher": "publisher",
}
_DATES = frozenset({"created", "modified", "published"})
_LONGEST = 10_000  # characters; longer values are data, not metadata


def dublin_core(root: Element, *, dates: str = "modified") -> dict[str, Any]:
    """Read the properties below an element; `dates` says what a bare `dc:date` means."""
    found: dict[str, list[str]] = {}
    for element in root.iter():
        name = _NAMES.get(local(element), "")
        value = " ".join(clean("".join(element.itertext())[:_LONGEST]).split())
        if name and value:
            if local(element) == "date":
                name = dates
            found.setdefault(name, []).append(value)
    return typed(found)


def typed(found: dict[str, list[str]]) -> dict[str, Any]:
    """Give each property its type: text, list of keywords, ISO 8601."""
    metadata: dict[str, Any] = {}
    for name, values in found.items():
        if name == "keywords":
            metadata[name] = split_keywords(values)
        elif name == "author":
            metadata[name] = ", ".join(dict.fromkeys(values))
        elif name in _DATES:
            if date := as_date(values[0]):
                metadata[name] = date
        else:
            metadata[name] = values[0]
    return metadata


def split_keywords(values: Iterable[str]) -> list[str]:
    """Split keywords at the marks that people put between them; each once."""
    parts = (
        part.strip()
        for value in values
        for part in re.split(r"[;；]" if re.search("[;；]", value) else r"[,，、]", value)
    )
    return list(dict.fromkeys(part for part in parts if part))


def as_date(value: str) -> str:
    """Return a date as ISO 8601; empty for what is none. A year, or a year and a month, stays what it is."""
    if re.fullmatch(r"\d{4}(-\d{2})?", value):
        return value
    try:
        return (
            datetime.fromisoformat(value[:-1] + "+00:00" if value.endswith(("Z", "z")) else value[:40]).isoformat()
            if "T" in value
            else datetime.fromisoformat(value).date().isoformat()
        )
    except ValueError:
        return ""
