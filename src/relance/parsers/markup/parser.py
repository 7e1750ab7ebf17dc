"""The parser of markup, which picks a reader by media type."""

from __future__ import annotations

from collections.abc import Callable

from relance.parsers.decoding import decode
from relance.parsers.markdown.heading import plain
from relance.parsers.markup.asciidoc import read_asciidoc
from relance.parsers.markup.latex import read_latex
from relance.parsers.markup.man import read_man
from relance.parsers.markup.mediawiki import read_mediawiki
from relance.parsers.markup.org import read_org
from relance.parsers.markup.page import Page
from relance.parsers.markup.rst import read_rst
from relance.parsers.markup.subtitles import read_subtitles, read_translations
from relance.parsers.parser import Parsed, Parser, Raw

__all__ = ["Markup"]

_READERS: dict[str, Callable[[str], Page]] = {
    "text/asciidoc": read_asciidoc,
    "text/org": read_org,
    "text/x-rst": read_rst,
    "text/x-tex": read_latex,
    "text/x-mediawiki": read_mediawiki,
    "text/troff": read_man,
    "text/vtt": read_subtitles,
    "application/x-subrip": read_subtitles,
    "text/x-gettext-translation": read_translations,
}


class Markup(Parser):
    """Documents in one of many markups; each becomes Markdown."""

    version = "markup-1"
    media_types = tuple(_READERS)
    isolated = media_types
    decodes = True

    def parse(self, raw: Raw) -> Parsed:
        """Decode a document and write it as Markdown."""
        warnings: list[str] = []
        page = _READERS[raw.media_type](decode(raw.data, raw.uri, encoding=raw.encoding, warnings=warnings))
        metadata = {key: value for key, value in page.metadata.items() if value and key != "title"}
        return Parsed(page.text, plain(page.title), "markdown", metadata, warnings=(*warnings, *page.warnings))
