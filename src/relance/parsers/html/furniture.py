"""What of a page is probably no part of its text, by its tag, its role, its id and its classes."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["kind_of"]

# fmt: off
_NAVIGATION = frozenset(
    ("nav", "navbar", "navigation", "navlinks", "menu", "mainmenu", "submenu", "pagination",
     "pager", "sidebar", "sphinxsidebar", "share", "sharing",
     "sharebar", "social", "addthis", "sharethis", "toolbar", "topbar", "toplang", "bottomlang")
)
_TRAIL = frozenset(("breadcrumb", "breadcrumbs", "skip-link", "skiplink", "skiplinks"))
_PROMOTION = frozenset(
    ("newsletter", "subscribe", "subscription", "advert", "advertisement", "adsbygoogle", "sponsored", "promo",
     "outbrain", "taboola", "recommended", "recommendations", "related", "teaser", "teasers", "popup", "paywall")
)
_COOKIE = frozenset(("cookie", "cookies", "consent", "gdpr", "ccpa", "privacy"))
_BANNER = frozenset(
    ("banner", "notice", "bar", "popup", "modal", "dialog", "overlay", "wall", "message", "box", "container", "prompt",
     "consent", "manager", "law", "alert", "bot", "info", "disclaimer", "acceptance", "wrapper", "panel", "sdk")
)
_CONSENT = frozenset(
    ("cookiebanner", "cookieconsent", "cookienotice", "cookies-banner", "cookie", "cookies", "cc-window")
)
_VENDORS = frozenset(("onetrust", "cookiebot", "cybot", "usercentrics", "cmpbox", "didomi", "truste", "iubenda"))
_SEARCH = frozenset(("search", "searchbox", "searchmenu", "search-form", "searchform", "search-box", "searchbar"))
_COMMENTS = frozenset(("comment-list", "commentlist", "disqus_thread", "comments-area"))
_HEADER = frozenset(("header", "masthead", "page-header", "site-header"))
_CONTENTS = frozenset(("toc", "contents", "index"))
_ROLES = {
    **dict.fromkeys(("navigation", "menubar", "search", "alertdialog", "tooltip", "toolbar", "menu"), "navigation"),
    "dialog": "banner",
}
_OUTER_ROLES = {"banner": "header", "contentinfo": "footer", "complementary": "footer"}
_OUTER_TAGS = {"header": "header", "footer": "footer", "aside": "footer"}
_TAGS = frozenset(
    ("nav", "header", "footer", "aside", "div", "section", "ul", "ol", "p", "td", "form", "table", "dialog", "span")
)
# fmt: on
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def kind_of(element: Any, tag: str, role: str, *, inside: bool) -> str:
    """Say what an element may be beside text; empty for most.

    Args:
        element: of lxml.
        tag: its tag.
        role: its role, or an empty text.
        inside: whether it is in `<main>` or an `<article>`, where less is furniture.
    """
    if tag not in _TAGS and not role:
        return ""
    if tag == "nav" or role in _ROLES:
        return _ROLES.get(role, "navigation")
    if inside and tag in _OUTER_TAGS:
        return "linked"
    outer = "" if inside else _OUTER_TAGS.get(tag) or _OUTER_ROLES.get(role, "")
    if outer or (element.get("id") is None and element.get("class") is None):
        return outer
    return _by_name(element, tag, inside=inside)


def _by_name(element: Any, tag: str, *, inside: bool) -> str:
    names, words = _names_of(element)
    consent = not _CONSENT.isdisjoint(names) or not _VENDORS.isdisjoint(words)
    kinds = (
        ("banner", consent or not (_COOKIE.isdisjoint(words) or _BANNER.isdisjoint(words))),
        ("navigation", not names.isdisjoint(("navheader", "navfooter"))),  # of DocBook
        ("trail", not _TRAIL.isdisjoint(names)),
        ("linked", not _NAVIGATION.isdisjoint(names)),
        ("promotion", tag != "table" and not _PROMOTION.isdisjoint(names)),
        ("search", not _SEARCH.isdisjoint(names)),
        ("comments", not _COMMENTS.isdisjoint(names)),
        ("maybe comments", "comments" in names),  # or a chapter about them
        ("colophon", not inside and not names.isdisjoint(("footer", "colophon"))),
        ("header", not inside and tag == "div" and not _HEADER.isdisjoint(names)),
        ("column", not inside and tag in {"div", "ul"} and _CONTENTS.isdisjoint(names)),
    )
    return next((kind for kind, fits in kinds if fits), "")


def _names_of(element: Any) -> tuple[set[str], set[str]]:
    """Return what an element is called: its id, its classes and the words of these; and the words of all.

    An id is not taken apart for the former: that of a section is made of its title.
    """
    name, classes = element.get("id", "")[:200], element.get("class", "")[:1000]
    words = {word.lower() for word in _WORD.findall(classes)}
    names = words | {name.lower(), *classes.lower().split()}
    return names, words | {word.lower() for word in _WORD.findall(name)}
