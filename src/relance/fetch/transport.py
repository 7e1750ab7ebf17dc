"""A network that connects to public addresses only, whatever a name resolves to at that moment."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import httpcore

from relance.errors import InputError
from relance.fetch.addresses import literal, why_inward
from relance.fetch.policy import FetchPolicy
from relance.fetch.syntax import UnsafeURLError
from relance.fetch.urls import inward

__all__ = ["GuardedBackend", "Resolver", "drain", "look_up"]

# Where a proxy looks names up, those that this machine knows are checked all the same, if it knows them this soon:
# without a name server for the outside, a look-up may take its ten seconds to fail.
_GLANCE_S = 2.0

# Host and port to addresses, best first; OSError where there are none.
Resolver = Callable[[str, int], Awaitable[list[str]]]


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects by TCP after looking at the address.

    A name is looked up once and the connection goes to the very address that was checked, so a name that changes its
    answer (DNS rebinding) gains nothing. TLS is unaffected: httpcore verifies the certificate by the URL's host.
    """

    def __init__(
        self, policy: FetchPolicy, resolve: Resolver, network: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        """Connect by `network` if given: a proxy, which gets addresses, or names where it is to look them up."""
        self._policy, self._resolve = policy, resolve
        # httpcore types a stand-in as well, for when anyio is not installed.
        self._network: httpcore.AsyncNetworkBackend = network or httpcore.AnyIOBackend()  # ty: ignore[invalid-assignment]
        self._proxied = network is not None
        self._by_name = self._proxied and policy.proxy_dns
        self._unknown: set[str] = set()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers; UnsafeURLError if any of them leads inward."""
        error: Exception = httpcore.ConnectError(f"{host} has no address")
        addresses = await self.addresses(host, port, timeout)
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

    async def addresses(self, host: str, port: int, timeout: float | None) -> list[str]:  # noqa: ASYNC109
        """Return what to connect to: checked addresses, or the name where a proxy looks names up.

        Raises UnsafeURLError, InputError where there is no such name, and ConnectError and ConnectTimeout of httpcore.
        """
        if self._by_name and host in self._unknown:
            return [host]
        try:
            async with asyncio.timeout(min(timeout or _GLANCE_S, _GLANCE_S) if self._by_name else timeout):
                found = [host] if literal(host) else await self._resolve(host, port)
        except (TimeoutError, socket.gaierror) as error:
            if self._by_name:  # what only the proxy can look up is for it to judge
                self._unknown.add(host)
                return [host]
            if isinstance(error, TimeoutError):
                raise httpcore.ConnectTimeout(f"looking up {host} took too long") from None
            if error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}:
                hint = (
                    f"; if only the proxy can look it up, set {self._policy.section}.proxy_dns: true"
                    if self._proxied
                    else ""
                )
                raise InputError(f"there is no host named {host}{hint}.") from None
            raise httpcore.ConnectError(f"{host} cannot be looked up now: {error.strerror}") from error
        if not self._policy.allows(host, port):
            _check(host, found, self._policy.section)
        return [host] if self._by_name else found


def _check(host: str, found: list[str], section: str) -> None:
    for address in found:
        read = literal(address)
        what = why_inward(read) if read is not None else "at no IP address"
        # One inward address among public ones refuses all: which one is used is not ours to leave to chance.
        if what:
            raise UnsafeURLError(inward(host, what if address == host else f"at {address}, {what}", section))


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
