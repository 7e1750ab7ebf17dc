"""Pages behind addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime

from relance.documents import Content, Ignored, Item
from relance.errors import (
    DocumentError,
    GoneDocumentError,
    GoneError,
    RelanceError,
)
from relance.sources.abilities import Remembered, Remembering
from relance.sources.source import Location, Source, SourceContext
from relance.sources.web.address import normal
from relance.sources.web.answer import HTML, charset_of, reason_of
from relance.sources.web.bodies import Bodies, Body
from relance.sources.web.known_page import KnownPage, KnownPages
from relance.sources.web.once import Once
from relance.sources.web.scope import Scope
from relance.sources.web.session import Connection, Session, agent_of
from relance.sources.web.spec import WebSource
from relance.sources.web.starts import Starts
from relance.sources.web.visitor import Visit, Visitor
from relance.sources.web.walk import Walk

__all__ = ["Web"]

_BOM = b"\xef\xbb\xbf"


class Web(Source, Remembering):
    """The `web` source.

    A document is named by the address of its page in its one form: the canonical one, where the page names it. Its
    version is the hash of what the server sent; whether that may have changed is known by the date in the sitemap, or
    asked by the validators that the last visit brought (`Item.memory`).
    """

    Spec = WebSource
    version = "web-1"
    reads_at_once = 4
    spec: WebSource

    def __init__(self, spec: WebSource, context: SourceContext) -> None:
        """Prepare to ask. ConfigurationError for a bad pattern, host or proxy."""
        super().__init__(spec, context)
        self._scope = Scope(spec)
        self._session = Session(spec, self._scope, f"sources[{context.position}]")
        self._pages = KnownPages(self._scope.__contains__)
        self._bodies = Bodies()

    def recall(self, remembered: Iterable[Remembered], *, full: bool = False) -> None:
        """Take up what is known of pages; `full`: none of it but where they are."""
        self._pages.recall(remembered, full=full)

    def list(self) -> Iterator[Item | DocumentError | Ignored]:
        """Stream the pages: in the order of the sitemap or feed, or the nearest first.

        Each is visited, unless its date says that it is as before; what was fetched waits on this disk to be read.
        """
        self._bodies.clear()
        with self._session.open() as connection, Once() as once:
            visitor = Visitor(
                connection, self._scope, self._pages, self._bodies, agent=agent_of(self.spec),
                wanted=self.context.wanted, media_type_of=self.context.media_type_of,
                trust_lastmod=self.spec.trust_lastmod,
            )  # fmt: skip
            walk = Walk(connection, visitor, at_once=self.spec.at_once, max_pages=self.spec.max_pages)
            for found in Starts(self.spec, connection, self._pages).through(walk):
                if isinstance(found, Ignored):
                    yield found
                    continue
                entry, visit = found
                if isinstance(visit.found, KnownPage):
                    same = once.has(visit.found)
                    yield Ignored(entry.address, "same page as another address") if same else self._item(visit)
                elif visit.found is not None:
                    yield visit.found

    def read(self, item: Item) -> Content:
        """Give what the listing has fetched, or fetch it."""
        uri = item.uri
        if uri not in self._scope:
            raise DocumentError(uri, "this is no address of this source")
        body = self._bodies.get(uri)
        if body is None:
            with self._session.open() as connection:
                body = self._fetch(connection, uri)
        if len(body.data) > self.spec.max_size:
            raise DocumentError(uri, f"its {len(body.data):,} bytes are more than max_size allows")
        if not body.data:
            raise DocumentError(uri, "the server sent nothing")
        content = Content(item, body.data, metadata={"url": uri} | _modified(body.modified))
        if item.media_type in HTML and (data := _marked(body)) is not body.data:
            return Content(item, data, content.content_hash, content.metadata)
        return content

    def location(self, uri: str = "") -> Location | None:
        """Say where a page is; a service can fetch it where nothing secret is needed for that."""
        if not uri:
            return Location(normal(self.spec.start[0]), link=normal(self.spec.start[0]))
        page = uri.partition("#")[0]
        if page not in self._scope:
            return None
        alone = bool(self.spec.headers or self.spec.user or self._session.allows(page))
        return Location(uri, url="" if alone else page, link=page)

    def _item(self, visit: Visit) -> Item:
        page = visit.found
        assert isinstance(page, KnownPage)  # noqa: S101  # the caller has looked
        return Item(
            page.uri, page.version, page.media_type, visit.size, self.context.position, live=visit.new,
            memory=page.memory,
        )  # fmt: skip

    def _fetch(self, connection: Connection, uri: str) -> Body:
        try:
            found = connection.fetch(uri)
        except GoneError as error:
            raise GoneDocumentError(uri, reason_of(error, uri)) from None
        except RelanceError as error:
            raise DocumentError(uri, reason_of(error, uri)) from None
        return Body(found.data, charset_of(found), found.last_modified)


def _marked(body: Body) -> bytes:
    """Write a page in UTF-8 with a mark, where the server names its encoding: that counts before what the page says."""
    if not body.charset or body.data.startswith((_BOM, b"\xff\xfe", b"\xfe\xff")):
        return body.data
    try:
        return _BOM + body.data.decode(body.charset).encode()
    except (LookupError, UnicodeError):
        return body.data  # the server is wrong; the parser finds out


def _modified(date: str) -> dict[str, str]:
    try:
        moment = parsedate_to_datetime(date)
    except (TypeError, ValueError, OverflowError):
        return {}
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return {"mtime": moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")}
