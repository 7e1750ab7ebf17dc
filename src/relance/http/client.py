"""The clients services are called with; only `fetch`, which checks addresses, and the emulator have others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import httpx
from httpx import RequestError, Response, TimeoutException

from relance.http.certificates import trusted
from relance.http.proxies import proxy_for

if TYPE_CHECKING:
    import ssl

__all__ = ["Client", "RequestError", "Response", "TimeoutException", "open_blocking", "open_client", "retry_after_s"]


def open_client(*, timeout_s: float, connections: int, headers: Mapping[str, str] | None = None) -> Client:
    """Open a client for one service; close it with `aclose()`.

    Args:
        timeout_s: seconds without progress after which a request fails; connecting gets at most ten of them.
        connections: requests that may be open at once.
        headers: sent with every request, e.g. the key.
    """
    _quiet()
    return Client(
        connections,
        verify=trusted(),
        # No pool timeout: the embedder's own limit decides who waits, and a long wait there is no failure.
        timeout=httpx.Timeout(timeout_s, connect=min(10.0, timeout_s), pool=None),
        headers={"user-agent": f"relance/{version('relance')}", **(headers or {})},
        trust_env=False,  # what it says of proxies and certificates is read by us
    )


def open_blocking(base_url: str, *, timeout_s: float, headers: Mapping[str, str],
                  verify: ssl.SSLContext | None = None) -> httpx.Client:  # fmt: skip
    """Open a client for code that is not async, for one service; the arguments are those of `open_client`.

    `verify` replaces the certificates that are trusted otherwise.
    """
    _quiet()
    proxy = proxy_for(base_url)
    return httpx.Client(
        base_url=base_url,
        timeout=timeout_s,
        headers=dict(headers),
        verify=verify or trusted(),
        proxy=proxy.address if proxy else None,
        trust_env=False,
    )


def _quiet() -> None:
    """Keep httpx from logging several lines per request, which would bury what a run says, and headers with keys."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


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
        self._free: dict[str | None, list[httpx.AsyncClient]] = {}  # by the proxy they go through

    async def request(self, method: str, url: str, **options: Any) -> Response:
        """Make a request and read the whole answer; see `httpx.AsyncClient.request`."""
        async with self._one(url) as client, self._answered(url):
            return await client.request(method, url, **options)

    @contextlib.asynccontextmanager
    async def stream(self, method: str, url: str, **options: Any) -> AsyncGenerator[Response]:
        """Make a request whose answer is read in the block; see `httpx.AsyncClient.stream`."""
        async with self._one(url) as client, contextlib.AsyncExitStack() as exits:
            async with self._answered(url):
                response = await exits.enter_async_context(client.stream(method, url, **options))
            yield response

    async def aclose(self) -> None:
        """Close the connections."""
        while self._opened:
            await self._opened.pop().aclose()

    @contextlib.asynccontextmanager
    async def _answered(self, url: str) -> AsyncGenerator[None]:
        """Bound a request through a SOCKS proxy as a whole: httpcore waits for such a proxy itself without an end."""
        proxy = proxy_for(url)
        timeout: httpx.Timeout = self._options["timeout"]
        limit = (timeout.connect or 0.0) + (timeout.read or 0.0) if proxy and "socks" in proxy.address[:5] else None
        try:
            async with asyncio.timeout(limit):
                yield
        except TimeoutError as error:
            raise httpx.ReadTimeout("nothing came") from error

    @contextlib.asynccontextmanager
    async def _one(self, url: str) -> AsyncGenerator[httpx.AsyncClient]:
        proxy = found.address if (found := proxy_for(url)) else None
        free = self._free.setdefault(proxy, [])
        async with self._slots:
            if not free:
                free.append(httpx.AsyncClient(**self._options, proxy=proxy))
                self._opened.append(free[-1])
            client = free.pop()  # the one used last: what is idle for long gets closed at the other end
            try:
                yield client
            finally:
                free.append(client)


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
