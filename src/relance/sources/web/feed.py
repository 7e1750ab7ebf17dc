"""Feeds: RSS, Atom and JSON Feed, of which the newest pages of a site can be learned."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

from relance.documents import Ignored, digest
from relance.errors import SourceError
from relance.sources.web.address import normal
from relance.sources.web.entry import NO_ADDRESS, Entry

__all__ = ["feed_mark", "is_feed", "read_feed"]

_STARTS = (b"<rss", b"<feed", b"<rdf:rdf")


def is_feed(data: bytes) -> bool:
    """Tell whether bytes begin as a feed does."""
    head = data[:4096].lower()
    return any(each in head for each in _STARTS) or b"jsonfeed.org/version" in head


def feed_mark(address: str) -> str:
    """Name a feed shortly, to remember which pages it has named."""
    return digest("feed", address, size=4)


def read_feed(data: bytes, address: str) -> Iterator[Entry | Ignored]:
    """Stream the entries of a feed; SourceError if it is none, or not whole.

    Only a date that says when a page was changed is one to go by: `pubDate` of RSS stays when a page is edited.
    """
    mark = feed_mark(address)
    found = (
        _json_items(data, address) if data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") else _items(data, address)
    )
    for number, (link, updated) in enumerate(found, start=1):
        if page := normal(link, address) if link.strip() else "":
            yield Entry(page, updated[:64], mark)
        else:
            yield Ignored(link[:200] or f"{address}#{number}", NO_ADDRESS)


def _json_items(data: bytes, address: str) -> Iterator[tuple[str, str]]:
    try:
        items = json.loads(data)["items"]
        found = [(item.get("url") or item.get("external_url") or "", item.get("date_modified") or "") for item in items]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise SourceError(f"{address} is no JSON Feed, or not a whole one") from None
    yield from ((link, updated) for link, updated in found if isinstance(link, str) and isinstance(updated, str))


def _items(data: bytes, address: str) -> Iterator[tuple[str, str]]:
    import feedparser

    headers = {"content-location": address, "content-type": "application/xml"}
    try:
        feed: Any = feedparser.parse(
            io.BytesIO(data), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    except Exception as error:  # it lets through what its parsers of dates and markup raise
        raise SourceError(f"{address} cannot be read as a feed: {type(error).__name__}") from None
    if not feed.get("version"):
        raise SourceError(f"{address} is no feed that can be read: neither RSS nor Atom")
    if feed.get("bozo") and not _is_whole(data):
        raise SourceError(f"{address}: this feed was cut short")
    for entry in feed["entries"]:
        # By `dict.get`: feedparser gives the date of publication where there is none of a change.
        yield entry.get("link") or "", dict.get(entry, "updated") or ""


def _is_whole(data: bytes) -> bool:
    end = data[-512:].lower()
    return b"</rss" in end or b"</feed" in end or b"</rdf:rdf" in end
