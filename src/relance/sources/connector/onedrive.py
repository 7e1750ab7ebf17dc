"""Files of a person's OneDrive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from relance.errors import ConfigurationError
from relance.sources.connector.graph_drive import GraphDrive
from relance.sources.connector.json_api import ApiError, JsonApi
from relance.sources.connector.problems import MalformedError, status_of

__all__ = ["OneDrive"]


class OneDrive(GraphDrive):
    """The drive of one person, by the name that the person signs in with."""

    module: ClassVar = "onedrive"
    prefix: ClassVar = "Onedrive"

    @classmethod
    def account(cls, connection: Mapping[str, Any]) -> str:
        """Name the person in uris."""
        return str(connection.get("user_pname") or "").strip().lower()

    def drive(self, api: JsonApi) -> str:
        """Return the id of the person's drive."""
        name = self.settings.connection.user_pname
        try:
            return str(api.get(f"/v1.0/users/{quote(name, safe='@')}/drive", {"$select": "id"})["id"])
        except ApiError as error:
            if status_of(error) != 404:
                raise
            msg = f"connection.user_pname: there is no {name}, or this account has no OneDrive"
            raise ConfigurationError(msg) from None
        except KeyError:
            raise MalformedError("a drive without id") from None
