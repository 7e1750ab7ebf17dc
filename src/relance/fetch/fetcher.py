"""One fetch from beginning to end: conditions, redirects, attempts."""

from __future__ import annotations

import asyncio
import random
import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relance.errors import InputError, RateLimitedError, RelanceError, RetryableError
from relance.fetch.answers import Answers
from relance.fetch.breaker import HostGivenUpError
from relance.fetch.clock import Clock
from relance.fetch.exchange import Exchange, Look
from relance.fetch.fetched import BusyError, Fetched, NoAnswerError, copied
from relance.fetch.host import Host
from relance.fetch.policy import FetchPolicy
from relance.fetch.syntax import UnsafeURLError
from relance.fetch.urls import parse_url, shown

if TYPE_CHECKING:
    import httpx

    from relance.fetch.transport import Resolver
    from relance.fetch.ways import Way

__all__ = ["Fetcher"]

# A validator goes back as it came, in a header; longer ones than any server makes are not sent.
_VALIDATOR = re.compile(r"[ -~\x80-\xff]{1,1024}")
# A host that answers others well and always refuses one address means that address.
_REFUSALS = 8


@dataclass(slots=True)
class _Left:
    """Seconds a fetch may still spend in requests: waiting for a turn or a pause is not its fault."""

    seconds: float


