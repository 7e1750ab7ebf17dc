"""HTML: the main text as Markdown, headings kept, navigation and footers left out."""

from __future__ import annotations

import logging
import re
from typing import Any

from relance.errors import DocumentError
from relance.parsers.decoding import codec, decode
from relance.parsers.markdown import first_heading
from relance.parsers.parser import Parsed, Parser, Raw, Reference
from relance.parsers.references import MEDIA_MARKS, html_references

__all__ = ["Html"]

_DECLARED = re.compile(rb"""(?:<meta[^>]+charset|<\?xml[^>]+encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_IMAGE = re.compile(r"!\[([^\]\n]*)\]\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)")
_HEADING = re.compile(r"h([1-6])")
# Below this length trafilatura falls back to text without headings.
_SHORT = 300
_SKIPPED = frozenset(
    ("script", "style", "noscript", "template", "nav", "footer", "aside", "form", "iframe", "svg", "head", "button")
)
# fmt: off
_BLOCKS = frozenset(
    ("address", "article", "blockquote", "body", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "header", "hr",
     "h1", "h2", "h3", "h4", "h5", "h6", "html", "li", "main", "ol", "p", "pre", "section", "table", "tr", "ul")
)
# fmt: on


class Html(Parser):
    """HTML; the main text, or all text but navigation where there is little."""

    version = "html-1/trafilatura"
    media_types = ("text/html", "application/xhtml+xml")
    decodes = True
    media_marks = MEDIA_MARKS

    def parse(self, raw: Raw) -> Parsed:
        """Extract the main text of a page."""
        import trafilatura
        from lxml import etree, html  # ty: ignore[import-not-found]  # compiled, without stubs

        logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it logs every short page as an error
        declared = _declared_encoding(raw.data)
        source = _XML_DECLARATION.sub("", decode(raw.data, raw.uri, encoding=raw.encoding, declared=declared))
        try:
            tree = html.document_fromstring(source)
        except (etree.ParserError, ValueError):
            raise DocumentError(raw.uri, "no HTML in it") from None
        text = trafilatura.extract(
            source,
            output_format="markdown",
            include_comments=False,
            include_tables=True,
            include_links=False,  # addresses are noise to an embedding, and tokens to pay for
            include_images=True,
        )
        text = _IMAGE.sub(r"\1", text or "")
        if len(text) < _SHORT:
            whole = _outline(tree)
            if len(text) < len(whole) // 4 or (not first_heading(text) and first_heading(whole)):
                text = whole
        titles = tree.xpath("string(//head/title)") or tree.xpath("string(//title)")
        return Parsed(text, title=first_heading(text) or str(titles), syntax="markdown", metadata=_language(tree))

    def references(self, raw: Raw) -> list[Reference]:
        """List what a page shows; of a `<picture>`, `srcset` or `<video>` with alternatives one is taken."""
        declared = _declared_encoding(raw.data)
        return html_references(decode(raw.data, raw.uri, encoding=raw.encoding, declared=declared))


def _declared_encoding(data: bytes) -> str:
    """Find the encoding a page declares about itself; empty where it does not, or names one nobody knows."""
    found = _DECLARED.search(data, 0, 4096)
    try:
        return codec(found[1].decode("ascii", "replace")) if found else ""
    except LookupError:
        return ""


def _language(tree: Any) -> dict[str, str]:
    language = str(tree.get("lang") or "").strip()
    return {"language": language} if language else {}


def _outline(tree: Any) -> str:
    """Write all text but navigation, block by block with headings marked: for pages too short to be judged."""
    from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

    blocks: list[list[str]] = [[]]
    skipped = 0
    for event, node in etree.iterwalk(tree, events=("start", "end", "comment", "pi")):
        tag = node.tag if isinstance(node.tag, str) else ""
        block = tag in _BLOCKS
        if event == "start":
            skipped += tag in _SKIPPED
            if block:
                blocks.append(["#" * int(level[1]) + " "] if (level := _HEADING.fullmatch(tag)) else [])
            if not skipped:
                blocks[-1].append(node.text or "")
            continue
        if event == "end":
            skipped -= tag in _SKIPPED
            if block:
                blocks.append([])
        if not skipped:
            blocks[-1].append(node.tail or "")
    lines = (" ".join("".join(block).split()) for block in blocks)
    return "\n\n".join(line for line in lines if line.strip("# "))
