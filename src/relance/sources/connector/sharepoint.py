"""Files of a library of SharePoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlsplit

from relance.errors import ConfigurationError
from relance.sources.connector.graph_drive import GraphDrive
from relance.sources.connector.json_api import ApiError, JsonApi
from relance.sources.connector.problems import MalformedError, status_of

__all__ = ["SharePoint"]

_NO_TEAM = "files of teams lie in the library of the team's site; name that as connection.site"


class SharePoint(GraphDrive):
    """One library of a site; the site's own documents where none is named. Sites below it are sources of their own."""

    module: ClassVar = "sharepoint"
    prefix: ClassVar = "Sharepoint"
    refused: ClassVar = {"team_id": _NO_TEAM, "channels": _NO_TEAM}

    @classmethod
    def account(cls, connection: Mapping[str, Any]) -> str:
        """Name the host of the site in uris."""
        return urlsplit(str(connection.get("site") or "").strip()).netloc.rpartition("@")[2].lower()

    def drive(self, api: JsonApi) -> str:
        """Return the id of the library."""
        connection = self.settings.connection
        parts = urlsplit((connection.site or "").strip())
        if not parts.netloc or parts.netloc.partition(".")[0].endswith("-admin"):
            msg = "connection.site: expected the address of one site, as https://example.sharepoint.com/sites/NAME"
            raise ConfigurationError(msg)
        path = quote(unquote(parts.path).strip("/"))
        place = f"/v1.0/sites/{parts.netloc}" + (f":/{path}" if path else "")
        try:
            site = str(api.get(place, {"$select": "id"})["id"])
            if not connection.library:
                return str(api.get(f"/v1.0/sites/{quote(site, safe=',')}/drive", {"$select": "id"})["id"])
            libraries = dict(_libraries(api, site))
        except ApiError as error:
            if status_of(error) != 404:
                raise
            msg = f"connection.site: there is no site {connection.site}, or the app may not see it"
            raise ConfigurationError(msg) from None
        except (KeyError, TypeError):
            raise MalformedError("a site or library without id or name") from None
        if connection.library not in libraries:
            known = ", ".join(sorted(libraries)) or "none that the app may see"
            msg = f"connection.library: the site has no library {connection.library!r}; it has {known}"
            raise ConfigurationError(msg)
        return libraries[connection.library]


def _libraries(api: JsonApi, site: str) -> Iterator[tuple[str, str]]:
    path, params = f"/v1.0/sites/{quote(site, safe=',')}/drives", {"$select": "id,name"}
    for answer in api.pages(path, lambda page: (page["@odata.nextLink"], None) if "@odata.nextLink" in page else None,
                            params):  # fmt: skip
        for each in answer["value"]:
            yield str(each["name"]), str(each["id"])