class Fetcher:
    """Fetches URLs under one policy; hosts are shared by all fetches. Belongs to one event loop; `aclose()` it."""

    def __init__(self, policy: FetchPolicy, *, resolve: Resolver | None = None, trusted: ssl.SSLContext | None = None,
                 clock: Clock | None = None, look: Look | None = None) -> None:  # fmt: skip
        """Open nothing yet.

        Args:
            policy: what may be fetched.
            resolve: replaces the system's resolver.
            trusted: the certificates to trust instead.
            clock: replaces the machine's.
            look: is shown the first bytes of a large body; it may raise InputError.
        """
        from relance.fetch.connections import Connections
        from relance.fetch.transport import look_up
        from relance.fetch.ways import Ways

        self._policy = policy
        self._clock = clock or Clock()
        self._ways = Ways(policy, resolve or look_up, self._clock, trusted)
        self._connections = Connections(policy.connections, self._ways.certificates)
        self._exchange = Exchange(policy, self._connections, self._clock, look)
        self._slots = asyncio.Semaphore(policy.connections)
        self._answers = Answers()
        self._hosts: dict[str, Host] = {}

    async def fetch(
        self, url: str, *, etag: str = "", last_modified: str = "", fresh_until: int = 0, max_bytes: int | None = None
    ) -> Fetched:
        """Fetch a URL, or learn that it has not changed; what was asked in this run need not be asked again.

        Args:
            url: http or https.
            etag: validator from the last time, or empty.
            last_modified: the same.
            fresh_until: as the last answer had it; until then nobody is asked.
            max_bytes: replaces the policy's limit; such a fetch is not shared with others.

        Raises:
            UnsafeURLError: the URL, or one it redirects to, is refused.
            InputError: it is not there or asks for a login; RefusedBodyError if it is too large or of no use.
            RetryableError: it cannot be had now; RateLimitedError if the server said when.
        """
        try:
            parsed = parse_url(url, self._policy)
        except UnsafeURLError as error:
            raise UnsafeURLError(f"{shown(url)}: {error}") from None
        given = {"if-none-match": etag, "if-modified-since": last_modified}
        conditions = {name: value for name, value in given.items() if value and _VALIDATOR.fullmatch(value)}
        if self._policy.is_fresh(self._clock.date(), fresh_until):
            return Fetched(url, b"", 0, "", "", etag, last_modified, unchanged=True, fresh_until=fresh_until)
        if max_bytes is not None:
            return await self._attempts(url, parsed, conditions, max_bytes)
        limit = self._policy.max_bytes
        key = conditions.get("if-none-match", ""), conditions.get("if-modified-since", "")
        return await self._answers.once(url, key, lambda: self._attempts(url, parsed, conditions, limit))

    def slow_down(self, url: str, pause_s: float) -> None:
        """Begin requests to the host of a URL so many seconds apart, unless they are begun more seldom already."""
        self._host(parse_url(url, self._policy)).slow_down(pause_s)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    async def _attempts(self, start: str, parsed: httpx.URL, conditions: dict[str, str], limit: int) -> Fetched:
        """Fetch, and again after what may pass."""
        left = _Left(self._policy.timeout_s)
        attempt = 1
        while True:
            try:
                return await self._follow(start, parsed, conditions, limit, left)
            except (RateLimitedError, HostGivenUpError) as error:
                raise _plain(error) from None
            except RetryableError as error:
                if attempt >= self._policy.attempts or left.seconds <= 0:
                    raise _plain(error) from None
            await self._clock.sleep(min(5.0, 0.5 * 2.0 ** (attempt - 1)) * random.uniform(1.0, 1.5))  # noqa: S311
            attempt += 1

    async def _follow(self, start: str, url: httpx.URL, conditions: dict[str, str], limit: int, left: _Left) -> Fetched:
        """Ask for a URL and for the ones it redirects to; every error says at which of them it happened."""
        where = shown(start)
        for _ in range(self._policy.max_redirects + 1):
            try:
                found = await self._ask(url, conditions, limit, left)
            except RelanceError as error:
                raise copied(error, f"{where}: {error}") from error
            if isinstance(found, Fetched):
                return found
            url = found
            where = f"{shown(start)}, redirected to {shown(str(url))}"
        raise InputError(f"{shown(start)}: it redirects more than {self._policy.max_redirects} times.")

    async def _ask(self, url: httpx.URL, conditions: dict[str, str], limit: int, left: _Left) -> Fetched | httpx.URL:
        """Make one request when it is its turn, and again where the host only asked to come back later."""
        from relance.fetch.tunnel import ProxyFailedError, ProxyRefusesError

        host, way = self._host(url), self._ways.to(url)
        alone = 0.0
        for refused in range(_REFUSALS):
            if alone:
                await self._clock.sleep(alone)
            began = await host.enter(again=refused == 1)
            try:
                found = await self._request(host, way, url, conditions, limit, left)
            except BusyError as busy:
                if busy.status != 429 and busy.pause_s is None and not host.breaker.good:  # it is down, not busy
                    host.failed(began, str(busy), silent=False)
                    raise
                alone = host.refused(began, busy.status, busy.pause_s, again=refused > 0)
                refusal = busy
                continue
            except NoAnswerError as error:
                host.failed(began, str(error), silent=error.silent)
                raise
            except ProxyRefusesError as error:
                host.refused_by_proxy(str(error))
                raise
            except (UnsafeURLError, ProxyFailedError, HostGivenUpError):
                raise
            except RelanceError:
                host.answered(again=refused > 0)
                raise
            finally:
                host.leave()
            host.answered(again=refused > 0)
            return found
        msg = f"{str(refusal).rstrip('.')}, {_REFUSALS} times, while it answers others."
        raise RateLimitedError(msg, retry_after_s=refusal.pause_s)

    async def _request(
        self, host: Host, way: Way, url: httpx.URL, conditions: dict[str, str], limit: int, left: _Left
    ) -> Fetched | httpx.URL:
        async with self._slots:
            if way.proxy is not None:  # as late as this: many hosts wait here for one proxy
                await way.proxy.breaker.enter()
            loop = asyncio.get_running_loop()
            started = loop.time()
            try:
                async with asyncio.timeout(left.seconds):
                    return await self._exchange.ask(url, way, host.rules.headers, conditions, limit)
            except TimeoutError:
                left.seconds = 0.0
                msg = f"it did not arrive within {self._policy.timeout_s:g} s."
                raise NoAnswerError(msg, silent=True) from None
            finally:
                left.seconds -= loop.time() - started

    def _host(self, url: httpx.URL) -> Host:
        name = url.netloc.decode("ascii")
        host = self._hosts.get(name)
        if host is None:
            policy = self._policy
            port = url.port or (443 if url.scheme == "https" else 80)
            host = self._hosts[name] = Host(
                name, policy.rules(url.raw_host.decode("ascii"), port), self._clock, connections=policy.connections,
                patience_s=policy.patience_s, section=policy.section,
            )  # fmt: skip
        return host


def _plain(error: RetryableError) -> RetryableError:
    """Drop what only the fetch itself wants to know of an error."""
    return error if isinstance(error, RateLimitedError) else RetryableError(str(error))
