"""What of a page nobody sees: hidden elements, and the marks at headings that give their addresses."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

__all__ = ["is_hidden"]

# No text, or text that browsers show in place of something they cannot show.
# fmt: off
_NEVER = frozenset(
    ("script", "style", "noscript", "template", "title", "meta", "link", "base", "iframe", "object", "embed", "applet",
     "video", "audio", "canvas", "map", "datalist", "rp", "noframes", "noembed", "progress", "meter")
)
# Of style sheets that many pages use, and line numbers of code.
_UNSEEN_CLASSES = frozenset(
    ("sr-only", "visually-hidden", "visuallyhidden", "screen-reader-text", "screen-reader-only", "element-invisible",
     "assistive-text", "katex-html", "MathJax_Preview", "mw-editsection", "hideme", "linenos", "lineno", "linenodiv",
     "line-numbers-rows", "line-number", "copybtn", "clipboard-button", "test-arrow")
)
_ANCHOR_CLASSES = frozenset(
    ("headerlink", "header-anchor", "anchor-link", "anchorlink", "hash-link", "permalink", "heading-anchor",
     "anchorjs-link", "headinglink", "heading-link", "section-anchor", "direct-link", "docs-heading-anchor-permalink")
)
# fmt: on
_ANCHOR_WORDS = frozenset(("link", "anchor", "permalink", "permanent link", "direct link", "link to this heading"))
_TOP = frozenset(("top", "back to top", "to top"))
_HIDING = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all)", re.IGNORECASE)
_WORD = re.compile(r"\w")
_LOOK_AT = 12  # elements; more are too many for an icon or an anchor, and so are more characters than below
_SHORT = 200


def is_hidden(element: Any, tag: str) -> bool:
    """Whether a browser shows nothing of an element, or nothing but a mark to click at."""
    if tag in _NEVER:
        return True
    attributes = element.attrib
    if tag == "dialog" and "open" not in attributes:
        return True
    if not attributes:
        return False
    classes = attributes.get("class", "").split()
    return (
        attributes.get("hidden", "until-found") != "until-found"
        or not _UNSEEN_CLASSES.isdisjoint(classes)
        or bool(_HIDING.search(attributes.get("style", "")))
        or (attributes.get("aria-hidden") == "true" and _is_icon(element))
        or (tag == "a" and _is_anchor(element, classes))
    )


def _is_icon(element: Any) -> bool:
    text = _little_text(element)
    return text is not None and not _WORD.search(text)


def _little_text(element: Any) -> str | None:
    """Read what is in an element; None where that is too much for an icon or an anchor."""
    texts: list[str] = []
    for below in islice(element.iter(), _LOOK_AT + 1):
        texts += (below.text or "", (below.tail or "") if below is not element else "")
    return "".join(texts) if len(texts) <= 2 * _LOOK_AT and sum(map(len, texts)) < _SHORT else None


def _is_anchor(element: Any, classes: list[str]) -> bool:
    """Whether it is the mark at a heading that gives its address (`¶`, `#`, `§`, an icon), or leads to the top."""
    named = not _ANCHOR_CLASSES.isdisjoint(classes)
    if not named and not element.get("href", "").startswith("#"):
        return False
    text = _little_text(element)
    if text is None:
        return False
    text = text.strip()
    if not text and (picture := next(element.iter("img"), None)) is not None:
        text = picture.get("alt", "")
    return not _WORD.search(text) or text.lower() in _TOP or (named and text.lower() in _ANCHOR_WORDS)
