"""One visit: an address is asked, and what it says of itself decides what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from relance.documents import Ignored
from relance.errors import DocumentError, GoneError, RelanceError, RetryableError, SourceError
from relance.fetch import Fetched
from relance.sources.web.address import alike, normal, path_of
from relance.sources.web.answer import HTML, charset_of, reason_of, type_of
from relance.sources.web.bodies import Bodies, Body
from relance.sources.web.entry import Entry
from relance.sources.web.known_page import KnownPage, KnownPages
from relance.sources.web.page_facts import PageFacts, directives, facts_of, linked_canonical
from relance.sources.web.scope import Scope
from relance.sources.web.session import Connection

__all__ = ["Visit", "Visitor"]

_HIDDEN, _FORBIDDEN, _UNREAD = "noindex", "by robots.txt", "type that is not read"
# What an address ends with that is not asked, where nothing reads such a type.
_SEEN = ("image/", "video/", "audio/", "font/")
_ARCHIVES = (
    *(".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".exe", ".msi", ".dmg", ".iso"),
    *(".woff", ".woff2", ".ttf"),
)
_SCRIPTED = "its text is made by JavaScript, which is not run; a sitemap of plain pages, or an export, has it"


@dataclass(slots=True, frozen=True)
class Visit:
    """What came of an address.

    Attributes:
        found: the page; why it is none; None where the server says that it is gone.
        new: whether something is to be remembered of the page that is not yet.
        links: where it leads; None where that is not known, because it could not be had.
        retryable: whether it could not be had now.
        size: bytes, 0 where it was not fetched.
    """

    found: KnownPage | Ignored | DocumentError | None
    new: bool = False
    links: tuple[str, ...] | None = ()
    retryable: bool = False
    size: int = 0


class Visitor:
    """Visits pages, many at a time; belongs to one listing."""

    def __init__(self, connection: Connection, scope: Scope, pages: KnownPages, bodies: Bodies, *, agent: str,
                 wanted: Callable[[str], bool], media_type_of: Callable[[str], str],
                 trust_lastmod: bool) -> None:  # fmt: skip
        """Visit nothing yet.

        Args:
            connection: asks.
            scope: says which addresses are of the source.
            pages: what is known from earlier runs.
            bodies: takes what is fetched, for those who read it.
            agent: what we are called in rules for robots.
            wanted: whether anything reads a media type.
            media_type_of: names the media type of a file by its name.
            trust_lastmod: whether a page is unchanged while its date is.
        """
        self._connection, self._scope, self._pages, self._bodies = connection, scope, pages, bodies
        self._agent, self._wanted, self._media_type_of = agent, wanted, media_type_of
        self._trust_lastmod = trust_lastmod

    def settled(self, entry: Entry) -> Visit | None:
        """Say what becomes of an address that need not be asked; None if it has to be."""
        if (refusal := self._refusal(entry.address)) is not None:
            return Visit(refusal)
        if not entry.lastmod:
            return None
        robots = self._connection.robots
        if robots is not None and not robots.allowed(entry.address):
            return None  # not, or not known yet
        known = self._pages.find(entry.address)
        return Visit(known) if known is not None and self._is_dated(entry, known) else None

    async def visit(self, entry: Entry) -> Visit:
        """Ask an address; raises SourceError where nothing can be said about the site."""
        known = self._pages.find(entry.address)
        if known is not None and entry.follow and known.links is None:
            known = replace(known, etag="", modified="")  # it has to be read for its links
        try:
            if not await self._is_allowed(entry.address):
                return Visit(Ignored(entry.address, _FORBIDDEN))
            if known is not None and self._is_dated(entry, known):
                return Visit(known)
            found = await self._ask(entry.address, known)
            if found.unchanged and known is not None:
                if self._is_where_it_was(found, known):
                    return self._unchanged(entry, known, found)
                found = await self._ask(entry.address, None)
            return await self._judge(entry, known, found)
        except GoneError:
            return Visit(None)
        except SourceError:
            raise
        except RelanceError as error:
            uri = known.uri if known is not None else entry.address
            links = known.links if known is not None else None
            retryable = isinstance(error, RetryableError)
            return Visit(DocumentError(uri, reason_of(error, entry.address)), links=links, retryable=retryable)

    # -- details -----------------------------------------------------------------------------------------------

    async def _ask(self, address: str, known: KnownPage | None) -> Fetched:
        etag, modified = (known.etag, known.modified) if known is not None else ("", "")
        return await self._connection.fetcher.fetch(address, etag=etag, last_modified=modified)

    async def _is_allowed(self, address: str) -> bool:
        robots = self._connection.robots
        return robots is None or await robots.allow(address)

    def _refusal(self, address: str) -> Ignored | None:
        """Say why an address is not asked at all."""
        if not self._scope.has_host(address):
            return Ignored(address, "on another host (hosts)")
        if reason := self._scope.refusal(address):
            return Ignored(address, reason)
        path = path_of(address).lower()
        kind = self._media_type_of(path)
        if not self._wanted(kind) and (kind.startswith(_SEEN) or path.endswith(_ARCHIVES)):
            return Ignored(address, _UNREAD, kind)
        return None

    def _is_dated(self, entry: Entry, known: KnownPage) -> bool:
        """Tell whether a page is unchanged by its date."""
        return bool(self._trust_lastmod and known.version and entry.lastmod and entry.lastmod == known.lastmod)

    def _is_where_it_was(self, found: Fetched, known: KnownPage) -> bool:
        """Tell whether an answer without a body is about the page that is known, and not one it was moved to."""
        return alike(normal(found.url)) in {alike(known.uri), alike(known.asked)}

    def _unchanged(self, entry: Entry, known: KnownPage, found: Fetched) -> Visit:
        if self._is_hidden(directives(found.headers.get("x-robots-tag", ""), self._agent)):
            return Visit(Ignored(entry.address, _HIDDEN), links=known.links)
        now = replace(known, lastmod=entry.lastmod, etag=found.etag, modified=found.last_modified,
                      feed=entry.feed or known.feed)  # fmt: skip
        return Visit(now, now != known, known.links if entry.follow else ())

    async def _judge(self, entry: Entry, known: KnownPage | None, found: Fetched) -> Visit:
        """Look at what was sent."""
        from anyio.to_thread import run_sync

        address = normal(found.url) or entry.address
        if address != entry.address and (reason := await self._elsewhere(address)):
            return Visit(Ignored(entry.address, reason))
        media_type = type_of(found, address, self._media_type_of)
        facts = PageFacts()
        if media_type in HTML:
            facts = await run_sync(facts_of, found.data, address, charset_of(found), self._agent)
        rules = facts.rules | directives(found.headers.get("x-robots-tag", ""), self._agent)
        links = () if self._obeys and "nofollow" in rules else facts.links
        links = tuple(link for link in links if self._scope.has_host(link)) if entry.follow else ()
        if reason := self._left_out(found, media_type, rules):
            return Visit(Ignored(entry.address, reason, media_type if reason == _UNREAD else ""), links=links)
        uri = self._uri(address, linked_canonical(found.headers, address) or facts.canonical)
        if alike(uri) != alike(address):
            other = await self._canonical(entry, uri)
            if other is not None:
                return replace(other, links=links)
            uri = address
        if facts.is_scripted:
            return Visit(DocumentError(known.uri if known is not None else uri, _SCRIPTED), links=links)
        self._keep(uri, found)
        page = KnownPage(uri, found.content_hash, entry.address, entry.lastmod, found.etag, found.last_modified,
                         media_type, entry.feed, links if entry.follow else None)  # fmt: skip
        return Visit(page, page != known, links, size=found.size)

    async def _elsewhere(self, address: str) -> str:
        """Say why a page that was moved to an address is not read there; empty if it is."""
        if (refusal := self._refusal(address)) is not None:
            return f"moved: {refusal.reason}"
        return "" if await self._is_allowed(address) else _FORBIDDEN

    def _left_out(self, found: Fetched, media_type: str, rules: frozenset[str] | set[str]) -> str:
        """Say why what was sent is not indexed; empty if it is."""
        if self._is_hidden(rules):
            return _HIDDEN
        if not found.data:
            return "empty"
        return "" if self._wanted(media_type) else _UNREAD

    def _keep(self, uri: str, found: Fetched) -> None:
        self._bodies.put(uri, Body(found.data, charset_of(found), found.last_modified))

    @property
    def _obeys(self) -> bool:
        return self._connection.robots is not None

    def _is_hidden(self, rules: set[str] | frozenset[str]) -> bool:
        return self._obeys and "noindex" in rules

    def _uri(self, address: str, canonical: str) -> str:
        """Choose the uri of a page: the address it calls its own, where that is one of this source."""
        return canonical if canonical and self._refusal(canonical) is None else address

    async def _canonical(self, entry: Entry, uri: str) -> Visit | None:
        """Visit the page that another one calls the right one; None if it cannot be had.

        What it says of its own address is not followed further: two pages may name each other.
        """
        try:
            if not await self._is_allowed(uri):
                return None
            found = await self._ask(uri, None)
        except SourceError:
            raise
        except RelanceError:
            return None
        address = normal(found.url)
        media_type = type_of(found, address, self._media_type_of)
        rules = directives(found.headers.get("x-robots-tag", ""), self._agent)
        if alike(address) != alike(uri) or self._left_out(found, media_type, rules):
            return None
        self._keep(uri, found)
        # Without validators: they would be those of another address than the one that is asked first.
        page = KnownPage(uri, found.content_hash, entry.address, entry.lastmod, "", "", media_type, entry.feed)
        return Visit(page, page != self._pages.find(entry.address), size=found.size)
