"""The tree of a page of HTML."""

from __future__ import annotations

import re
from typing import Any

from relance.errors import DocumentError

__all__ = ["tree_of"]

_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
# libxml2 drops what stands behind them; browsers show it.
_ENDS = re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)
_XHTML = re.compile(r"\A\s*<\?xml|xmlns\s*=\s*[\"']http://www\.w3\.org/1999/xhtml")
# In XHTML `<title/>` is empty; in HTML it would begin a title that goes on to the end of the page.
_EMPTY = re.compile(r"<([a-zA-Z][\w:-]*)(\s[^<>]*)?/>")
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)


def tree_of(source: str, uri: str) -> Any:
    """Parse a page. lxml takes linear time for a million tags without end; lexbor, also tried, does not.

    Raises DocumentError for a text without HTML, or with elements nested too deep.
    """
    from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    if _XHTML.search(source, 0, 2000):
        source = _EMPTY.sub(_closed, _XML_DECLARATION.sub("", source))
    try:
        tree = etree.fromstring(_ENDS.sub("", source).encode("utf-8", "replace"), parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        tree = None
    if tree is None:
        raise DocumentError(uri, "no HTML in it")
    if any(error.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for error in parser.error_log):
        raise DocumentError(uri, "its elements are nested deeper than 2,048 levels, the limit of the HTML parser")
    return tree


def _closed(tag: re.Match[str]) -> str:
    return tag[0] if tag[1].lower() in _VOID else f"<{tag[1]}{tag[2] or ''}></{tag[1]}>"
