"""A network behind a proxy, and whether the proxy lives."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterable

import httpcore

from relance.errors import RetryableError
from relance.fetch.breaker import Breaker
from relance.fetch.clock import Clock
from relance.fetch.socks import SocksRefusal, ask_socks
from relance.http.proxies import Proxy

__all__ = ["ProxyFailedError", "ProxyRefusesError", "Tunnel"]

_LOGIN = "wants another user or password"


class ProxyFailedError(RetryableError):
    """The proxy is at fault, not the host behind it."""


class ProxyRefusesError(RetryableError):
    """The proxy lives, and does not let us to this host."""


class Tunnel(httpcore.AsyncNetworkBackend):
    """Connects by one proxy: HTTP's CONNECT, or SOCKS5. It may be at any address, since the operator has named it.

    Attributes:
        proxy: by which.
        breaker: counts failures that are the proxy's own.
    """

    def __init__(
        self, proxy: Proxy, clock: Clock, certificates: Callable[[], ssl.SSLContext], *, by_name: bool, section: str
    ) -> None:
        """Open nothing yet; `certificates` are asked for by a proxy with TLS, the rest is for what is said."""
        self.proxy = proxy
        self.breaker = Breaker(str(proxy), clock)
        self._clock, self._certificates, self._by_name, self._section = clock, certificates, by_name, section
        self._network: httpcore.AsyncNetworkBackend = httpcore.AnyIOBackend()  # ty: ignore[invalid-assignment]
        self._user = proxy.user

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What the proxy knows us by; for requests to the proxy itself only."""
        if self._user is None:
            return []
        return [(b"Proxy-Authorization", b"Basic " + b64encode(":".join(self._user).encode()))]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,  # noqa: ARG002  # that of the proxy is used
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a host behind the proxy.

        Raises ProxyFailedError, ProxyRefusesError; ConnectError and ConnectTimeout of httpcore where it is the host.
        """
        began = self._clock.now()
        stream = await self.reach(timeout)
        found = None
        try:
            async with asyncio.timeout(timeout):
                found = await self._ask(stream, host, port)
        except (TimeoutError, httpcore.TimeoutException):
            # Mostly it waits for the host. One that has never let us through may be what is silent.
            if not self.breaker.good:
                self.breaker.failed(began, "it did not answer.", silent=True)
            raise httpcore.ConnectTimeout(f"nothing came through {self.proxy}") from None
        except (httpcore.ReadError, httpcore.WriteError, httpcore.ProtocolError) as error:
            raise self._failed(began, f"{self.proxy} does not answer as one: {_words(error)}.") from error
        finally:
            if found is None:
                await stream.aclose()
        self.breaker.answered()
        return found

    async def reach(self, timeout: float | None) -> httpcore.AsyncNetworkStream:  # noqa: ASYNC109
        """Connect to the proxy itself; ProxyFailedError."""
        began = self._clock.now()
        host, port = self.proxy.place
        try:
            stream = await self._network.connect_tcp(host, port, timeout)
            if self.proxy.scheme == "https":
                stream = await stream.start_tls(self._certificates(), host, timeout)
        except httpcore.ConnectTimeout:
            why = f"cannot reach {self.proxy}: no connection within {timeout:g} s."
            raise self._failed(began, why, silent=True) from None
        except httpcore.ConnectError as error:
            if error.args and isinstance(cause := error.args[0], ssl.SSLCertVerificationError):
                raise self.bar(f"is not trusted: {cause.verify_message.rstrip('.')}") from error
            raise self._failed(began, f"cannot reach {self.proxy}: {_words(error)}.") from error
        return stream

    def bar(self, why: str) -> ProxyFailedError:
        """Give the proxy up at once, since waiting does not help; returns what to raise."""
        self.breaker.give_up(f"because it {why}.")
        return ProxyFailedError(f"{self.proxy} {why}.")

    def bar_login(self) -> ProxyFailedError:
        """Give up a proxy that does not take our user and password (407)."""
        return self.bar(f"{_LOGIN} (407)")

    async def _ask(self, stream: httpcore.AsyncNetworkStream, host: str, port: int) -> httpcore.AsyncNetworkStream:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if self.proxy.scheme.startswith("socks"):
            try:
                await ask_socks(stream, host, port, self._user)
            except SocksRefusal as refusal:
                if refusal.login:
                    raise self.bar(f"{_LOGIN} ({refusal})") from None
                raise self._refusal(where, str(refusal), by_rule=refusal.by_rule) from None
            return stream
        name, its_port = self.proxy.place
        origin = httpcore.Origin(b"http", name.encode(), its_port)
        connection = httpcore.AsyncHTTP11Connection(origin, stream)
        url = httpcore.URL(scheme=b"http", host=name.encode(), port=its_port, target=where.encode())
        headers = [(b"Host", where.encode()), *self.headers]
        response = await connection.handle_async_request(httpcore.Request("CONNECT", url, headers=headers))
        if 200 <= response.status < 300:
            return response.extensions["network_stream"]
        if response.status == 407:
            raise self.bar_login()
        raise self._refusal(where, str(response.status), by_rule=response.status < 500)

    def _refusal(self, where: str, why: str, *, by_rule: bool) -> Exception:
        """Say what a refusal means: the proxy's rules, or a host that cannot be reached."""
        self.breaker.answered()
        if not by_rule:
            return httpcore.ConnectError(f"{self.proxy} cannot connect to {where} ({why})")
        hint = "" if self._by_name else f"; if it wants names, set {self._section}.proxy_dns: true"
        return ProxyRefusesError(f"{self.proxy} refuses to connect to {where} ({why}){hint}.")

    def _failed(self, began: float, reason: str, *, silent: bool = False) -> ProxyFailedError:
        self.breaker.failed(began, reason, silent=silent)
        return ProxyFailedError(reason)


def _words(error: Exception) -> str:
    return (str(error)[:200] or "it hung up").rstrip(".")
