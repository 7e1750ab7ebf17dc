"""The client of Notion: patient, and strict about answers."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Self
from uuid import UUID

from relance.http.certificates import trusted
from relance.http.client import retry_after_s
from relance.sources.connector.patience import AGAIN, LONGEST_RETRY_AFTER_S, patiently
from relance.sources.connector.problems import MalformedError, status_of

__all__ = ["NotionClient"]

_KIND = {"child_page": "page", "child_database": "database"}


class NotionClient:
    """Reads JSON; every page of a listing has results, or MalformedError is raised."""

    def __init__(self, client: Any) -> None:
        """Wrap a client of notion-client."""
        self._client = client

    @classmethod
    @contextmanager
    def open(cls, connection: Any, version: str, address: str) -> Generator[Self]:
        """Open a client with the key of a connection config of unstructured-ingest."""
        import httpx
        from notion_client import Client

        client = Client(
            client=httpx.Client(verify=trusted()),
            auth=connection.access_config.get_secret_value().notion_api_key,
            notion_version=version,
            base_url=address,
            logger=logging.getLogger("notion_client"),
            log_level=logging.CRITICAL,
            retry=False,  # of what is transient, it would ask again for the smaller part only
        )
        try:
            yield cls(client)
        finally:
            client.close()

    def retrieve(self, kind: str, name: str) -> dict[str, Any]:
        """Get a page or database."""
        return self._ask("GET", f"{kind}s/{name}")

    def blocks(self, name: str) -> Iterator[dict[str, Any]]:
        """Stream the blocks directly below a page or block."""
        return self._all("GET", f"blocks/{name}/children")

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """Stream the pages of a database."""
        return self._all("POST", f"databases/{name}/query")

    def children(self, name: str) -> Iterator[tuple[str, str]]:
        """Stream pages and databases that lie in a page, also in its columns and toggles, or that it links to."""
        for block in self.blocks(name):
            kind = str(block.get("type"))
            if kind in _KIND:
                yield _KIND[kind], str(UUID(block["id"]))
            elif kind == "link_to_page":
                link = block.get("link_to_page") or {}
                for target in ("page", "database"):
                    if link.get(f"{target}_id"):
                        yield target, str(UUID(link[f"{target}_id"]))
            elif block.get("has_children"):
                yield from self.children(block["id"])

    def _all(self, method: str, path: str) -> Iterator[dict[str, Any]]:
        cursor = ""
        while True:
            where = {"page_size": 100} | ({"start_cursor": cursor} if cursor else {})
            answer = self._ask(method, path, **({"query": where} if method == "GET" else {"body": where}))
            results = answer.get("results")
            if not isinstance(results, list):
                raise MalformedError(f"{path} without results")
            yield from results
            cursor = answer.get("next_cursor") or ""
            if not answer.get("has_more"):
                return
            if not cursor:
                raise MalformedError(f"{path} does not say where its next page is")

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = patiently(lambda: self._client.request(path=path, method=method, **options), _transient)
        if not isinstance(answer, dict):
            raise MalformedError(f"{path} is no JSON object")
        return answer


def _transient(error: Exception) -> bool | float:
    import httpx
    from notion_client.errors import RequestTimeoutError

    if isinstance(error, httpx.TransportError | RequestTimeoutError):
        return True
    if status_of(error) not in AGAIN:
        return False
    waits = retry_after_s(getattr(error, "headers", None) or {})
    return True if waits is None else min(waits, LONGEST_RETRY_AFTER_S)
