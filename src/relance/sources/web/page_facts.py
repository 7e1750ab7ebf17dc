"""What a page says to programs: its canonical address, whether it may be indexed, where its links lead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relance.sources.web.address import normal

__all__ = ["PageFacts", "directives", "facts_of", "linked_canonical"]

_LARGEST = 16 << 20  # bytes of a page that are looked through
_MOST_LINKS = 10_000
# What a page without its scripts shows at most: `Loading…`, `Please wait`.
_PLACEHOLDER = 30
_UNSHOWN = frozenset(("script", "style", "noscript", "template", "head", "title", "svg"))
_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[^,;]*)*)")
_CANONICAL = re.compile(r";\s*rel\s*=\s*\"?\s*canonical\s*\"?\s*(?:;|$)", re.IGNORECASE)
_DIRECTIVE = re.compile(r"[a-z-]+(?=\s*:)")
_WITH_VALUE = frozenset(("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"))


@dataclass(slots=True, frozen=True)
class PageFacts:
    """What a page says in its head, and where its links lead.

    Attributes:
        canonical: the address that it calls its own, in its one form; empty where it names none.
        rules: for robots, such as `noindex`.
        links: addresses in their one form, each once.
        is_scripted: whether scripts make its text, so that there is none to be read.
    """

    canonical: str = ""
    rules: frozenset[str] = frozenset()
    links: tuple[str, ...] = ()
    is_scripted: bool = False


def facts_of(data: bytes, address: str, charset: str, agent: str) -> PageFacts:
    """Look through a page of HTML.

    Args:
        data: its bytes.
        address: where it is.
        charset: as the server says; empty where it does not.
        agent: what we are called in rules for robots.
    """
    from lxml import etree  # ty: ignore[import-not-found]  # compiled, without stubs

    try:
        parser = etree.HTMLParser(encoding=charset or None, remove_comments=True, remove_pis=True, no_network=True)
        tree = etree.fromstring(data[:_LARGEST], parser)
    except (etree.ParserError, etree.XMLSyntaxError, LookupError, ValueError):
        return PageFacts()
    if tree is None:
        return PageFacts()
    base, canonical, rules = address, "", set[str]()
    links: dict[str, None] = {}
    for element in tree.iter("base", "link", "meta", "a", "area"):
        relations = (element.get("rel") or "").lower().split()
        href = element.get("href") or ""
        match element.tag:
            case "base":
                base = normal(href, address) or base
            case "link":
                if "canonical" in relations and not canonical:
                    canonical = normal(href, base)
            case "meta":
                if (element.get("name") or "").strip().lower() in {"robots", agent}:
                    rules.update(directives(element.get("content") or "", agent))
            case _:
                if href and "nofollow" not in relations and len(links) < _MOST_LINKS and (link := normal(href, base)):
                    links[link] = None
    return PageFacts(canonical, frozenset(rules), tuple(links), _is_scripted(tree))


def directives(text: str, agent: str) -> set[str]:
    """Read rules for robots as a meta element or `X-Robots-Tag` has them: `noindex, otherbot: nofollow`."""
    found, ours = set[str](), True
    for part in text.lower().split(","):
        rule = part.strip()
        if (name := _DIRECTIVE.match(rule)) is not None and name[0] not in _WITH_VALUE:
            ours, rule = name[0] == agent, rule[name.end() :].lstrip(": \t")
        if ours and rule:
            found |= {"noindex", "nofollow"} if rule == "none" else {rule}
    return found


def linked_canonical(headers: Mapping[str, str], address: str) -> str:
    """Return the canonical address that a `Link` header names; empty where it names none."""
    for found in _LINK.finditer(headers.get("link", "")):
        if _CANONICAL.search(found[2]):
            return normal(found[1], address)
    return ""


def _is_scripted(tree: Any) -> bool:
    if next(tree.iter("script"), None) is None:
        return False
    shown = 0
    stack = [tree]
    while stack:
        element = stack.pop()
        if isinstance(element.tag, str) and element.tag not in _UNSHOWN:
            shown += len((element.text or "").strip())
            if element.tag in {"img", "video", "picture", "table", "iframe"}:
                return False
            stack.extend(element)
        shown += len((element.tail or "").strip()) if element is not tree else 0
        if shown > _PLACEHOLDER:
            return False
    return True
