"""The client all services are called with; only `media/fetch`, the emulator and `events/events_api.py` have others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import version
from typing import Any

import httpx
from httpx import ConnectError, RequestError, Response, TimeoutException

__all__ = [
    "Client",
    "ConnectError",
    "RequestError",
    "Response",
    "TimeoutException",
    "open_client",
    "retry_after_s",
]


def open_client(*, timeout_s: float, connections: int, headers: Mapping[str, str] | None = None) -> Client:
    """Open a client for one service; close it with `aclose()`.

    Args:
        timeout_s: seconds without progress after which a request fails; connecting gets at most ten of them.
        connections: requests that may be open at once.
        headers: sent with every request, e.g. the key.
    """
    # They log several lines per request, which would bury what a run has to say, and headers, which may hold a key.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return Client(
        connections,
        verify=_trusted(),
        # No pool timeout: the embedder's own limit decides who waits, and a long wait there is no failure.
        timeout=httpx.Timeout(timeout_s, connect=min(10.0, timeout_s), pool=None),
        headers={"user-agent": f"relance/{version('relance')}", **(headers or {})},
    )


class Client:
    """Makes requests to one service, each over a connection that has no other; those over the limit wait.

    httpx's own pool looks at all its connections for each request and hands one to all who wait for any: 700 requests,
    64 at a time, took it 11 s of computing, and this 2.2 s.
    """

    def __init__(self, connections: int, **options: Any) -> None:
        self._slots = asyncio.Semaphore(connections)
        single = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        self._options: dict[str, Any] = options | {"limits": single}
        self._opened: list[httpx.AsyncClient] = []
        self._free: list[httpx.AsyncClient] = []

    async def request(self, method: str, url: str, **options: Any) -> Response:
        """Make a request and read the whole answer; see `httpx.AsyncClient.request`."""
        async with self._one() as client:
            return await client.request(method, url, **options)

    @contextlib.asynccontextmanager
    async def stream(self, method: str, url: str, **options: Any) -> AsyncGenerator[Response]:
        """Make a request whose answer is read in the block; see `httpx.AsyncClient.stream`."""
        async with self._one() as client, client.stream(method, url, **options) as response:
            yield response

    async def aclose(self) -> None:
        """Close the connections."""
        while self._opened:
            await self._opened.pop().aclose()

    @contextlib.asynccontextmanager
    async def _one(self) -> AsyncGenerator[httpx.AsyncClient]:
        async with self._slots:
            if not self._free:
                self._free.append(httpx.AsyncClient(**self._options))
                self._opened.append(self._free[-1])
            client = self._free.pop()  # the one used last: what is idle for long gets closed at the other end
            try:
                yield client
            finally:
                self._free.append(client)


@cache
def _trusted() -> ssl.SSLContext:
    """Load the certificates services are trusted by, once: it takes a tenth of a second."""
    return httpx.create_ssl_context()


def retry_after_s(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Read how long a service asks to wait, in seconds (≥ 0), or None where it does not say.

    Understands `retry-after-ms` and both forms of `Retry-After`, seconds and an HTTP date.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        date = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    if date.tzinfo is None:  # "-0000" means: UTC, sender's zone unknown
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
