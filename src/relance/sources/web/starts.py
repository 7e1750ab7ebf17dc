"""Where pages are found: the addresses of `start`, and what is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from relance.documents import Ignored
from relance.errors import ConfigurationError, DocumentError, GoneError, RelanceError, SourceError
from relance.fetch import UnsafeURLError
from relance.sources.web.address import normal, path_of
from relance.sources.web.entry import Entry
from relance.sources.web.feed import feed_mark, is_feed, read_feed
from relance.sources.web.known_page import KnownPages
from relance.sources.web.session import Connection
from relance.sources.web.sitemap import Sitemaps, is_sitemap
from relance.sources.web.spec import WebSource
from relance.sources.web.walk import Found, Walk

__all__ = ["Starts"]

_MOST_BYTES = 64 << 20  # of a sitemap or feed, as it is sent
_LIST_NAMES = ("sitemap", "feed", "rss", "atom")
_LIST_ENDS = (".xml", ".xml.gz", ".rss", ".atom", ".txt", ".txt.gz", ".json", "/feed/index.html", "/rss/index.html")


class Starts:
    """Finds addresses as the section says."""

    def __init__(self, spec: WebSource, connection: Connection, pages: KnownPages) -> None:
        """Ask nothing yet; `pages` are those that earlier runs have found."""
        self._spec, self._connection, self._pages = spec, connection, pages
        self._starts = list(dict.fromkeys(map(normal, spec.start)))

    def through(self, walk: Walk) -> Iterator[Found]:
        """Stream what became of each address: first of those in lists, then of those that links lead to.

        Raises ConfigurationError where nothing is at a start, SourceError where a start cannot be had or read.
        """
        find = self._spec.find
        if find == "pages":
            yield from walk.through(map(Entry, self._starts))
            return
        lists = [start for start in self._starts if find in {"sitemap", "feed"} or (find == "auto" and _is_list(start))]
        if lists:
            yield from walk.through(self._listed(lists))
        others = [start for start in self._starts if start not in lists]
        for found in walk.crawl(others, self._spec.depth):
            _check(found)
            yield found

    def _listed(self, lists: Iterable[str]) -> Iterator[Entry | Ignored]:
        for start in lists:
            if self._spec.find == "sitemap" and path_of(start) == "index.html":
                if named := self._named(start):
                    yield from self._sitemaps(named)
                    continue
                start = normal("/sitemap.xml", start)  # noqa: PLW2901  # the usual place
            data = self._fetch(start)
            if is_sitemap(data) and self._spec.find != "feed":
                yield from self._sitemaps([start], {start: data})
            elif is_feed(data) and self._spec.find != "sitemap":
                yield from self._feed(start, data)
            elif self._spec.find == "auto":
                msg = (
                    f"{start} looks like a sitemap or feed by its address, and is neither; say `find: crawl` or `pages`"
                )
                raise SourceError(msg)
            else:
                raise SourceError(f"{start} is no {self._spec.find}")

    def _sitemaps(self, addresses: Iterable[str], fetched: dict[str, bytes] | None = None) -> Iterator[Entry | Ignored]:
        known = fetched or {}
        sitemaps = Sitemaps(lambda address: known.pop(address, None) or self._ask(address))
        for address in addresses:
            yield from sitemaps.read(address)

    def _feed(self, start: str, data: bytes) -> Iterator[Entry | Ignored]:
        """Stream the entries of a feed, then the pages it named once: it has the newest only, and they are not gone."""
        named = set[str]()
        for entry in read_feed(data, start):
            if isinstance(entry, Entry):
                named.add(entry.address)
            yield entry
        mark = feed_mark(start)
        for address in self._pages.fed(mark):
            if address not in named:
                yield Entry(address, feed=mark)

    def _named(self, start: str) -> list[str]:
        """List the sitemaps that robots.txt of a site names."""
        robots = self._connection.robots
        found = self._connection.portal.call(robots.sitemaps, start) if robots is not None else []
        return [each for each in (normal(each, start) for each in found) if each]

    def _fetch(self, start: str) -> bytes:
        try:
            return self._ask(start)
        except (GoneError, UnsafeURLError) as error:
            raise ConfigurationError(f"start: {error}") from None
        except RelanceError as error:
            raise SourceError(f"start: {error}") from None

    def _ask(self, address: str) -> bytes:
        return self._connection.fetch(address, max_bytes=_MOST_BYTES).data


def _check(found: Found) -> None:
    """Make sure that the first page of a crawl is there: without it nothing is found, and all would be gone."""
    if isinstance(found, Ignored) or found[0].depth:
        return
    entry, visit = found
    if visit.found is None:
        raise ConfigurationError(f"start: there is nothing at {entry.address}")
    if isinstance(visit.found, DocumentError) and visit.links is None:
        raise SourceError(f"start: {visit.found}")
    if isinstance(visit.found, Ignored) and not visit.links:
        raise ConfigurationError(f"start: {entry.address} leads nowhere: {visit.found.reason}")


def _is_list(start: str) -> bool:
    """Tell whether an address looks like that of a sitemap or feed."""
    path = path_of(start).lower()
    name = path.rpartition("/")[2]
    return f"/{path}".endswith(_LIST_ENDS) or (
        any(each in name for each in _LIST_NAMES) and not name.endswith((".html", ".htm", ".php"))
    )
