"""Who may read a file of OneDrive or SharePoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from relance.sources.connector.json_api import JsonApi
from relance.sources.connector.patience import AGAIN, LONGEST_RETRY_AFTER_S, patiently
from relance.sources.connector.principals import ANYONE_WITH_LINK, link_of
from relance.sources.connector.problems import MalformedError

__all__ = ["GraphReaders", "Readers"]

_AT_ONCE = 20  # the limit of Graph
# Roles that let nobody read the file: they come with a right to something else in the library.
_BLIND = frozenset({"sp.limited access", "sp.restricted interfaces for translation"})
_READ = frozenset({"read", "write", "owner", "member"})


class Readers(NamedTuple):
    """The principals of a file, sorted; None, and why, where they cannot be found out."""

    principals: list[str] | None
    trouble: str = ""


class _BusyError(Exception):
    """Some of a batch were refused for now."""

    def __init__(self, status: int, wait_s: float) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.wait_s = status, wait_s


class GraphReaders:
    """Finds the readers of files, twenty with a request."""

    def __init__(self, api: JsonApi) -> None:
        """Look up by a client that is open."""
        self._api = api

    def of(self, places: Sequence[str]) -> Iterator[Readers]:
        """Stream the readers of items, named as `/drives/ID/items/ID`, in this order."""
        for at in range(0, len(places), _AT_ONCE):
            yield from self._some(places[at : at + _AT_ONCE])

    def _some(self, places: Sequence[str]) -> list[Readers]:
        found: dict[int, Readers] = {}

        def ask() -> None:
            missing = [number for number in range(len(places)) if number not in found]
            requests = [
                {"id": str(number), "method": "GET", "url": f"{places[number]}/permissions"} for number in missing
            ]
            busy = _BusyError(0, 0.0)
            for number, answer in _answers(self._api.post("/v1.0/$batch", {"requests": requests}), missing):
                status = answer.get("status")
                if status in AGAIN:
                    busy = _BusyError(int(status or 0), max(busy.wait_s, _wait_s(answer)))
                else:
                    found[number] = self._read(status, answer.get("body"))
            if busy.status:
                raise busy

        patiently(ask, lambda error: (error.wait_s or True) if isinstance(error, _BusyError) else False)
        return [found[number] for number in range(len(places))]

    def _read(self, status: Any, body: Any) -> Readers:
        if status != 200:
            return Readers(None, f"HTTP {status}")
        permissions: list[Any] = []
        while True:
            if not isinstance(body, dict) or not isinstance(body.get("value"), list):
                return Readers(None, "an answer without permissions")
            permissions += body["value"]
            if not (following := body.get("@odata.nextLink")):
                return Readers(_principals(permissions))
            body = self._api.get(following)


def _answers(batch: Mapping[str, Any], numbers: Sequence[int]) -> list[tuple[int, dict[str, Any]]]:
    """Read the answers of a batch, which come in any order; MalformedError where one is missing."""
    try:
        by_number = {int(each["id"]): each for each in batch["responses"]}
        return [(number, by_number[number]) for number in numbers]
    except (KeyError, TypeError, ValueError):
        raise MalformedError("a batch with less answers than requests") from None


def _wait_s(answer: Mapping[str, Any]) -> float:
    headers = {str(name).lower(): value for name, value in (answer.get("headers") or {}).items()}
    try:
        return min(float(headers.get("retry-after", 0)), LONGEST_RETRY_AFTER_S)
    except (TypeError, ValueError):
        return 0.0


def _principals(permissions: Iterable[Any]) -> list[str]:
    found: set[str] = set()
    for each in permissions:
        if not isinstance(each, dict):
            raise MalformedError("a permission that is none")
        if not any(map(_reads, each.get("roles") or ())) or _is_over(each.get("expirationDateTime")):
            continue
        named = [each.get("grantedToV2"), *(each.get("grantedToIdentitiesV2") or ())]
        found.update(name for identity in named if isinstance(identity, dict) for name in _names(identity))
        link = each.get("link") or {}
        if link and not each.get("hasPassword"):
            if link.get("scope") == "anonymous":
                found.add(ANYONE_WITH_LINK)
            elif link.get("scope") == "organization":
                found.add(link_of("organization"))
    return sorted(found)


def _reads(role: Any) -> bool:
    name = str(role).lower()
    return name in _READ or (name.startswith("sp.") and name not in _BLIND)


def _is_over(moment: Any) -> bool:
    if not moment or str(moment).startswith("0001"):  # SharePoint writes no end as the year 1
        return False
    try:
        return datetime.fromisoformat(str(moment)) <= datetime.now(UTC)
    except (TypeError, ValueError):
        return True


def _names(identity: Mapping[str, Any]) -> Iterator[str]:
    """Name who is meant: a person by the address, as Drive does, a group of the directory by its id."""
    user = identity.get("user") or identity.get("siteUser") or {}
    if email := user.get("email") or user.get("userPrincipalName"):
        yield f"user:{email.lower()}"
    elif identity.get("user") and user.get("id"):
        yield f"user:{user['id']}"
    if (group := identity.get("group") or {}).get("id"):
        yield f"group:{group['id']}"
    elif (group := identity.get("siteGroup") or {}).get("displayName"):
        yield f"site-group:{group['displayName']}"
    elif not email and "user" not in identity and user.get("displayName"):
        yield f"site-group:{user['displayName']}"  # such as `Everyone except external users`
