"""What a sitemap, a feed or a link says: there is a page at this address."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NO_ADDRESS", "Entry"]

NO_ADDRESS = "not the address of a page"


@dataclass(slots=True, frozen=True)
class Entry:
    """An address to be looked at.

    Attributes:
        address: in its one form.
        lastmod: when it was changed, as it was written there; empty where nothing is said.
        feed: a short hash of the feed that named it; empty for other entries.
        depth: links from the start, in a crawl.
        follow: whether its links are wanted.
    """

    address: str
    lastmod: str = ""
    feed: str = ""
    depth: int = 0
    follow: bool = False
