"""Plain text, source code, and tables that are read as one document."""

from __future__ import annotations

import re

from relance.parsers import Parsed, Raw
from relance.parsers.decoding import decode
from relance.parsers.media_types import JSONL, UNKNOWN, language_of

__all__ = ["VERSION", "parse", "reads"]

VERSION = "text-1"

# reStructuredText: a line and one of punctuation below it that is at least as long.
_UNDERLINED = re.compile(r"^(?P<title>\S.*)\n(?P<line>([=\-~^\"'`#*+:.])\3{2,})[ \t]*$", re.MULTILINE)
_LOOK_AT = 10_000


def reads(media_type: str) -> bool:
    """Whether this parser takes the media type; an unknown one it tries."""
    return media_type.startswith("text/") or media_type in {JSONL, UNKNOWN} or bool(language_of(media_type))


def parse(raw: Raw) -> Parsed:
    """Decode a text file."""
    text = decode(raw.data, raw.uri, encoding=raw.encoding)
    language = language_of(raw.media_type)
    title = ""
    if raw.media_type == "text/x-rst" and (found := _UNDERLINED.search(text, 0, _LOOK_AT)):
        title = found["title"]
    return Parsed(text, title=title, syntax=f"code:{language}" if language else "text")
