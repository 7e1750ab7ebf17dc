"""Pages and databases of Notion."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID

from relance.documents import Ignored, digest
from relance.errors import ConfigurationError, DocumentError
from relance.sources.connector.html_text import page
from relance.sources.connector.notion_blocks import blocks_html, database_html, properties_html, title_of
from relance.sources.connector.notion_client import NotionClient
from relance.sources.connector.problems import MalformedError, status_of
from relance.sources.connector.service import Fetched, Found, Service
from relance.sources.connector.times import utc

__all__ = ["Notion"]

# Notion tells the minute of an edit: a page that was edited in this one may be again without another version.
_SETTLED = timedelta(minutes=2)


class Notion(Service):
    """Pages and databases by their ids, with what lies below them if `recursive` says so.

    A page's version is the minute of its last edit; a database's are those of its rows, too. Names are
    `page/ID` and `database/ID`.
    """

    names: ClassVar = re.compile(r"(?:page|database)/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    ours: ClassVar = {"base_url": "https://api.notion.com"}
    module: ClassVar = "notion.connector"
    prefix: ClassVar = "Notion"

    @classmethod
    def account(cls, connection: Mapping[str, Any]) -> str:
        """Name the host of the API: ids are unique in all of Notion."""
        return urlsplit(str(connection.get("base_url") or cls.ours["base_url"])).netloc.rpartition("@")[2].lower()

    def list(self) -> Iterator[Found | DocumentError | Ignored]:
        """Stream what is named, then what lies below, level by level.

        The indexer of unstructured-ingest leaves out what it fails to read, reads each level again for every level
        above it, and misses pages that lie in columns and toggles.
        """
        listing = self.settings.listing
        roots = [("page", each) for each in _ids("page_ids", listing.page_ids)]
        roots += [("database", each) for each in _ids("database_ids", listing.database_ids)]
        if not roots:
            raise ConfigurationError("listing: nothing is selected; set page_ids or database_ids")
        with self._open() as client:
            waiting = deque(dict.fromkeys(roots))
            seen = set(waiting)
            while waiting:
                kind, name = waiting.popleft()
                found, below = self._look(client, kind, name, root=(kind, name) in roots, recursive=listing.recursive)
                yield found
                fresh = [each for each in dict.fromkeys(below) if each not in seen]
                seen.update(fresh)
                waiting.extend(fresh)

    def read(self, name: str) -> Fetched:
        """Read a page, or a database as a table."""
        kind, _, identifier = name.partition("/")
        with self._open() as client:
            got = client.retrieve(kind, identifier)
            if _is_gone(got):
                raise DocumentError(name, "it vanished while being read")
            if kind == "page":
                body = properties_html(got) + blocks_html(client, identifier)
            else:
                body = database_html(got, client.rows(identifier))
        metadata: dict[str, Any] = {
            "url": got.get("url") or self.link(name),
            "date_created": utc(got.get("created_time")),
            "date_modified": utc(got.get("last_edited_time")),
        }
        return Fetched(page(title_of(got), body), {key: value for key, value in metadata.items() if value})

    def link(self, name: str) -> str:
        """Return the address of a page."""
        return f"https://www.notion.so/{name.partition('/')[2].replace('-', '')}"

    def _look(
        self, client: NotionClient, kind: str, name: str, *, root: bool, recursive: bool
    ) -> tuple[Found | Ignored, Sequence[tuple[str, str]]]:
        """Look at one page or database, and for what lies below it."""
        uri = f"{kind}/{name}"
        try:
            got = client.retrieve(kind, name)
        except Exception as error:
            if status_of(error) != 404:
                raise
            if root:
                msg = f"listing.{kind}_ids: there is no {kind} {name}, or it is not shared with the integration"
                raise ConfigurationError(msg) from None
            return Ignored(uri, "not shared with the integration"), []
        if _is_gone(got):
            return Ignored(uri, "in the trash"), []
        edited = str(got.get("last_edited_time") or "")
        if kind == "page":
            below = list(client.children(name)) if recursive else []
            return Found(uri, _version(edited, edited)), below
        rows = [(_uuid(row["id"]), str(row.get("last_edited_time") or "")) for row in client.rows(name)]
        latest = max([edited, *(when for _, when in rows)])
        version = digest("database", edited, repr(sorted(rows)))
        return Found(uri, _version(version, latest)), [("page", row) for row, _ in rows] if recursive else []

    @contextmanager
    def _open(self) -> Generator[NotionClient]:
        connection = self.settings.connection
        address = self.settings.ours["base_url"].rstrip("/").removesuffix("/v1")
        with NotionClient.open(connection, self.library.NOTION_API_VERSION, address) as client:
            yield client


def _ids(field: str, values: list[str] | None) -> Iterator[str]:
    for value in values or ():
        try:
            yield _uuid(value.strip())
        except ValueError:
            msg = f"listing.{field}: {value!r} is no id; it is the 32 digits at the end of the page's address"
            raise ConfigurationError(msg) from None


def _uuid(text: str) -> str:
    return str(UUID(text))


def _is_gone(got: Mapping[str, Any]) -> bool:
    return bool(got.get("in_trash") or got.get("archived"))


def _version(version: str, edited: str) -> str:
    """Return a version that holds for this run only while the minute of the last edit may not be over."""
    if not edited:
        raise MalformedError("a page or database that does not say when it was edited")
    now = datetime.now(UTC)
    try:
        settled = now - datetime.fromisoformat(edited) > _SETTLED
    except (TypeError, ValueError):
        raise MalformedError("a page or database whose last edit is no time") from None
    return version if settled else f"{version}~{now.timestamp():.6f}"
