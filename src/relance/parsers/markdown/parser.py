"""The parser of Markdown."""

from __future__ import annotations

from relance.parsers.decoding import decode
from relance.parsers.markdown.front_matter import front_matter
from relance.parsers.markdown.heading import first_heading
from relance.parsers.markdown.readable import readable
from relance.parsers.parser import Parsed, Parser, Raw, Reference
from relance.parsers.references import MEDIA_MARKS, markdown_references

__all__ = ["Markdown"]


class Markdown(Parser):
    """Markdown; front matter becomes metadata and leaves the text, as do comments, escapes and HTML tags."""

    version = "markdown-3"
    media_types = ("text/markdown",)
    decodes = True
    media_marks = MEDIA_MARKS

    def parse(self, raw: Raw) -> Parsed:
        """Decode Markdown and make it readable."""
        warnings: list[str] = []
        found = front_matter(decode(raw.data, raw.uri, encoding=raw.encoding, warnings=warnings))
        text = readable(found.text, mdx=raw.uri.endswith(".mdx"))
        title = found.metadata.pop("title", None)
        if not isinstance(title, (str, int, float)) or isinstance(title, bool) or not str(title).strip():
            title = first_heading(text)
        return Parsed(
            text, title=str(title), syntax="markdown", metadata=found.metadata, warnings=(*warnings, *found.warnings)
        )

    def references(self, raw: Raw) -> list[Reference]:
        """List what its image links and the HTML in it show."""
        return markdown_references(front_matter(decode(raw.data, raw.uri, encoding=raw.encoding)).text, raw.uri)
