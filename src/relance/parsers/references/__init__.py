"""Which images and videos Markdown and HTML show, and what they say about them."""

from __future__ import annotations

import re

from relance.parsers.references.candidates import tidy
from relance.parsers.references.markdown import markdown_references
from relance.parsers.references.page import html_references

__all__ = ["MEDIA_MARKS", "html_references", "markdown_references", "tidy"]

# What a document that shows something has in its bytes. Most documents have none of it and are not parsed.
MEDIA_MARKS = re.compile(
    rb"!\[|<(?:img|video|amp-img|amp-anim|amp-video)\b|og:image|twitter:image|image_src"
    rb"|data-(?:bg|background)|background[^;\"'<>{}]{0,80}url\(",
    re.IGNORECASE,
)
