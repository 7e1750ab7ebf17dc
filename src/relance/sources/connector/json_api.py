"""An HTTP API that answers with JSON: one client for the services whose own clients are large or lose pages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from relance.errors import DocumentError
from relance.http.client import open_blocking, retry_after_s
from relance.sources.connector.patience import AGAIN, LONGEST_RETRY_AFTER_S, patiently
from relance.sources.connector.problems import SLOWER, MalformedError

if TYPE_CHECKING:
    import httpx

__all__ = ["ApiError", "JsonApi", "Token", "TokenHolder", "checked_answer", "transient"]

_TIMEOUT_S = 60.0
_EARLY_S = 120.0  # before its end, a token is replaced: clocks differ, and a request takes a while


class ApiError(Exception):
    """An answer of 400 or more, with the code that the service gives it.

    Attributes:
        code: `invalid_grant`, `itemNotFound`, `userRateLimitExceeded` …; empty where there is none.
    """

    def __init__(self, response: httpx.Response) -> None:
        """Read what the body says, in one of three forms: OAuth's, Google's, Microsoft's."""
        try:
            found = response.json()["error"]
            if isinstance(found, str):
                self.code, said = found, response.json().get("error_description")
            else:
                reasons = [each.get("reason") for each in found.get("errors") or ()]
                self.code, said = str(next(iter(reasons), None) or found.get("code") or ""), found.get("message")
        except (ValueError, KeyError, TypeError, AttributeError):
            self.code, said = "", None
        super().__init__(str(said or ""))
        self.response = response


class Token(NamedTuple):
    """What a request is allowed by, and for how many seconds."""

    value: str
    seconds: float


class TokenHolder:
    """Gets a token when one is needed, and another before it ends; threads share it."""

    def __init__(self, fetch: Callable[[], Token]) -> None:
        """Prepare; `fetch` gets a new token."""
        self._fetch = fetch
        self._lock = threading.Lock()
        self._value, self._until = "", 0.0

    def value(self) -> str:
        """Return a token that holds for a while."""
        with self._lock:
            if time.monotonic() >= self._until:
                token = self._fetch()
                self._value, self._until = token.value, time.monotonic() + token.seconds - _EARLY_S
            return self._value


class JsonApi:
    """Reads JSON and files. What is transient is tried again, as slowly as the service says."""

    def __init__(self, client: httpx.Client, tokens: TokenHolder) -> None:
        """Wrap a client, which whoever opened it closes."""
        self._client, self._tokens = client, tokens

    @classmethod
    @contextmanager
    def open(cls, base_url: str, tokens: TokenHolder) -> Generator[Self]:
        """Open a client for one service."""
        with open_blocking(base_url, timeout_s=_TIMEOUT_S, headers={}) as client:
            yield cls(client, tokens)

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Get a JSON object; ApiError, or MalformedError where it is none."""
        return self._ask("GET", path, params=params)

    def post(self, path: str, body: Any) -> dict[str, Any]:
        """Send JSON and get a JSON object; errors as `get`."""
        return self._ask("POST", path, json=body)

    def download(self, path: str, limit: int, params: Mapping[str, Any] | None = None) -> bytes:
        """Get a file of at most `limit` bytes; DocumentError, without a uri, of a larger one.

        A redirect is followed. httpx gives the token to no other host.
        """

        def fetch() -> bytes:
            options: Any = {"params": params, "headers": self._headers(), "follow_redirects": True}
            with self._client.stream("GET", path, **options) as response:
                if response.status_code >= 400:
                    response.read()
                    raise ApiError(response)
                data = bytearray()
                for part in response.iter_bytes():
                    data += part
                    if len(data) > limit:
                        raise DocumentError("", f"more than max_size ({limit:,} bytes); raise max_size")
                return bytes(data)

        return patiently(fetch, transient)

    def pages(
        self, path: str, follow: Callable[[dict[str, Any]], tuple[str, Mapping[str, Any] | None] | None],
        params: Mapping[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """Stream the pages of a listing; `follow` says where the next one is, None after the last.

        MalformedError where a page leads to itself: it would never end.
        """
        place: tuple[str, Mapping[str, Any] | None] | None = (path, params)
        while place is not None:
            answer = self.get(*place)
            yield answer
            following = follow(answer)
            if following == place:
                raise MalformedError("a page of the listing whose next page is itself")
            place = following

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._tokens.value()}"}

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        def ask() -> httpx.Response:
            # The address may be that of a next page: the token goes to the service only.
            target, own = self._client.build_request(method, path).url, self._client.base_url
            if (target.scheme, target.host, target.port) != (own.scheme, own.host, own.port):
                raise MalformedError(f"a page of the listing leads to another host, {target.host}")
            return checked_answer(self._client.request(method, path, headers=self._headers(), **options))

        answer = patiently(ask, transient)
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise MalformedError(f"{answer.url.path} is no JSON object")
        return found


def checked_answer(response: httpx.Response) -> httpx.Response:
    """Return an answer that is a success; ApiError for others, and for redirects, which no API sends here."""
    if response.status_code >= 300:
        raise ApiError(response)
    return response


def transient(error: Exception) -> bool | float:
    """Tell whether a request may succeed later, and after how many seconds if the service says so."""
    import httpx

    if isinstance(error, httpx.TransportError):
        return True
    if not isinstance(error, ApiError):
        return False
    # Google answers too many requests with 403 as well as with 429.
    if error.response.status_code not in AGAIN and error.code not in SLOWER:
        return False
    waits = retry_after_s(error.response.headers)
    return True if waits is None else min(waits, LONGEST_RETRY_AFTER_S)
