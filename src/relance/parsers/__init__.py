"""Bytes to text, by media type. `parse` picks the parser; each file here is one family of formats."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, Protocol

from relance.errors import DocumentError, MissingExtraError, RelanceError
from relance.parsers.media_types import PARQUET, UNKNOWN

__all__ = ["Parsed", "Parser", "Raw", "has_parser", "parse", "parser_for", "parser_version", "refusal"]

_OFFICE = "application/vnd.openxmlformats-officedocument."
_HINTS = {
    "application/msword": "no parser for old Word files; save it as .docx",
    "application/vnd.ms-excel": "no parser for old Excel files; save it as .xlsx",
    "application/vnd.ms-powerpoint": "no parser for old PowerPoint files; save it as .pptx",
    PARQUET: "a Parquet table is read row by row only; set `rows` of this source",
}


@dataclass(slots=True, frozen=True)
class Raw:
    """What a parser is given.

    Attributes:
        encoding: of text without a byte-order mark; empty means: detect.
        max_unpacked: bytes an archive may hold when unpacked.
    """

    data: bytes
    uri: str
    media_type: str
    encoding: str = ""
    max_unpacked: int = 1 << 30


@dataclass(slots=True)
class Parsed:
    """What a parser makes of it; `text`, `syntax` and `pages` as in `Document`."""

    text: str
    title: str = ""
    syntax: str = "text"
    metadata: dict[str, Any] = field(default_factory=dict)
    pages: tuple[int, ...] = ()


class Parser(Protocol):
    """A parser module."""

    @property
    def VERSION(self) -> str:  # noqa: N802  # a module's constant
        """Changed when the same bytes would give another text."""
        ...

    def parse(self, raw: Raw) -> Parsed:
        """Turn bytes into text; raises DocumentError with a plain reason."""
        ...


@lru_cache(maxsize=1024)
def parser_for(media_type: str) -> Parser | None:
    """Pick the parser of a media type; None where there is none."""
    if media_type == "text/markdown":
        from relance.parsers import markdown

        return markdown
    if media_type in {"text/html", "application/xhtml+xml"}:
        from relance.parsers import html

        return html
    if media_type == "application/pdf":
        from relance.parsers import pdf

        return pdf
    if media_type.startswith(_OFFICE) or media_type == "application/epub+zip":
        from relance.parsers import office

        return office
    from relance.parsers import text

    return text if text.reads(media_type) else None


def has_parser(media_type: str) -> bool:
    """Whether files of this type are documents, so that not reading one deserves a word."""
    return media_type != UNKNOWN and (media_type in _HINTS or parser_for(media_type) is not None)


def refusal(media_type: str) -> str:
    """Say why a file of this type cannot be read; empty if it can."""
    return "" if parser_for(media_type) else _HINTS.get(media_type, f"no parser for {media_type}")


def parser_version(media_type: str) -> str:
    """Name what decides the text of such a file; empty where there is no parser."""
    parser = parser_for(media_type)
    return parser.VERSION if parser else ""


def parse(raw: Raw) -> Parsed:
    """Turn bytes into clean, non-blank text with a title; raises DocumentError with a plain reason."""
    from relance.parsers.decoding import clean

    parser = parser_for(raw.media_type)
    if parser is None:
        raise DocumentError(raw.uri, refusal(raw.media_type))
    if not raw.data:
        raise DocumentError(raw.uri, "empty file")
    try:
        parsed = parser.parse(raw)
    except MissingExtraError as error:  # the document is a failure until it is installed; the others go on
        raise DocumentError(raw.uri, str(error)) from None
    except RelanceError:
        raise
    except Exception as error:  # a file nobody has foreseen must not stop the others
        raise DocumentError(raw.uri, f"cannot be parsed ({type(error).__name__}: {str(error)[:200]})") from error
    if not parsed.pages:  # a paged text is clean already, and its offsets must stay right
        parsed.text = clean(parsed.text)
    if not parsed.text.strip():
        raise DocumentError(raw.uri, "no text in it; scanned pages?" if parsed.pages else "no text in it")
    parsed.title = " ".join(clean(parsed.title).split()) or PurePosixPath(raw.uri).stem
    return parsed
