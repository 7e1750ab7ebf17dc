"""A service that is sent JSON over HTTP: its address, its key, and what may go wrong before it answers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from relance.embedding.providers.refusals import Refusal
from relance.errors import ConfigurationError

if TYPE_CHECKING:
    from relance.http.client import Response

__all__ = ["Service", "check_address", "check_key"]

# What follows the question mark of a signed address is a secret, too.
QUERY = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]+")


USER = re.compile(r"[^/\s]*@")
# What a query may hold beside them, such as `api-version=2024-10-21`, is short.
SECRET = re.compile(r"key|token|secret|pass|pwd|auth|sig|credential|code|^se$|^sv$|^sp$|session|user", re.IGNORECASE)
LONG = 24


def check_address(url: str, *, field: str = "embedding.base_url", example: str) -> str:
    """Return the host of a service's address; raises ConfigurationError where it is none, or holds a secret."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise ConfigurationError(f"{field}: {USER.sub('…@', url)!r} is not an address; write it like {example}")
    secret = any(SECRET.search(name) or len(value) > LONG for name, value in parse_qsl(parts.query, True))
    if parts.username or parts.password or secret:
        # It would end up in error messages and logs.
        where = field.replace("base_url", "api_key")
        raise ConfigurationError(f"{field}: keep keys and passwords out of the address; use {where}.")
    return parts.hostname or ""


def check_key(key: str, model: str) -> None:
    """Raise ConfigurationError for a key that cannot be one."""
    if not (key.isascii() and key.isprintable()):
        # The HTTP library would quote the header, with the key, in its own error.
        raise ConfigurationError(f"The key for {model} contains characters no key has; was it copied whole?")


class Service:
    """One address that takes JSON, with connections that are opened at the first request.

    Args:
        name: model and address, for messages.
        url: what paths are put after.
        key: sent as a bearer token; empty is none. It is in no message and no repr.
        timeout_s: seconds without progress after which a request fails.
        connections: requests that may be open at once.
        headers: sent with every request.
        query: sent with every request, without a question mark.
        key_header: what the key is sent in instead of a bearer token.
    """

    def __init__(
        self,
        name: str,
        url: str,
        key: str,
        *,
        timeout_s: float,
        connections: int,
        headers: Mapping[str, str] | None = None,
        query: str = "",
        key_header: str = "",
    ) -> None:
        self.name = name
        self.url = url
        self._key = key
        self._timeout_s = timeout_s
        self._connections = connections
        self._query = f"?{query}" if query else ""
        self._headers = {}
        if key:
            self._headers = {key_header: key} if key_header else {"authorization": f"Bearer {key}"}
        self._headers |= headers or {}

    async def post(self, path: str, body: Any, *, headers: Mapping[str, str] | None = None) -> Response:
        """Send a body as JSON and return whatever is answered; raises what `unanswered` says where nothing is."""
        from pydantic_core import to_json

        sent = {"content-type": "application/json", **(headers or {})}
        return await self.request("POST", self.url + path + self._query, content=to_json(body), headers=sent)

    async def get(self, path: str, params: Mapping[str, str]) -> Response:
        """Ask for something and return whatever is answered; raises what `unanswered` says where nothing is."""
        return await self.request("GET", self.url + path, params=params)

    async def request(self, method: str, url: str, **options: Any) -> Response:
        """Make any request; see `httpx.AsyncClient.request`."""
        from relance.http.client import RequestError

        try:
            return await self._client.request(method, url, **options)
        except RequestError as error:
            from relance.http.unanswered import unanswered

            raise unanswered(error, self.name, url, timeout_s=self._timeout_s, clean=self.clean) from error

    def beside(self, name: str, url: str) -> Service:
        """Return another service that is called the same way, but without the key."""
        return Service(name, url, "", timeout_s=self._timeout_s, connections=1)

    def clean(self, message: str) -> str:
        """Make a message one line of at most 300 characters, without the key and what signs addresses.

        Some services quote them.
        """
        if self._key:
            message = message.replace(self._key, "***")
        message = " ".join(QUERY.sub(r"\1?…", message).split())
        return message if len(message) <= 300 else f"{message[:299]}…"

    def cleaned(self, no: Refusal) -> Refusal:
        """Return a refusal whose words are fit to be shown."""
        codes = tuple(self.clean(code) for code in no.codes)
        return dataclasses.replace(
            no, message=self.clean(no.message), codes=codes, request_id=self.clean(no.request_id)
        )

    async def aclose(self) -> None:
        """Close the connections."""
        client = self.__dict__.pop("_client", None)  # the next request opens another
        if client is not None:
            await client.aclose()

    @cached_property
    def _client(self) -> Any:
        from relance.http.client import open_client

        return open_client(timeout_s=self._timeout_s, connections=self._connections, headers=self._headers)
