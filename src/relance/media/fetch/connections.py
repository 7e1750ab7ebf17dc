"""Connections to public addresses, kept open for the next request to the same server."""

from __future__ import annotations

import contextlib
import logging
import ssl
from collections import OrderedDict
from collections.abc import AsyncGenerator

import httpcore

from relance.http.certificates import trusted

__all__ = ["Connections"]

_KEPT_S = 30.0

_Origin = tuple[bytes, bytes, int | None]


class Connections:
    """Makes requests, each over a connection that has no other; idle ones stay open, up to a number.

    httpcore by itself and not httpx's client: the client's proxies from the environment (they would resolve names for
    us, out of our sight), cookies, passwords from .netrc, redirects and unbounded decompression are all unwanted here.
    And without httpcore's pool, which looks at all its connections for each request.
    """

    def __init__(self, backend: httpcore.AsyncNetworkBackend, idle: int, certificates: ssl.SSLContext | None) -> None:
        """Open nothing yet; `idle` connections are kept at most, `certificates` is what is trusted instead."""
        # It would write whole URLs, with what is secret in their queries, at level DEBUG.
        logging.getLogger("httpcore").setLevel(logging.WARNING)
        self._backend, self._most, self._certificates = backend, idle, certificates
        self._idle: OrderedDict[httpcore.AsyncHTTPConnection, _Origin] = OrderedDict()  # oldest first
        self._by_origin: dict[_Origin, list[httpcore.AsyncHTTPConnection]] = {}

    @contextlib.asynccontextmanager
    async def stream(self, request: httpcore.Request) -> AsyncGenerator[httpcore.Response]:
        """Make a request whose body is read in the block; what is left unread closes the connection."""
        url = request.url
        origin = url.scheme, url.host, url.port
        connection = await self._take(origin, url.origin)
        try:
            response = await connection.handle_async_request(request)
            try:
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

    async def _take(self, key: _Origin, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        free = self._by_origin.get(key, [])
        while free:
            connection = free.pop()  # the one used last: what is idle for long gets closed at the other end
            del self._idle[connection]
            if not connection.has_expired():
                return connection
            await connection.aclose()
        if self._certificates is None:
            self._certificates = trusted()
        return httpcore.AsyncHTTPConnection(
            origin, ssl_context=self._certificates, keepalive_expiry=_KEPT_S, network_backend=self._backend
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
