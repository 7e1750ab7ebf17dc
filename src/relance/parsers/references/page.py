"""The images and videos of a page of HTML."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from typing import Any, Literal
from urllib.parse import urljoin

from relance.errors import DocumentError
from relance.parsers.html_tree import tree_of
from relance.parsers.media_types import media_type_of
from relance.parsers.parser import Reference
from relance.parsers.references.candidates import background_of, choose, place_of, tidy, video_of
from relance.parsers.references.captions import HEADINGS, around, figure_caption, words
from relance.parsers.references.placeholders import PLACEHOLDER, ignored_because

__all__ = ["BY_NAME", "html_references"]

BY_NAME = "data-by-name"  # an attribute that our Markdown writes

_IMAGES = frozenset(("img", "amp-img", "amp-anim"))
_VIDEOS = frozenset(("video", "amp-video"))
_SCOPES = frozenset(("a", "article", "dd", "figure", "li", "td"))  # a heading in one is that of nothing behind it
_INERT = frozenset(("template", "script", "style", "textarea", "title"))
_PAGE_PICTURES = ("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src")
_ENOUGH = 200_000  # elements of a page that are looked through for its `<meta>`

Kind = Literal["image", "video"]


def html_references(text: str, uri: str = "", *, written: bool = False) -> list[Reference]:
    """List the images and videos of HTML in order, each address once; those that are ignored say why.

    Of a `<picture>`, `srcset` or `<video>` with alternatives one is taken. The picture that a page has for its preview
    elsewhere (`og:image`) counts where the page shows no other. Raises DocumentError where it is nested too deep.

    Args:
        text: the page, or a part of one.
        uri: of the document, for failures.
        written: whether it comes from Markdown, whose authors write no spacers, and whose paragraphs are no cards.
    """
    if not text.strip():
        return []
    try:
        tree = tree_of(text, uri)
    except DocumentError as error:
        if error.reason == "no HTML in it":
            return []
        raise
    page = _Page(written=written)
    page.walk(tree)
    if not any(not found.ignored for found in page.found):
        page.found += _preview(tree)
    return _once(page.found, _base(tree))


class _Page:
    """What has been found so far."""

    def __init__(self, *, written: bool) -> None:
        self.found: list[Reference] = []
        self._written = written
        self._headings: list[tuple[int, str]] = []
        self._outside: dict[Any, list[tuple[int, str]]] = {}  # open card → the headings behind it

    def walk(self, tree: Any) -> None:
        from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

        inert = None
        for event, element in etree.iterwalk(tree, events=("start", "end")):
            if event == "end":
                inert = None if element is inert else inert
                if inert is None and element.tag in HEADINGS:
                    self._heading(int(element.tag[1]), words(element))
                self._headings = self._outside.pop(element, self._headings)
            elif inert is None:
                if element.tag in _INERT:
                    inert = element
                    continue
                if element.tag in _SCOPES:
                    self._outside[element] = self._headings
                self._look(element)

    def _look(self, element: Any) -> None:
        attributes = element.attrib
        if element.tag in _IMAGES:
            self._image(element)
        elif element.tag in _VIDEOS:
            self._video(element)
        elif "style" in attributes or any(name.startswith("data-b") for name in attributes):
            self._add(element, background_of(attributes), "", attributes.get("title", ""))

    def _image(self, element: Any) -> None:
        if "placeholder" in element.attrib:  # of AMP: shown until the picture around it is loaded
            return
        url, lazy = choose(element)
        reason = _twin(element, url, lazy=lazy)
        if reason != "twin":
            alt = element.get("alt", "") or element.get("aria-label", "")
            self._add(element, url, alt, element.get("title", ""), ignored=reason)

    def _video(self, element: Any) -> None:
        title = element.get("title", "")
        label = element.get("aria-label", "") or title
        urls = [video_of(each.attrib) for each in (element, *element.iter("source"))]
        self._add(element, next(filter(None, urls), ""), label, title, kind="video")
        self._add(element, element.get("poster", "") or element.get("data-poster", ""), label, title)

    def _add(self, element: Any, url: str, alt: str, title: str, *, kind: Kind = "image", ignored: str = "") -> None:
        url = tidy(url)
        if not url:
            return
        alt, title = (" ".join(text.split()) for text in (alt, title))
        path = [*self._headings]
        caption = figure_caption(element)
        ignored = ignored or ignored_because(url, {} if self._written_by_hand(element) else element.attrib)
        if not self._written and not ignored:
            beside = around(element)
            caption = caption or ("" if alt or title else beside.caption)
            if beside.heading is not None:
                above = [each for each in path if each[0] < beside.heading[0] and each != beside.heading]
                path = [*above, beside.heading]
                self._outside.setdefault(beside.card, above)
        by_name = self._written and BY_NAME in element.attrib
        titles = tuple(text for _, text in path)
        self.found.append(Reference(url, alt, title, caption, titles, _kind(url, kind), ignored, by_name))

    def _written_by_hand(self, element: Any) -> bool:
        return self._written and not set(element.attrib) - {"src", "alt", "title", BY_NAME}

    def _heading(self, level: int, title: str) -> None:
        if title:
            self._headings = [above for above in self._headings if above[0] < level] + [(level, title)]


def _twin(element: Any, url: str, *, lazy: bool) -> str:
    """Say what the `<noscript>` beside or around a picture makes of it.

    "twin" for the one of two that is not needed; a reason for a placeholder whose picture is in the `<noscript>`.
    """
    noscript = next((each for each in islice(element.iterancestors(), 4) if each.tag == "noscript"), None)
    if noscript is not None:
        around_it = noscript.getparent()
        if around_it is not None and around_it.tag in _IMAGES and choose(around_it).url:
            return "twin"
        before, behind = (_shown(each) for each in (noscript.getprevious(), noscript.getnext()))
        twins = [before] if before is not None and _alike(before, element) else []
        # The one behind it may be another picture: it has to say the same.
        twins += [behind] if behind is not None and behind.get("alt", "") == element.get("alt", "") else []
        return "twin" if any(choose(twin).lazy for twin in twins) else ""
    if lazy or (url and url[:5].lower() != "data:" and not ignored_because(url, element.attrib)):
        return ""
    place = place_of(element)
    for beside in (place.getnext(), place.getprevious()):
        other = _shown(beside) if beside is not None and beside.tag == "noscript" else None
        if other is not None and _alike(other, element) and choose(other).url:
            return PLACEHOLDER
    return ""


def _shown(element: Any) -> Any:
    """Return the one image that an element is or holds; None where there is none, or more."""
    if element is None or element.tag in _INERT:
        return None
    images = [each for each in islice(element.iter(), 10) if each.tag in _IMAGES]
    return images[0] if len(images) == 1 else None


def _alike(one: Any, other: Any) -> bool:
    alts = {" ".join(each.get("alt", "").split()) for each in (one, other)} - {""}
    return len(alts) < 2


def _preview(tree: Any) -> list[Reference]:
    """Return the picture that the head of a page names for previews of it."""
    facts: dict[str, str] = {}
    for element in islice(tree.iter("meta", "link"), _ENOUGH):
        name = (element.get("property") or element.get("name") or element.get("rel") or "").strip().lower()
        facts.setdefault(name, (element.get("content") or element.get("href") or "").strip())
    url = next((tidy(facts[name]) for name in (*_PAGE_PICTURES, "image_src") if facts.get(name)), "")
    if not url:
        return []
    alt = facts.get("og:image:alt") or facts.get("twitter:image:alt") or ""
    title = facts.get("og:title") or next((words(each) for each in tree.iter("title")), "")
    alt, title = (" ".join(text.split()) for text in (alt, title))
    return [Reference(url, alt, title, ignored=ignored_because(url, {}))]


def _base(tree: Any) -> str:
    return next((base for each in tree.iter("base") if (base := each.get("href", "").strip())), "")


def _once(found: list[Reference], base: str) -> list[Reference]:
    """Keep each address once: the first time it was shown, or the first time with words."""
    first: dict[str, Reference] = {}
    for each in found:
        url = _join(base, each.url) if base else each.url
        before = first.get(url)
        if before is None or _worth(each) > _worth(before):
            first[url] = replace(each, url=url)
    return list(first.values())


def _worth(found: Reference) -> int:
    return 0 if found.ignored else 2 if found.alt or found.caption or found.title else 1


def _join(base: str, url: str) -> str:
    """Join an address with the one it is relative to; as it is where that cannot be done."""
    try:
        return urljoin(base, url)
    except ValueError:  # an unfinished IPv6 address
        return url


def _kind(url: str, otherwise: Kind) -> Kind:
    media_type = (
        url[5:20].lower() if url[:5].lower() == "data:" else media_type_of(re.split("[?#]", url, maxsplit=1)[0])
    )
    return "video" if media_type.startswith("video/") else "image" if media_type.startswith("image/") else otherwise
