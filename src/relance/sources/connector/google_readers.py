"""Who may read a file of Google Drive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from relance.config.access import EVERYONE
from relance.sources.connector.json_api import ApiError, JsonApi
from relance.sources.connector.principals import ANYONE_WITH_LINK, link_of
from relance.sources.connector.problems import SLOWER, MalformedError

__all__ = ["GoogleReaders"]

_FIELDS = "nextPageToken,permissions(id,type,emailAddress,domain,allowFileDiscovery,view,deleted)"


class GoogleReaders:
    """Finds the readers of files, with few requests.

    The listing has the permissions of files in My Drive where whoever asks may share them. Of files in shared drives it
    has only the ids of permissions. Two files of one folder that have the same ids and none of their own have the same
    readers, so one of them is looked up.
    """

    def __init__(self, api: JsonApi) -> None:
        """Look up by a client that is open."""
        self._api = api
        self._known: dict[tuple[str, ...], list[str]] = {}

    def of(self, facts: Mapping[str, Any]) -> tuple[list[str] | None, str]:
        """Return the principals of a file, sorted, or None and why they cannot be found out."""
        given = facts.get("permissions")
        if given is not None:
            return _principals(given), ""
        if not facts.get("driveId"):
            return None, "the account may read it and not share it"
        if facts.get("hasAugmentedPermissions") is not False:
            return self._look_up(facts["id"])
        key = (*sorted(facts.get("parents") or ()), "", *sorted(facts.get("permissionIds") or ()))
        if key not in self._known:
            found, trouble = self._look_up(facts["id"])
            if found is None:
                return None, trouble
            self._known[key] = found
        return self._known[key], ""

    def _look_up(self, name: str) -> tuple[list[str] | None, str]:
        path, fixed = f"/drive/v3/files/{name}/permissions", {"fields": _FIELDS, "supportsAllDrives": "true"}

        def follow(answer: dict[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
            token = answer.get("nextPageToken")
            return (path, {**fixed, "pageToken": token}) if token else None

        found: list[Any] = []
        try:
            for answer in self._api.pages(path, follow, {**fixed, "pageSize": "100"}):
                found += answer["permissions"]
            return _principals(found), ""
        except ApiError as error:
            if error.response.status_code not in {403, 404} or error.code in SLOWER:
                raise
            return None, error.code or f"HTTP {error.response.status_code}"
        except (KeyError, TypeError):
            return None, "an answer without permissions"


def _principals(permissions: Iterable[Any]) -> list[str]:
    found = set()
    for each in permissions:
        if not isinstance(each, dict):
            raise MalformedError("a permission that is none")
        if each.get("view") or each.get("deleted"):
            continue  # of its published form or its name only; of an account that is no more
        kind, open_to_all = each.get("type"), each.get("allowFileDiscovery", False)
        if kind in {"user", "group"} and each.get("emailAddress"):
            found.add(f"{kind}:{each['emailAddress'].lower()}")
        elif kind == "domain" and each.get("domain"):
            domain = f"domain:{each['domain'].lower()}"
            found.add(domain if open_to_all else link_of(domain))
        elif kind == "anyone":
            found.add(EVERYONE if open_to_all else ANYONE_WITH_LINK)
    return sorted(found)
