"""Which images and videos Markdown and HTML show, and what they say about them."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Literal
from urllib.parse import urljoin

from relance.parsers.media_types import media_type_of
from relance.parsers.parser import Reference

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["MEDIA_MARKS", "html_references", "markdown_references", "tidy"]

MEDIA_MARKS = re.compile(rb"!\[|<(?:img|video)\b", re.IGNORECASE)
_HEADING = re.compile(r"h[1-6]")
_SHOWN = re.compile(MEDIA_MARKS.pattern.decode(), re.IGNORECASE)
_BLANKS_IN_URL = re.compile(r"[\t\n\r]")


def markdown_references(text: str) -> list[Reference]:
    """List the images and videos of Markdown without front matter, in order, each address once.

    HTML inside counts. Of a `<picture>`, `srcset` or `<video>` with alternatives one is taken.
    """
    if not _SHOWN.search(text):  # most documents, and parsing Markdown takes a second per megabyte
        return []
    page = _Page()
    _walk(_as_written().parse(text), page)
    return page.references()


def html_references(text: str) -> list[Reference]:
    """List the images and videos of HTML, like those of Markdown."""
    if not _SHOWN.search(text):
        return []
    page = _Page()
    page.markup(text)
    return page.references()


def tidy(url: str) -> str:
    """Take out of an address what browsers take out: blanks around it, tabs and line ends inside."""
    return _BLANKS_IN_URL.sub("", url.strip())


def _join(base: str, url: str) -> str:
    """Join an address with the one it is relative to; as it is where that cannot be done."""
    try:
        return urljoin(base, url)
    except ValueError:  # an unfinished IPv6 address
        return url


class _Page(HTMLParser):
    """What has been found so far, and what it is inside of. Reads HTML; the Markdown walk adds to it as well."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._found: list[Reference] = []
        self._base = ""
        self._headings: list[tuple[int, str]] = []
        self._heading: list[str] | None = None
        self._figure: int | None = None  # how much had been found when it began
        self._caption: list[str] = []
        self._in_caption = False
        self._picture: str | None = None
        self._wants_video = False
        self._inert = 0

    def references(self) -> list[Reference]:
        """Return what was found, each address once, the first time it was shown."""
        self._end_figure()
        first: dict[str, Reference] = {}
        for found in self._found:
            url = _join(self._base, found.url) if self._base else found.url
            first.setdefault(url, replace(found, url=url))
        return list(first.values())

    def markup(self, text: str) -> None:
        """Read a piece of HTML. What it leaves unfinished is dropped, as by browsers: no `close`, which is slow."""
        self.reset()
        try:
            self.feed(text)
        except AssertionError:  # html.parser's answer to `<![unknown[`
            return

    def heading(self, level: int, title: str) -> None:
        """Begin a section."""
        title = " ".join(title.split())
        if title:
            self._headings = [above for above in self._headings if above[0] < level] + [(level, title)]

    def add(self, url: str, alt: str = "", title: str = "", kind: Literal["image", "video"] = "image") -> None:
        """Note an image or video where we are."""
        url = tidy(url)
        if url and not self._inert:
            path = tuple(heading for _, heading in self._headings)
            alt, title = (" ".join(words.split()) for words in (alt, title))
            self._found.append(Reference(url, alt, title, heading_path=path, kind_hint=_kind(url, kind)))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in reversed(attrs)}  # of two the first counts
        if _HEADING.fullmatch(tag):
            self._heading = []
        match tag:
            case "img":
                url = _address(attributes) or self._picture or ""
                self.add(url, attributes.get("alt", ""), attributes.get("title", ""))
                self._picture = None if self._picture is None else ""
            case "picture":
                self._picture = ""
            case "video":
                self._video(attributes)
            case "source" if self._wants_video:
                self.add(attributes.get("src", ""), kind="video")
                self._wants_video = not attributes.get("src", "").strip()
            case "source" if self._picture == "":
                self._picture = _address(attributes)
            case "figure":
                self._end_figure()  # of nested ones each has its own caption
                self._figure = len(self._found)
            case "figcaption":
                self._in_caption = True
            case "base":
                self._base = self._base or attributes.get("href", "").strip()
            case "template":
                self._inert += 1

    def handle_endtag(self, tag: str) -> None:
        if _HEADING.fullmatch(tag) and self._heading is not None:
            self.heading(int(tag[1]), "".join(self._heading))
            self._heading = None
        match tag:
            case "picture":
                self._picture = None
            case "video":
                self._wants_video = False
            case "figure":
                self._end_figure()
            case "figcaption":
                self._in_caption = False
            case "template":
                self._inert = max(0, self._inert - 1)

    def handle_data(self, data: str) -> None:
        if self._heading is not None:
            self._heading.append(data)
        if self._in_caption:
            self._caption.append(data)

    def _video(self, attributes: dict[str, str]) -> None:
        label, title = attributes.get("aria-label", ""), attributes.get("title", "")
        source = attributes.get("src", "") or attributes.get("data-src", "")
        self.add(source, label or title, title, "video")
        self._wants_video = not source.strip()
        self.add(attributes.get("poster", ""), label or title, title)

    def _end_figure(self) -> None:
        caption = " ".join("".join(self._caption).split())
        if self._figure is not None and caption:
            self._found[self._figure :] = [replace(found, caption=caption) for found in self._found[self._figure :]]
        self._figure, self._caption, self._in_caption = None, [], False


def _address(attributes: dict[str, str]) -> str:
    """Pick where an `<img>` or `<source>` has its picture; a `data:` one is a placeholder if there is another."""
    sets = (attributes.get(name, "").lstrip(", \t\n\r").split() for name in ("srcset", "data-srcset"))
    named = [
        attributes.get("src", ""),
        attributes.get("data-src", ""),
        *(found[0].rstrip(",") for found in sets if found),
    ]
    urls = [url.strip() for url in named if url.strip()]
    return next((url for url in urls if url[:5].lower() != "data:"), urls[0] if urls else "")


def _kind(url: str, otherwise: Literal["image", "video"]) -> Literal["image", "video"]:
    media_type = (
        url[5:20].lower() if url[:5].lower() == "data:" else media_type_of(re.split("[?#]", url, maxsplit=1)[0])
    )
    return "video" if media_type.startswith("video/") else "image" if media_type.startswith("image/") else otherwise


def _as_written() -> MarkdownIt:
    """Make a CommonMark parser that leaves addresses alone. A new one each time: building its rules is not atomic."""
    from markdown_it import MarkdownIt

    class AsWritten(MarkdownIt):
        def normalizeLink(self, url: str) -> str:  # noqa: N802  # overrides markdown-it's
            return url

        def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802  # overrides markdown-it's
            return True

    return AsWritten("commonmark").enable("table")


def _walk(tokens: list[Token], page: _Page) -> None:
    level = 0
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag[1])
        elif token.type == "html_block":
            page.markup(token.content)
        elif token.type == "inline":
            _walk_inline(token.children or [], page)
            if level:
                page.heading(level, _plain(token.children or []))
            level = 0


def _walk_inline(tokens: list[Token], page: _Page) -> None:
    for token in tokens:
        if token.type == "image":
            page.add(str(token.attrs["src"]), _plain(token.children or []), str(token.attrs.get("title", "")))
        elif token.type == "html_inline":
            page.markup(token.content)
        else:
            page.handle_data(_plain([token]))


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
