"""The proxy by which a request leaves this machine, as the environment or a spec names it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from relance.errors import ConfigurationError

__all__ = ["LOOPBACK", "Proxy", "proxy_for", "read_proxy", "spare_loopback"]

# What NO_PROXY has to name for a client of others, such as Prefect's, to find a server on this machine.
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


@dataclass(slots=True, frozen=True)
class Proxy:
    """A proxy.

    Attributes:
        address: with user and password, if it has those; not for messages.
        variable: that names it, or the key of a spec.
    """

    address: str = field(repr=False)
    variable: str

    @property
    def scheme(self) -> str:
        """`http`, `https`, `socks5` or `socks5h`."""
        return urlsplit(self.address).scheme

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.address)
        return parts.hostname or "", parts.port or _PORTS[parts.scheme]

    @property
    def user(self) -> tuple[str, str] | None:
        """User and password."""
        parts = urlsplit(self.address)
        return None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))

    def __str__(self) -> str:
        parts = urlsplit(self.address)
        return f"the proxy {parts.scheme}://{parts.netloc.rpartition('@')[2]} ({self.variable})"


def proxy_for(url: str, named: Proxy | None = None) -> Proxy | None:
    """Find the proxy for an address, None where it is called directly.

    The one that is `named`, else HTTPS_PROXY or HTTP_PROXY by its scheme, else ALL_PROXY, in either case, unless
    NO_PROXY names its host (or network, such as 10.0.0.0/8); where none is set, the system's settings on macOS and
    Windows. This machine is called directly. Raises ConfigurationError for a proxy nobody can use.
    """
    parts = urlsplit(url)
    host, proxies = parts.hostname or "", getproxies()
    kind = next((name for name in (parts.scheme, "all") if proxies.get(name)), None)
    if (named is None and kind is None) or _direct(host, parts.netloc.rpartition("@")[2], proxies.get("no", "")):
        return None
    if named is not None or kind is None:
        return named
    names = (f"{kind}_proxy", f"{kind}_proxy".upper())
    return read_proxy(proxies[kind], next((name for name in names if os.environ.get(name)), "the system's settings"))


def read_proxy(address: str, variable: str) -> Proxy:
    """Read the address of a proxy; ConfigurationError, without the address, for one nobody can use."""
    address = address if "://" in address else f"http://{address}"
    try:
        read = urlsplit(address)
        usable = read.scheme in _PORTS and read.hostname and read.port != 0
    except ValueError:
        usable = False
    if not usable:
        msg = f"{variable} names no proxy that can be used; write it like http://host:3128 or socks5://host:1080"
        raise ConfigurationError(msg)
    return Proxy(address, variable)


def spare_loopback() -> None:
    """Add this machine to NO_PROXY of this process and those it starts, for clients that are not ours.

    Without it Prefect's client asks for its own temporary server through HTTP_PROXY.
    """
    names = ("no_proxy", "NO_PROXY")
    for name in [name for name in names if name in os.environ] or names:
        there = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
        if "*" not in there:
            os.environ[name] = ",".join([*there, *(host for host in LOOPBACK if host not in there)])


def _direct(host: str, place: str, spared: str) -> bool:
    if not host or host == "localhost" or host.endswith(".localhost") or proxy_bypass(place):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if address.is_loopback:
        return True
    return any(address in network for network in _networks(spared))


def _networks(spared: str) -> Iterator[IPv4Network | IPv6Network]:
    for part in spared.split(","):
        with contextlib.suppress(ValueError):
            yield ip_network(part.strip(), strict=False)
