"""Plain text, source code, and data that reads as text."""

from __future__ import annotations

import re

from relance.parsers.decoding import decode
from relance.parsers.media_types import UNKNOWN, language_of
from relance.parsers.parser import Parsed, Parser, Raw

__all__ = ["Text"]

# reStructuredText: a line and one of punctuation below it that is at least as long.
_UNDERLINED = re.compile(r"^(?P<title>\S.*)\n(?P<line>([=\-~^\"'`#*+:.])\3{2,})[ \t]*$", re.MULTILINE)
_LOOK_AT = 10_000


class Text(Parser):
    """Text as it is, marked as code where its media type names a language; files of unknown type are tried."""

    version = "text-1"
    media_types = ("text/*", "application/json", "application/yaml", "application/toml", "application/xml", UNKNOWN)
    decodes = True

    def parse(self, raw: Raw) -> Parsed:
        """Decode a text file."""
        text = decode(raw.data, raw.uri, encoding=raw.encoding)
        language = language_of(raw.media_type)
        title = ""
        if raw.media_type == "text/x-rst" and (found := _UNDERLINED.search(text, 0, _LOOK_AT)):
            title = found["title"]
        return Parsed(text, title=title, syntax=f"code:{language}" if language else "text")
