"""Headers of mails as text, addresses and dates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

from relance.parsers.decoding import clean, codec, detect

__all__ = ["addresses", "decoded", "header_metadata", "sent", "words_of"]

# `decode_header` takes time by the square of the encoded words.
_LONGEST = 64 * 1024


def words_of(message: Message, name: str) -> str:
    """Read a header as one line of text; empty where there is none."""
    found = [value for key, value in message.raw_items() if key.lower() == name]
    return decoded(str(found[0])) if found else ""


def decoded(value: str) -> str:
    """Undo the encodings of a header: words by RFC 2047, and bytes that are there as they are."""
    line = value[:_LONGEST].replace("\r", "").replace("\n", "")  # the next one begins with a blank
    try:
        parts = decode_header(line) if "=?" in line else [(line, None)]
    except (HeaderParseError, ValueError):
        parts = [(line, None)]
    return " ".join(clean("".join(_part(*part) for part in parts)).split())


def addresses(message: Message, name: str) -> list[str]:
    """Read who a header names, as `Name <address>`."""
    values = [str(value)[:_LONGEST] for key, value in message.raw_items() if key.lower() == name]
    found = []
    for value in values:
        for person, address in getaddresses([value]):
            # Some versions of Python give nothing of a list with one mistake in it.
            written, place = decoded(person), decoded(address) if address else ""
            found.append(f"{written} <{place}>" if written and place else written or place or decoded(value))
    return [each for each in found if each]


def sent(value: str) -> datetime | None:
    """Read a date; None for what is none."""
    try:
        return parsedate_to_datetime(value[:200])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def header_metadata(message: Message) -> tuple[dict[str, Any], list[str]]:
    """Gather what the headers say, as JSON values, and what of it cannot be read."""
    warnings: list[str] = []
    metadata: dict[str, Any] = {}
    if people := addresses(message, "from"):
        metadata["from"] = people[0] if len(people) == 1 else people
    for name in ("to", "cc", "bcc", "reply-to"):
        if people := addresses(message, name):
            metadata[name.replace("-", "_")] = people
    if written := words_of(message, "date"):
        if date := sent(written):
            metadata["date"] = date.isoformat()
        else:
            warnings.append(f"its date {written[:60]!r} cannot be read")
    if subject := words_of(message, "subject"):
        metadata["subject"] = subject
    for name in ("message-id", "in-reply-to"):
        if found := words_of(message, name).split():
            metadata[name.replace("-", "_")] = found[0].strip("<>")
    if references := _ids(words_of(message, "references").split()):
        metadata["references"] = references
    if keywords := words_of(message, "keywords"):
        metadata["keywords"] = [word.strip() for word in keywords.split(",") if word.strip()]
    return metadata, warnings


def _ids(written: Sequence[str]) -> list[str]:
    return [each.strip("<>") for each in written[:1000]]


def _part(data: str | bytes, charset: str | None) -> str:
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogateescape")
    if charset:
        try:
            return data.decode(codec(charset), "replace")
        except (LookupError, ValueError):
            pass
    return data.decode(detect(data) or "latin-1", "replace")
