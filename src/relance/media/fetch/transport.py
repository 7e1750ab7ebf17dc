"""A network that connects to public addresses only, whatever a name resolves to at that moment."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import httpcore

from relance.errors import InputError
from relance.media.fetch.addresses import literal, why_inward
from relance.media.fetch.policy import FetchPolicy
from relance.media.fetch.syntax import UnsafeURLError
from relance.media.fetch.urls import inward

__all__ = ["GuardedBackend", "Resolver", "drain", "look_up"]

# Host and port to addresses, best first; OSError where there are none.
Resolver = Callable[[str, int], Awaitable[list[str]]]


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects by TCP after looking at the address.

    A name is looked up once and the connection goes to the very address that was checked, so a name that changes its
    answer (DNS rebinding) gains nothing. TLS is unaffected: httpcore verifies the certificate by the URL's host.
    """

    def __init__(self, policy: FetchPolicy, resolve: Resolver) -> None:
        self._policy = policy
        self._resolve = resolve
        # httpcore types a stand-in as well, for when anyio is not installed.
        self._network: httpcore.AsyncNetworkBackend = httpcore.AnyIOBackend()  # ty: ignore[invalid-assignment]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers; UnsafeURLError if any of them leads inward."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._addresses(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"looking up {host} took too long") from None
        error: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    address,
                    port,
                    # One that does not answer leaves the others their time.
                    timeout=None if timeout is None else timeout / len(addresses),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = [host] if literal(host) else await self._resolve(host, port)
        except socket.gaierror as error:
            if error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}:
                raise InputError(f"there is no host named {host}.") from None
            raise httpcore.ConnectError(f"{host} cannot be looked up now: {error.strerror}") from error
        if self._policy.allows(host, port):
            return found
        for address in found:
            read = literal(address)
            what = why_inward(read) if read is not None else "at no IP address"
            # One inward address among public ones refuses all: which one is used is not ours to leave to chance.
            if what:
                raise UnsafeURLError(inward(host, what if address == host else f"at {address}, {what}"))
        return found


async def look_up(host: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def drain(response: httpcore.Response) -> None:
    """Read a body nobody wants if it is small and quick: closing it unread would close the connection as well."""
    read = 0
    with suppress(TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        async with asyncio.timeout(1.0):
            async for part in response.aiter_stream():
                read += len(part)
                if read > 16 * 1024:
                    return
