"""Pages of Confluence Cloud."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from relance.errors import ConfigurationError
from relance.sources.connector.confluence_client import ConfluenceClient, ConfluenceSite
from relance.sources.connector.html_text import page
from relance.sources.connector.principals import principals_of, unknown_readers
from relance.sources.connector.problems import MalformedError, status_of
from relance.sources.connector.service import Fetched, Found, Service
from relance.sources.connector.times import utc

__all__ = ["Confluence"]

# Their defaults of 500 spaces and 100 pages a space would cut a listing off, and so remove the other pages.
_ALL = 1_000_000_000
_CUT = "a listing that is cut off would remove the other documents; name `spaces`, or make a source for each part"
_NO_SITE = "connection.url: there is no Confluence Cloud (its address ends with /wiki; Data Center has another API)"


class Confluence(Service):
    """The current and archived pages of spaces; no blog posts, comments or attachments.

    A page's version is its number of versions and who may read it. Names are ids.
    """

    names: ClassVar = re.compile(r"[0-9]{1,20}")
    refused: ClassVar = {
        "max_num_of_spaces": _CUT,
        "max_num_of_docs_from_each_space": _CUT,
        "max_num_metadata_permissions": "all permissions are read; remove the line",
    }
    prefix: ClassVar = "Confluence"

    def list(self) -> Iterator[Found]:
        """Stream the pages, space by space."""
        with self._open() as site:
            listing = self.settings.listing.model_copy(
                update=dict.fromkeys(
                    ("max_num_of_spaces", "max_num_of_docs_from_each_space", "max_num_metadata_permissions"), _ALL
                )
            )
            indexer = self.library.ConfluenceIndexer(connection_config=site, index_config=listing)
            try:
                indexer._get_space_ids_and_keys()  # noqa: SLF001  # its precheck hides what went wrong
            except self.library.UserError as error:
                raise ConfigurationError(f"listing.spaces: {self.problems.hide(str(error))}") from None
            except Exception as error:
                if status_of(error) == 404:
                    raise ConfigurationError(_NO_SITE) from None
                raise
            for found in indexer.run():
                yield self._found(found)

    def read(self, name: str) -> Fetched:
        """Read a page as people see it, with its readers."""
        with self._open() as site, site.get_client() as client:
            # Its downloader adds blanks within words (`un<b>do</b>`) and does not escape titles.
            got = client.get(f"api/v2/pages/{name}", params={"body-format": "view", "include-version": "true"})
            try:
                title, body, space = str(got["title"]), str(got["body"]["view"]["value"]), got["spaceId"]
                version = got["version"]
            except (KeyError, TypeError):
                raise MalformedError("a page without title, body or version") from None
            metadata: dict[str, Any] = {
                "url": self.link(name),
                "date_created": utc(got.get("createdAt")),
                "date_modified": utc(version.get("createdAt")),
            }
            if self.spec.permissions:
                client.learn(got)
                found = self._permissions(site, name, space)
                if found is None:
                    raise MalformedError(_unknown(client))
                metadata["principals"] = principals_of(found)
        return Fetched(page(title, body), {key: value for key, value in metadata.items() if value != ""})

    def link(self, name: str) -> str:
        """Return the address of a page, which leads to where it is now."""
        return f"{str(self.spec.connection.get('url', '')).rstrip('/')}/pages/{name}"

    def _found(self, found: Any) -> Found:
        metadata = found.metadata
        number = metadata.version or metadata.date_modified
        if not number:
            return Found(found.identifier, "", problem="the service gives no version of it")
        if not self.spec.permissions:
            return Found(found.identifier, number)
        if metadata.permissions_data is None:
            return Found(found.identifier, "", problem=_unknown(None))
        return Found(found.identifier, f"{number}-{metadata.permissions_version}")

    def _permissions(self, site: ConfluenceSite, name: str, space: Any) -> Iterable[Mapping[str, Any]] | None:
        from collections import OrderedDict

        return self.library.get_permissions_data(site, name, space, OrderedDict(), _ALL)

    @contextmanager
    def _open(self) -> Generator[ConfluenceSite]:
        connection = self.settings.connection
        with connection.get_client() as client:
            yield ConfluenceSite(connection, ConfluenceClient(client, permissions=self.spec.permissions))


def _unknown(client: ConfluenceClient | None) -> str:
    return unknown_readers(client.trouble if client is not None else "")
