"""Connections to public addresses, kept open for the next request to the same server."""

from __future__ import annotations

import contextlib
import logging
import ssl
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

import httpcore

if TYPE_CHECKING:
    from relance.fetch.tunnel import Tunnel
    from relance.fetch.ways import Way

__all__ = ["Connections"]

_KEPT_S = 30.0

_Origin = tuple[bytes, bytes, int | None]


class Connections:
    """Makes requests, each over a connection that has no other; idle ones stay open, up to a number.

    httpcore by itself and not httpx's client: the client's proxies (they would resolve names for us, out of our sight),
    cookies, passwords from .netrc, redirects and unbounded decompression are all unwanted here. And without httpcore's
    pool, which looks at all its connections for each request.
    """

    def __init__(self, idle: int, certificates: Callable[[], ssl.SSLContext]) -> None:
        """Open nothing yet; `idle` connections are kept at most, `certificates` are asked for what is trusted."""
        # It would write whole URLs, with what is secret in their queries, at level DEBUG.
        logging.getLogger("httpcore").setLevel(logging.WARNING)
        self._most, self._certificates = idle, certificates
        self._idle: OrderedDict[httpcore.AsyncHTTPConnection, _Origin] = OrderedDict()  # oldest first
        self._by_origin: dict[_Origin, list[httpcore.AsyncHTTPConnection]] = {}

    @contextlib.asynccontextmanager
    async def stream(self, request: httpcore.Request, way: Way) -> AsyncGenerator[httpcore.Response]:
        """Make a request whose body is read in the block; what is left unread closes the connection.

        Raises what httpcore does; ProxyFailedError, too, and what the way's network raises.
        """
        url = request.url
        origin = url.scheme, url.host, url.port
        if way.proxy is not None and way.passes_on:
            request = _to_proxy(request, way.proxy)
        connection = await self._take(origin, request.url.origin, way)
        try:
            response = await connection.handle_async_request(request)
            try:
                if way.proxy is not None and way.passes_on:
                    if response.status == 407:
                        raise way.proxy.bar_login()
                    way.proxy.breaker.answered()
                yield response
            finally:
                await response.aclose()
        finally:
            if connection.is_idle() and not connection.is_closed():
                await self._give(origin, connection)
            else:
                await connection.aclose()

    async def aclose(self) -> None:
        """Close what is open."""
        while self._idle:
            await self._drop(*self._idle.popitem())

    async def _take(self, key: _Origin, origin: httpcore.Origin, way: Way) -> httpcore.AsyncHTTPConnection:
        free = self._by_origin.get(key, [])
        while free:
            connection = free.pop()  # the one used last: what is idle for long gets closed at the other end
            del self._idle[connection]
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            origin,
            ssl_context=self._certificates() if origin.scheme == b"https" else None,
            keepalive_expiry=_KEPT_S,
            network_backend=way.network,
        )

    async def _give(self, origin: _Origin, connection: httpcore.AsyncHTTPConnection) -> None:
        self._idle[connection] = origin
        self._by_origin.setdefault(origin, []).append(connection)
        if len(self._idle) > self._most:
            await self._drop(*self._idle.popitem(last=False))

    async def _drop(self, connection: httpcore.AsyncHTTPConnection, origin: _Origin) -> None:
        free = self._by_origin[origin]
        free.remove(connection)
        if not free:
            del self._by_origin[origin]
        await connection.aclose()


def _to_proxy(request: httpcore.Request, proxy: Tunnel) -> httpcore.Request:
    """Ask a proxy to make a request: the whole address in the first line, and what the proxy knows us by."""
    host, port = proxy.proxy.place
    place = dict(request.headers)[b"Host"]
    target = b"http://%b%b" % (place, request.url.target)
    # TLS to the proxy, if it has any, is the network's business.
    url = httpcore.URL(scheme=b"http", host=host.encode(), port=port, target=target)
    headers = [*request.headers, *proxy.headers]
    return httpcore.Request(request.method, url, headers=headers, extensions=request.extensions)
