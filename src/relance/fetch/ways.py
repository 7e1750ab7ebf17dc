"""How hosts are reached: directly, or through a proxy."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass

import httpcore
import httpx

from relance.fetch.clock import Clock
from relance.fetch.policy import FetchPolicy
from relance.fetch.transport import GuardedBackend, Resolver
from relance.fetch.tunnel import Tunnel
from relance.http.certificates import trusted

__all__ = ["Way", "Ways"]


@dataclass(slots=True, frozen=True)
class Way:
    """How one server is reached.

    Attributes:
        network: connects to it, or to the proxy that is to pass requests on.
        proxy: by which, if any.
        passes_on: whether the proxy makes the request; else it only connects.
    """

    network: httpcore.AsyncNetworkBackend
    proxy: Tunnel | None = None
    passes_on: bool = False


class Ways:
    """Finds the way to each server, and remembers it; one tunnel a proxy."""

    def __init__(
        self, policy: FetchPolicy, resolve: Resolver, clock: Clock, certificates: ssl.SSLContext | None
    ) -> None:
        """Know nothing yet; `certificates` are trusted instead of the environment's."""
        self._policy, self._resolve, self._clock, self._given = policy, resolve, clock, certificates
        self._direct = Way(GuardedBackend(policy, resolve))
        self._tunnels: dict[str, tuple[Tunnel, GuardedBackend]] = {}
        self._known: dict[str, Way] = {}

    def certificates(self) -> ssl.SSLContext:
        """Return what is trusted; loaded when it is first needed, since that takes a tenth of a second."""
        if self._given is None:
            self._given = trusted()
        return self._given

    def to(self, url: httpx.URL) -> Way:
        """Find the way to a server; ConfigurationError for a proxy nobody can use."""
        server = f"{url.scheme}://{url.netloc.decode('ascii')}"
        if server not in self._known:
            self._known[server] = self._find(server, url)
        return self._known[server]

    def _find(self, server: str, url: httpx.URL) -> Way:
        proxy = self._policy.proxy_for(server)
        if proxy is None:
            return self._direct
        if proxy.address not in self._tunnels:
            tunnel = Tunnel(proxy, self._clock, self.certificates, by_name=self._policy.proxy_dns,
                            section=self._policy.section)  # fmt: skip
            self._tunnels[proxy.address] = tunnel, GuardedBackend(self._policy, self._resolve, tunnel)
        tunnel, guarded = self._tunnels[proxy.address]
        # Only a proxy that gets names can be asked to make the request itself: it takes the host from the address and
        # not from our `Host` (RFC 9112, 3.2.2), so an address in place of the name would be another site.
        if self._policy.proxy_dns and url.scheme == "http" and proxy.scheme.startswith("http"):
            passing = _PassingOn(tunnel, guarded, url.raw_host.decode("ascii"), url.port or 80)
            return Way(passing, tunnel, passes_on=True)
        return Way(guarded, tunnel)


class _PassingOn(httpcore.AsyncNetworkBackend):
    """Connects to a proxy, after a look at the host that it will be asked for."""

    def __init__(self, tunnel: Tunnel, guarded: GuardedBackend, host: str, port: int) -> None:
        self._tunnel, self._guarded, self._host, self._port = tunnel, guarded, host, port

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002  # the proxy's
        port: int,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        await self._guarded.addresses(self._host, self._port, timeout)
        return await self._tunnel.reach(timeout)
