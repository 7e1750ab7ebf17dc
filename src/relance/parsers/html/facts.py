"""What a page says about itself: title, author, dates, keywords, language, address, description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

__all__ = ["facts_of", "title_of"]

# For each fact, the names that pages have for it, the most exact first.
_NAMES = {
    "author": ("author", "article:author", "dc.creator", "dcterms.creator", "citation_author", "parsely-author"),
    "published": (
        "article:published_time", "datepublished", "dcterms.created", "dcterms.issued", "dc.date", "dc.date.issued",
        "citation_publication_date", "citation_date", "date", "pubdate", "publish-date",
        "parsely-pub-date", "sailthru.date",
    ),
    "modified": (
        "article:modified_time", "og:updated_time", "datemodified", "dcterms.modified", "dc.date.modified",
        "last-modified", "revised",
    ),
    "keywords": ("keywords", "article:tag", "news_keywords", "dc.subject", "citation_keywords"),
    "language": ("content-language", "dc.language", "dcterms.language", "citation_language"),
    "canonical": ("og:url", "dc.identifier"),
    "description": ("description", "og:description", "dc.description", "dcterms.description", "twitter:description"),
    "site": ("og:site_name", "application-name"),
    "title": ("og:title", "dc.title", "dcterms.title", "citation_title", "twitter:title"),
}  # fmt: skip
_ORDER = ("author", "published", "modified", "keywords", "language", "canonical", "description", "site")
_ARTICLES = re.compile(r"Article|Posting|WebPage|Report|Recipe|Book|Course|HowTo|QAPage|Product|Event|CreativeWork")
_DATE_FORMS = (
    "%Y/%m/%d",
    "%Y%m%d",
    "%d.%m.%Y",
    "%Y.%m.%d",
    "%B %d, %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%d %b %Y",
    "%Y-%m",
    "%Y",
)
_SEPARATOR = re.compile(r"\s+[|·•»«–—:-]\s+|\s*[|·•»«—]\s*|:\s+|\s+::\s+")
_LONGEST = 2000
_MOST = 50
_JSON = 1 << 18


def facts_of(tree: Any) -> dict[str, Any]:
    """Read what the head of a page, its structured data and its first dates say, typed.

    `published` and `modified` are ISO 8601, `keywords` a list, the others texts.
    """
    found = _meta(tree)
    linked = _linked_data(tree)
    values: dict[str, Any] = {}
    for fact in _ORDER:
        texts = [*(found.get(fact) or []), *linked.get(fact, [])]
        if fact == "author":
            texts = [text for text in texts if not re.match(r"(?:https?:)?//", text)] or _by_line(tree)
        elif fact in {"published", "modified"}:
            texts = [date for text in [*texts, *_times(tree, fact)] if (date := _date(text))]
        elif fact == "language":
            texts = [_language(tree), *texts]
        elif fact == "canonical":
            texts = [text for text in [*_canonical(tree), *texts] if re.match(r"https?://", text)]
        texts = list(dict.fromkeys(filter(None, texts)))
        if fact == "keywords":
            words = [" ".join(word.split()) for text in texts for word in re.split(r"[,;，；、]", text)]
            if words := list(dict.fromkeys(filter(None, words)))[:_MOST]:
                values[fact] = words
        elif texts:
            values[fact] = ", ".join(texts[:10]) if fact == "author" else texts[0]
    return values


def title_of(tree: Any, headings: list[tuple[int, str]], site: str) -> str:
    """Choose the title of a page: its one `<h1>`, else what its head says without the name of the site."""
    first = [title for level, title in headings if level == 1]
    head = _head_title(tree)
    known = {title.casefold() for _, title in headings[:50]}
    if len(first) == 1 and first[0].casefold() != site.casefold() and not _is_site(first[0], head, headings):
        return first[0]
    named = next(iter(_meta(tree).get("title") or []), "")
    if named and named.casefold() != site.casefold():
        return _without_site(named, site, known)
    return _without_site(head, site, known) or (headings[0][1] if headings else "")


def _is_site(title: str, head: str, headings: list[tuple[int, str]]) -> bool:
    """Whether an `<h1>` names the site: the head has the name of a lower heading, and not this one or behind it."""
    parts = {head.casefold(), _SEPARATOR.split(head)[0].casefold()}
    return title.casefold() not in parts and any(
        other.casefold() in parts for level, other in headings[:50] if level > 1
    )


def _without_site(title: str, site: str, headings: set[str]) -> str:
    """Take the name of the site off a title, where it can be told: it is named, or the rest is a heading."""
    for found in _SEPARATOR.finditer(title):
        before, behind = title[: found.start()].strip(), title[found.end() :].strip()
        if before and (before.casefold() in headings or (site and behind.casefold() == site.casefold())):
            return before
        if behind and (behind.casefold() in headings or (site and before.casefold() == site.casefold())):
            return behind
    return title


def _head_title(tree: Any) -> str:
    for element in islice(tree.iter("title"), 10):
        if getattr(element.getparent(), "tag", "") != "svg" and (text := " ".join("".join(element.itertext()).split())):
            return text[:_LONGEST]
    return ""


def _meta(tree: Any) -> dict[str, list[str]]:
    wanted = {name: fact for fact, names in _NAMES.items() for name in names}
    ranks = {name: rank for names in _NAMES.values() for rank, name in enumerate(names)}
    found: dict[str, list[tuple[int, str]]] = {}
    for element in islice(tree.iter("meta"), 500):
        content = " ".join(element.get("content", "")[:_LONGEST].split())
        for attribute in ("name", "property", "itemprop", "http-equiv"):
            name = element.get(attribute, "").strip().lower().replace("dc:", "dc.").replace("dcterms:", "dcterms.")
            if content and name in wanted:
                found.setdefault(wanted[name], []).append((ranks[name], content))
                break
    best: dict[str, list[str]] = {}
    for fact, entries in found.items():
        rank = min(rank for rank, _ in entries)
        best[fact] = [text for each, text in entries if each == rank]
    return best


def _language(tree: Any) -> str:
    html = tree if tree.tag == "html" else next(tree.iter("html"), tree)
    return (
        html.get("lang") or html.get("{http://www.w3.org/XML/1998/namespace}lang") or html.get("xml:lang") or ""
    ).strip()[:35]


def _canonical(tree: Any) -> Iterator[str]:
    for element in islice(tree.iter("link"), 500):
        if "canonical" in element.get("rel", "").lower().split():
            yield element.get("href", "").strip()[:_LONGEST]


def _by_line(tree: Any) -> list[str]:
    """Find authors who are marked in the text."""
    names: list[str] = []
    for element in islice(tree.iter("a", "span", "address"), 2000):
        if "author" in element.get("rel", "").split() or element.get("itemprop") == "author":
            name = " ".join("".join(islice(element.itertext(), 20)).split())
            if 0 < len(name) <= 100:
                names.append(name)
    return names[:3]


def _times(tree: Any, fact: str) -> Iterator[str]:
    """Find dates that are marked in the text; the first unmarked one is when an article was published."""
    wanted = {"published": "datePublished", "modified": "dateModified"}[fact]
    for element in islice(tree.iter("time"), 100):
        if element.get("itemprop") == wanted or (fact == "published" and element.get("pubdate") is not None):
            yield element.get("datetime", "") or "".join(islice(element.itertext(), 5))
    if fact == "published":
        for element in islice(tree.iter("article"), 1):
            yield from (time.get("datetime", "") for time in islice(element.iter("time"), 1))


def _date(text: str) -> str:
    """Write a date as ISO 8601; empty where it cannot be read."""
    text = text.strip()[:60]
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        return parsed.date().isoformat() if len(text) <= 10 else parsed.isoformat()
    try:
        return parsedate_to_datetime(text).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        pass
    for form in _DATE_FORMS:
        try:
            parsed = datetime.strptime(text, form)  # noqa: DTZ007  # a day has no time zone
        except ValueError:
            continue
        return text if form in {"%Y-%m", "%Y"} else parsed.date().isoformat()
    return ""


def _linked_data(tree: Any) -> dict[str, list[str]]:
    """Read JSON-LD: what it says of the article or page."""
    facts: dict[str, list[str]] = {}
    for script in islice(tree.iter("script"), 200):
        if script.get("type", "").lower() != "application/ld+json" or not script.text or len(script.text) > _JSON:
            continue
        try:
            data = json.loads(script.text)
        except (ValueError, RecursionError):
            continue
        nodes = data if isinstance(data, list) else [data]
        for node in nodes[:_MOST]:
            graph = node.get("@graph") if isinstance(node, dict) else None
            for each in graph[:_MOST] if isinstance(graph, list) else [node]:
                if isinstance(each, dict) and _ARTICLES.search(str(each.get("@type"))):
                    for fact, key in (
                        ("author", "author"), ("published", "datePublished"), ("modified", "dateModified"),
                        ("keywords", "keywords"), ("language", "inLanguage"), ("description", "description"),
                    ):  # fmt: skip
                        facts.setdefault(fact, []).extend(_strings(each.get(key)))
    return facts


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    names = [each.get("name") if isinstance(each, dict) else each for each in values[:_MOST]]
    return [" ".join(name.split())[:_LONGEST] for name in names if isinstance(name, str) and name.strip()]
