"""One fetch from beginning to end: conditions, redirects, attempts."""

from __future__ import annotations

import asyncio
import random
import re
import ssl
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from relance.documents import digest
from relance.errors import InputError, RateLimitedError, RelanceError, RetryableError
from relance.media.fetch.body import read_body
from relance.media.fetch.policy import FetchPolicy
from relance.media.fetch.syntax import UnsafeURLError
from relance.media.fetch.urls import check_url, parse_url, shown

if TYPE_CHECKING:
    import httpcore
    import httpx

    from relance.media.fetch.transport import Resolver

__all__ = ["Fetched", "Fetcher"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
# A validator goes back as it came, in a header; longer ones than any server makes are not kept.
_VALIDATOR = re.compile(r"[ -~\x80-\xff]{1,1024}")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a URL gave.

    Attributes:
        url: where it was found in the end, after redirects.
        data: the body, unpacked; empty if unchanged.
        size: bytes of `data`.
        content_hash: as the `files` source makes it; empty if unchanged.
        media_type: as declared, lower case without parameters, e.g. `image/png`; it may be a lie.
        etag: validator for the next fetch, or empty.
        last_modified: the same, an HTTP date as sent.
        unchanged: whether the server still has what the given validators stand for.
    """

    url: str
    data: bytes
    size: int
    content_hash: str
    media_type: str
    etag: str
    last_modified: str
    unchanged: bool = False


class Fetcher:
    """Fetches URLs under one policy over one pool of connections. Belongs to one event loop; close with `aclose()`."""

    def __init__(self, policy: FetchPolicy, *, resolve: Resolver | None = None,
                 trusted: ssl.SSLContext | None = None) -> None:  # fmt: skip
        """Open the pool; `resolve` replaces the system's resolver, `trusted` the certificates it trusts."""
        from relance.media.fetch.transport import look_up, open_pool

        self._policy = policy
        self._pool = open_pool(policy, resolve or look_up, trusted)
        self._slots = asyncio.Semaphore(policy.connections)
        self._agent = f"relance/{version('relance')}".encode()

    async def fetch(
        self, url: str, *, etag: str = "", last_modified: str = "", max_bytes: int | None = None
    ) -> Fetched:
        """Fetch a URL, or learn that it has not changed.

        Args:
            url: http or https.
            etag: validator from the last time, or empty.
            last_modified: the same.
            max_bytes: replaces the policy's limit.

        Raises:
            UnsafeURLError: the URL, or one it redirects to, is refused.
            InputError: it is not there, too large, or asks for a login.
            RetryableError: it cannot be had now; RateLimitedError if the server said when.
        """
        import stamina

        check_url(url, self._policy)  # here as well, because what is refused need not wait for its turn
        loop = asyncio.get_running_loop()
        given = {"if-none-match": etag, "if-modified-since": last_modified}
        conditions = {name: value for name, value in given.items() if _VALIDATOR.fullmatch(value)}
        limit = self._policy.max_bytes if max_bytes is None else max_bytes

        def again(error: Exception) -> bool | float:
            if isinstance(error, RateLimitedError) and (pause := error.retry_after_s) is not None:
                pause += random.uniform(0.0, 0.1 + 0.1 * pause)  # noqa: S311  # so that not all come back at once
                return loop.time() + pause < deadline and pause
            return isinstance(error, RetryableError)

        attempts = stamina.retry_context(
            on=again, attempts=self._policy.attempts, timeout=None, wait_initial=0.5, wait_max=5.0, wait_jitter=0.5
        )
        async with self._slots:
            deadline = loop.time() + self._policy.timeout_s
            try:
                async with asyncio.timeout_at(deadline):
                    async for attempt in attempts:
                        with attempt:
                            return await self._follow(url, conditions, limit)
            except TimeoutError:
                msg = f"{shown(url)}: it did not arrive within {self._policy.timeout_s:g} s."
                raise RetryableError(msg) from None
        raise AssertionError("unreachable")  # stamina raises what the last attempt raised

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def _follow(self, start: str, conditions: dict[str, str], limit: int) -> Fetched:
        """Ask for a URL and for the ones it redirects to; every error says at which of them it happened."""
        url, where = parse_url(start, self._policy), shown(start)
        for _ in range(self._policy.max_redirects + 1):
            try:
                found = await self._ask(url, conditions, limit)
            except RelanceError as error:
                raise _located(error, where) from error
            if isinstance(found, Fetched):
                return found
            url = found
            where = f"{shown(start)}, redirected to {shown(str(url))}"
        raise InputError(f"{shown(start)}: it redirects more than {self._policy.max_redirects} times.")

    async def _ask(self, url: httpx.URL, conditions: dict[str, str], limit: int) -> Fetched | httpx.URL:
        """Make one request; return what it gave or where it redirects to. Errors are reasons alone."""
        import httpcore

        # By its parts: as a string it would be read once more, by other rules.
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        headers = [
            (b"Host", url.netloc),
            (b"User-Agent", self._agent),
            (b"Accept", b"*/*"),
            (b"Accept-Encoding", b"identity"),
            *((name.encode(), value.encode("latin-1")) for name, value in conditions.items()),
        ]
        idle = self._policy.idle_s
        connecting = min(10.0, idle)
        timeouts = {"connect": connecting, "read": idle, "write": idle}
        try:
            async with self._pool.stream("GET", target, headers=headers, extensions={"timeout": timeouts}) as response:
                return await self._receive(url, response, conditions, limit)
        except httpcore.ConnectTimeout:
            raise RetryableError(f"no connection within {connecting:g} s.") from None
        except httpcore.TimeoutException:
            raise RetryableError(f"nothing came for {idle:g} s.") from None
        except httpcore.ConnectError as error:
            # The pool drops the cause; the error keeps it as its argument.
            if error.args and isinstance(cause := error.args[0], ssl.SSLCertVerificationError):
                raise InputError(f"its certificate is not valid: {cause.verify_message.rstrip('.')}.") from error
            raise RetryableError(f"cannot connect: {str(error)[:200]}.") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            why = str(error)[:200] or "the server hung up"
            raise RetryableError(f"the connection broke: {why.rstrip('.')}.") from error

    async def _receive(
        self, url: httpx.URL, response: httpcore.Response, conditions: dict[str, str], limit: int
    ) -> Fetched | httpx.URL:
        import httpx

        from relance.media.fetch.transport import drain

        headers = httpx.Headers(response.headers, encoding="latin-1")
        status = response.status
        etag, modified = conditions.get("if-none-match", ""), conditions.get("if-modified-since", "")
        same = status == 200 and etag == headers.get("etag") and not etag.startswith("W/")
        unchanged = bool(etag and same) or (status == 304 and bool(conditions))
        data = b""
        if status == 200 and not unchanged:
            data = await read_body(response.aiter_stream(), headers, limit)
        elif status != 200:
            await drain(response)
        if status in _REDIRECTS:
            return self._redirect(url, headers)
        if status != 200 and not unchanged:
            raise _refusal(status, headers)
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        return Fetched(
            url=str(url),
            data=data,
            size=len(data),
            content_hash="" if unchanged else digest("file", data),
            media_type=media_type if _MEDIA_TYPE.fullmatch(media_type) else "",
            etag=_validator(headers, "etag") or etag * unchanged,
            last_modified=_validator(headers, "last-modified") or modified * unchanged,
            unchanged=unchanged,
        )

    def _redirect(self, url: httpx.URL, headers: httpx.Headers) -> httpx.URL:
        import httpx

        location = headers.get("location", "").encode("latin-1").decode("utf-8", "replace")
        if not location:
            raise InputError("it redirects without saying where to.")
        try:
            target = parse_url(str(url.join(location)), self._policy)
        except (httpx.InvalidURL, ValueError, UnsafeURLError) as error:
            reason = error if isinstance(error, UnsafeURLError) else "that is not written as an address."
            raise UnsafeURLError(f"it redirects to {shown(location)}: {reason}") from None
        if url.scheme == "https" and target.scheme == "http":
            raise UnsafeURLError(f"it redirects to {shown(str(target))}: that is no longer encrypted.")
        return target


def _validator(headers: httpx.Headers, name: str) -> str:
    value = headers.get(name, "")
    return value if _VALIDATOR.fullmatch(value) else ""


def _located(error: RelanceError, where: str) -> RelanceError:
    """Say where an error happened; its kind stays."""
    message = f"{where}: {error}"
    if isinstance(error, RateLimitedError):
        return RateLimitedError(message, retry_after_s=error.retry_after_s)
    return type(error)(message)


def _refusal(status: int, headers: httpx.Headers) -> RelanceError:
    """Turn any status but success into what the caller does next."""
    from relance.http.client import retry_after_s

    pause = retry_after_s(headers)
    if status == 429 or (status >= 500 and pause is not None):
        return RateLimitedError(f"the server asks to come back later ({status}).", retry_after_s=pause)
    if status in {408, 425} or status >= 500:
        return RetryableError(f"the server has a problem now ({status}).")
    match status:
        case 404 | 410:
            return InputError(f"there is nothing at this address ({status}).")
        case 401 | 403:
            return InputError(f"it is not for everyone: the server wants a login or refuses ({status}).")
    return InputError(f"the server answered with status {status} instead of a file.")
