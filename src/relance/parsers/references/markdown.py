"""The images and videos of Markdown: written as HTML, of which there is one reader."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from relance.parsers.media_types import is_media, media_type_of
from relance.parsers.parser import Reference
from relance.parsers.references.page import BY_NAME, html_references

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

__all__ = ["markdown_references"]

# `![[picture.png|300]]` of Obsidian: a size, words, or both behind the file.
_EMBED = re.compile(
    r"!\[\[(?P<file>[^\[\]|#\n]{1,300})(?:#[^\[\]|\n]{0,300})?(?P<rest>(?:\\?\|[^\[\]|\n]{0,300})*)\]\]"
)
_SIZE = re.compile(r"\s*\d{1,5}(?:x\d{1,5})?\s*")
_SHOWN = re.compile(r"!\[|<(?:img|video|amp-img|amp-anim|amp-video)\b|<[^<>]*(?:url\(|data-b)", re.IGNORECASE)
# In prose a tag is often no tag (`List<String>`), or one that would make text of all that follows.
_TAG = re.compile(r"</?([a-z][\w:-]*)", re.IGNORECASE)
_INLINE = frozenset(
    ("a", "amp-anim", "amp-img", "amp-video", "base", "div", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6",
     "img", "li", "noscript", "p", "picture", "source", "span", "td", "template", "tr", "video")
)  # fmt: skip
_RAW = re.compile(r"<(script|style|title|textarea|xmp|plaintext|iframe|noembed|noframes)\b[^>]*>", re.IGNORECASE)


def markdown_references(text: str, uri: str = "") -> list[Reference]:
    """List the images and videos of Markdown without front matter, in order, each address once.

    HTML inside counts, as do embeds of Obsidian. Raises DocumentError where elements of HTML are nested too deep.
    """
    if not _SHOWN.search(text):  # most documents, and parsing Markdown takes a second per megabyte
        return []
    return html_references(_as_written().render(text), uri, written=True)


def _as_written() -> MarkdownIt:
    """Make a CommonMark parser that leaves addresses alone. A new one each time: building its rules is not atomic."""
    from markdown_it import MarkdownIt

    class AsWritten(MarkdownIt):
        def normalizeLink(self, url: str) -> str:  # noqa: N802  # overrides markdown-it's
            return url

        def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802  # overrides markdown-it's
            return True

    parser = AsWritten("commonmark").enable("table")
    parser.inline.ruler.before("image", "embed", _embed)
    for name, rule in (("image", _image), ("html_inline", _html_inline), ("html_block", _html_block)):
        parser.add_render_rule(name, rule)
    return parser


def _embed(state: StateInline, silent: bool) -> bool:  # markdown-it's signature
    """Read an embed of a picture or video; those of other notes stay text."""
    found = _EMBED.match(state.src, state.pos, state.posMax)
    if found is None or not is_media(media_type_of(found["file"].strip())):
        return False
    if not silent:
        token = state.push("image", "img", 0)
        parts = [part for part in found["rest"].replace("\\|", "|").split("|") if not _SIZE.fullmatch(part)]
        token.attrs = {"src": quote(found["file"].strip()), "alt": " ".join(parts).strip()}
        token.meta["by_name"] = True
        token.children = []
    state.pos = found.end()
    return True


def _image(_: Any, tokens: Sequence[Token], at: int, *__: Any) -> str:
    token = tokens[at]
    alt = _plain(token.children or []) or str(token.attrs.get("alt", ""))
    values = {"src": token.attrs["src"], "alt": alt, "title": token.attrs.get("title", "")}
    if token.meta.get("by_name"):
        values[BY_NAME] = ""
    written = [f'{name}="{html.escape(str(value))}"' for name, value in values.items()]
    return f"<img {' '.join(written)}>"


def _html_inline(_: Any, tokens: Sequence[Token], at: int, *__: Any) -> str:
    found = _TAG.match(tokens[at].content)
    return tokens[at].content if found is not None and found[1].lower() in _INLINE else ""


def _html_block(_: Any, tokens: Sequence[Token], at: int, *__: Any) -> str:
    """Write a block of HTML as it is, but for what would swallow the rest of the document."""
    content = tokens[at].content
    ends = content.lower()
    return _RAW.sub(lambda found: found[0] if f"</{found[1].lower()}" in ends[found.end() :] else "", content)


def _plain(tokens: list[Token]) -> str:
    words = []
    for token in tokens:
        if token.type == "image":
            words.append(_plain(token.children or []))
        elif token.type in {"text", "code_inline"}:
            words.append(token.content)
        elif token.type in {"softbreak", "hardbreak"}:
            words.append(" ")
    return "".join(words)
