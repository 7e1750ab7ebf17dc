"""Pages, issues, messages and files of a service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

from relance.documents import Content, Ignored, Item, digest
from relance.errors import ConfigurationError, DocumentError
from relance.sources.abilities import Linking
from relance.sources.connector.problems import Problems
from relance.sources.connector.service import Found
from relance.sources.connector.services import SERVICES
from relance.sources.connector.settings import need
from relance.sources.connector.spec import ConnectorSource
from relance.sources.source import Location, Source, SourceContext

__all__ = ["Connector"]

_SAFE = "/-._~"


class Connector(Source, Linking):
    """The `connector` source.

    A uri is `service://host/name`, for example `confluence://example.atlassian.net/98304`. The name is the service's
    id of the thing, so that renaming it changes no uri.
    """

    Spec = ConnectorSource
    version = "connector-1"
    reads_at_once = 4
    spec: ConnectorSource

    def __init__(self, spec: ConnectorSource, context: SourceContext) -> None:
        """Prepare; nothing is imported or opened."""
        super().__init__(spec, context)
        kind = SERVICES[spec.service]
        account = kind.account(spec.connection)
        self._prefix = f"{spec.service}://{quote(account, safe='-._~:@')}"
        self._problems = Problems(self._prefix, (secret.get_secret_value() for secret in spec.secrets.values()))
        self._service = kind(spec, self._problems)

    def list(self) -> Iterator[Item | DocumentError | Ignored]:
        """Stream what the service has, in its order. Raises SourceError where it breaks off, ConfigurationError."""
        try:
            for found in self._service.list():
                if isinstance(found, DocumentError):
                    yield DocumentError(self._uri(found.uri), self._problems.hide(found.reason))
                elif isinstance(found, Ignored):
                    yield Ignored(self._uri(found.uri), found.reason, found.kind)
                elif not self._service.names.fullmatch(found.name):
                    # Without a location it would be taken for another source's, and removed when a listing breaks off.
                    yield DocumentError(self._uri(found.name), "its name is none that a document of this service has")
                elif found.problem:
                    yield DocumentError(self._uri(found.name), self._problems.hide(found.problem))
                else:
                    yield self._item(found)
        except ImportError as error:
            raise need(self.spec.service, error.name or "") from None
        except Exception as error:
            # Whatever a library raises: a listing that broke off is never taken for a whole one.
            raise self._where(self._problems.of_listing(error)) from None

    def read(self, item: Item) -> Content:
        """Read one thing whole, with what the service knows of it."""
        name = self._name(item.uri)
        if name is None:
            raise DocumentError(item.uri, "it is none of this source")
        try:
            fetched = self._service.read(name)
        except ImportError as error:
            raise need(self.spec.service, error.name or "") from None
        except Exception as error:
            raise self._where(self._problems.of_document(item.uri, error)) from None
        limit = self.spec.max_size
        if len(fetched.data) > limit:
            reason = f"{len(fetched.data):,} bytes are more than max_size ({limit.human_readable()}); raise max_size"
            raise DocumentError(item.uri, reason)
        if not fetched.data:
            raise DocumentError(item.uri, "empty file")
        # Metadata counts: who may read a page changes without its text. When it was touched does not.
        kept = {key: value for key, value in fetched.metadata.items() if key != "date_modified"}
        decisive = json.dumps(kept, sort_keys=True, ensure_ascii=False)
        return Content(item, fetched.data, digest("connector", fetched.data, decisive), fetched.metadata)

    def location(self, uri: str = "") -> Location | None:
        """Say where a thing is, whether it is there or not."""
        if not uri:
            return Location(self._prefix)
        name = self._name(uri.partition("#")[0])
        if name is None or not self._service.may_list(name):
            return None
        return Location(uri, link=self._service.link(name))

    def page(self, uri: str, metadata: Mapping[str, Any], line: int | None = None, line_end: int | None = None) -> str:  # noqa: ARG002  # its pages show no lines
        """Return the page that the service named when the document was read; else what follows from its name."""
        place, url = self.location(uri), metadata.get("url")
        link = place.link if place is not None else ""
        return link or (url if isinstance(url, str) and url.startswith(("https://", "http://")) else "")

    def _item(self, found: Found) -> Item | Ignored:
        uri, media_type = self._uri(found.name), found.media_type
        if found.file:
            media_type = self.context.media_type_of(found.file)
            if not self.context.wanted(media_type):
                return Ignored(uri, "type that is not read", PurePosixPath(found.file).suffix.lower())
        return Item(uri, found.version, media_type, found.size, self.context.position)

    def _uri(self, name: str) -> str:
        return f"{self._prefix}/{quote(name, safe=_SAFE)}"

    def _name(self, uri: str) -> str | None:
        """Return the name in a uri of this source; None for others."""
        if not uri.startswith(f"{self._prefix}/"):
            return None
        name = unquote(uri[len(self._prefix) + 1 :])
        return name if self._service.names.fullmatch(name) and self._uri(name) == uri else None

    def _where(self, error: Exception) -> Exception:
        if type(error) is ConfigurationError:
            return ConfigurationError(f"sources[{self.context.position}].{error}")
        return error
