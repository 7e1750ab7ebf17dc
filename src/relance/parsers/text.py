"""Plain text, source code, and data that reads as text."""

from __future__ import annotations

from relance.errors import DocumentError, EmptyError
from relance.parsers.decoding import decode
from relance.parsers.media_types import UNKNOWN, UNNAMED, language_of
from relance.parsers.parser import Parsed, Parser, Raw

__all__ = ["Text"]


class Text(Parser):
    """Text as it is, marked as code where its media type names a language; files of unknown type are tried."""

    version = "text-2"
    media_types = (*("text/*", "application/yaml", "application/toml", UNNAMED, UNKNOWN),)
    decodes = True

    def parse(self, raw: Raw) -> Parsed:
        """Decode a text file."""
        warnings: list[str] = []
        try:
            text = decode(raw.data, raw.uri, encoding=raw.encoding, warnings=warnings)
        except DocumentError as error:
            if raw.media_type == UNNAMED:  # a program, say: its name does not promise a text
                raise EmptyError(raw.uri, error.reason) from None
            raise
        language = language_of(raw.media_type)
        return Parsed(text, syntax=f"code:{language}" if language else "text", warnings=tuple(warnings))
