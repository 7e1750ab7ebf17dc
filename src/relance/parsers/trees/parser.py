"""The parser of trees."""

from __future__ import annotations

import re

from relance.parsers.decoding import decode
from relance.parsers.parser import Parsed, Parser, Raw
from relance.parsers.trees.json_text import json_text
from relance.parsers.trees.xml_text import xml_page

__all__ = ["Trees"]

_DECLARED = re.compile(rb"\A\s*<\?xml[^>]{0,200}\bencoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")


class Trees(Parser):
    """JSON keeps its syntax, one value a line; XML becomes headings, texts and named values."""

    version = "trees-1"
    media_types = ("application/json", "application/xml", "text/xml", "application/rss+xml", "application/atom+xml")
    isolated = media_types
    decodes = True

    def parse(self, raw: Raw) -> Parsed:
        """Decode a tree and write it so that it can be read and split."""
        warnings: list[str] = []
        declared = found[1].decode() if (found := _DECLARED.match(raw.data)) else ""
        text = decode(raw.data, raw.uri, encoding=raw.encoding, declared=declared, warnings=warnings)
        if raw.media_type == "application/json":
            return Parsed(json_text(text), syntax="code:json", warnings=tuple(warnings))
        page = xml_page(text)
        if isinstance(page, str):
            return Parsed(text, syntax="code:xml", warnings=(*warnings, page))
        return Parsed(page.text, page.title, "markdown", page.metadata, warnings=(*warnings, *page.warnings))
