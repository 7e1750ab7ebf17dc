"""The client of Confluence between unstructured-ingest and the service: patient, and strict about answers."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

from relance.sources.connector.patience import be_patient
from relance.sources.connector.problems import MalformedError

__all__ = ["ConfluenceClient", "ConfluenceSite"]

_KINDS = {"page": "pages", "folder": "folders", "whiteboard": "whiteboards", "database": "databases", "embed": "embeds"}
_DEEPEST = 100


class ConfluenceClient:
    """What unstructured-ingest calls of its client.

    Restrictions of a page hold for all pages below it, which unstructured-ingest does not know: here a page has those
    of all pages above it. Where several pages of a path are restricted, its readers are those whom each of them names.
    """

    def __init__(self, client: Any, *, permissions: bool) -> None:
        """Wrap a client of atlassian-python-api.

        Args:
            client: open; who opened it closes it.
            permissions: whether permissions are asked for.
        """
        be_patient(client._session)  # noqa: SLF001  # unstructured-ingest sets its headers there, too
        self._client, self._permissions = client, permissions
        self._parents: dict[str, tuple[str, str]] = {}
        self._readers: dict[str, frozenset[tuple[str, str]] | None] = {}
        self.trouble = ""

    def get(self, path: str, params: dict[str, Any] | None = None) -> Any:
        """Get JSON; MalformedError where a listing has no results, which would pass for an empty page."""
        permissions = path.rstrip("/").endswith("/permissions") or "/permissions?" in path
        if permissions and not self._permissions:
            raise PermissionError("permissions are not requested")
        try:
            answer = self._client.get(path, params=params)
        except Exception as error:
            if permissions:
                self.trouble = type(error).__name__
            raise
        if not isinstance(answer, dict):
            raise MalformedError(f"{path.partition('?')[0]} is no JSON object")
        resource = path.partition("?")[0].strip("/")
        if resource in {"api/v2/pages", "api/v2/spaces"}:
            if not isinstance(answer.get("results"), list):
                raise MalformedError(f"{resource} without results")
            if resource == "api/v2/pages" and self._permissions:
                for each in answer["results"]:
                    self.learn(each)
        return answer

    def learn(self, content: dict[str, Any]) -> None:
        """Remember what a page lies below."""
        parent = content.get("parentId")
        self._parents[str(content["id"])] = (
            (str(content.get("parentType") or "page"), str(parent)) if parent else ("", "")
        )

    def get_all_restrictions_for_content(self, content_id: str) -> dict[str, Any]:
        """Return who may read a page, in the form of the service, with what holds from above."""
        if not self._permissions:
            raise PermissionError("permissions are not requested")
        try:
            readers = self._effective(str(content_id))
        except Exception as error:
            self.trouble = type(error).__name__
            raise
        if readers is None:
            return {"read": {"restrictions": {}}}
        # Nobody: an empty list would mean everybody to unstructured-ingest. `principals_of` drops the empty id.
        users = [{"accountId": name} for kind, name in sorted(readers) if kind == "user"]
        groups = [{"id": name} for kind, name in sorted(readers) if kind == "group"]
        users = users if users or groups else [{"accountId": ""}]
        return {"read": {"restrictions": {"user": {"results": users}, "group": {"results": groups}}}}

    def _effective(self, name: str) -> frozenset[tuple[str, str]] | None:
        """Return who may read something; None where nothing on its path is restricted."""
        readers: frozenset[tuple[str, str]] | None = None
        kind = "page"
        for _ in range(_DEEPEST):
            own = self._own(name)
            if own is not None:
                readers = own if readers is None else readers & own
            kind, name = self._parent(kind, name)
            if not name:
                return readers
        raise MalformedError(f"pages lie {_DEEPEST} deep, or in a circle")

    def _own(self, name: str) -> frozenset[tuple[str, str]] | None:
        if name not in self._readers:
            # Whoever asks may be one of few who see the page: their restrictions are read page by page.
            answer = self._client.get(f"rest/api/content/{name}/restriction/byOperation", params={"expand": _EXPAND})
            self._readers[name] = _readers(answer)
        return self._readers[name]

    def _parent(self, kind: str, name: str) -> tuple[str, str]:
        if name not in self._parents:
            if kind not in _KINDS:
                raise MalformedError(f"a page lies below a {kind}")
            self.learn(self._client.get(f"api/v2/{_KINDS[kind]}/{name}"))
        return self._parents[name]


_EXPAND = "read.restrictions.user,read.restrictions.group"


def _readers(answer: Any) -> frozenset[tuple[str, str]] | None:
    """Read the restrictions of one page; None where it has none."""
    try:
        restrictions = answer["read"]["restrictions"]
        parts = {kind: restrictions.get(kind) or {} for kind in ("user", "group")}
        found = [("user", str(each["accountId"])) for each in _results(parts["user"])]
        found += [("group", str(each["id"])) for each in _results(parts["group"])]
    except (AttributeError, KeyError, TypeError):
        raise MalformedError("restrictions of a page without their readers") from None
    return frozenset(found) if found else None


def _results(part: dict[str, Any]) -> Iterable[dict[str, Any]]:
    return part.get("results") or ()


class ConfluenceSite:
    """A connection config of unstructured-ingest whose client is open already: it would open two for each page."""

    def __init__(self, config: Any, client: ConfluenceClient) -> None:
        self._config, self._client = config, client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._config, name)

    @contextmanager
    def get_client(self) -> Generator[ConfluenceClient]:
        """Lend the client."""
        yield self._client
