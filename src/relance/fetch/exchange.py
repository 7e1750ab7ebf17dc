"""One request and its answer."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING

from relance.documents import digest
from relance.errors import GoneError, InputError, RetryableError
from relance.fetch.body import read_body
from relance.fetch.fetched import BusyError, Fetched, NoAnswerError, RefusedBodyError
from relance.fetch.freshness import fresh_s
from relance.fetch.syntax import UnsafeURLError
from relance.fetch.urls import parse_url, shown

if TYPE_CHECKING:
    import httpcore
    import httpx

    from relance.fetch.clock import Clock
    from relance.fetch.connections import Connections
    from relance.fetch.policy import FetchPolicy
    from relance.fetch.ways import Way

__all__ = ["Exchange", "Look"]

# Is shown how a large body begins; raises InputError if the rest need not be read.
Look = Callable[[bytes], None]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOLD = ("content-type", "link", "x-robots-tag")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
# A validator goes back as it came, in a header; longer ones than any server makes are not kept.
_VALIDATOR = re.compile(r"[ -~\x80-\xff]{1,1024}")


class Exchange:
    """Makes requests under one policy; errors are reasons alone, whoever asked knows where."""

    def __init__(self, policy: FetchPolicy, connections: Connections, clock: Clock, look: Look | None) -> None:
        """Ask nothing yet; `look` may refuse a body by its beginning."""
        self._policy, self._connections, self._clock, self._look = policy, connections, clock, look
        self._headers = {
            b"User-Agent": f"relance/{version('relance')}".encode(), b"Accept": b"*/*", b"Accept-Encoding": b"identity",
        }  # fmt: skip
        idle = policy.idle_s
        self._connecting = min(10.0, idle)
        self._extensions = {"timeout": {"connect": self._connecting, "read": idle, "write": idle}}

    async def ask(
        self, url: httpx.URL, way: Way, headers: tuple[tuple[str, str], ...], conditions: dict[str, str], limit: int
    ) -> Fetched | httpx.URL:
        """Make one request; return what it gave or where it redirects to.

        Raises NoAnswerError, BusyError, RefusedBodyError, InputError, UnsafeURLError, ProxyFailedError,
        ProxyRefusesError.
        """
        import httpcore

        # By its parts: as a string it would be read once more, by other rules.
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        lines = [(b"Host", url.netloc), *self._lines(headers, conditions)]
        request = httpcore.Request("GET", target, headers=lines, extensions=self._extensions)
        by = f" through {way.proxy.proxy}" if way.proxy is not None else ""
        try:
            async with self._connections.stream(request, way) as response:
                return await self._receive(url, response, conditions, limit)
        except httpcore.ConnectTimeout:
            raise NoAnswerError(f"no connection{by} within {self._connecting:g} s.", silent=True) from None
        except httpcore.TimeoutException:
            raise NoAnswerError(f"nothing came{by} for {self._policy.idle_s:g} s.", silent=True) from None
        except httpcore.ConnectError as error:
            # The pool drops the cause; the error keeps it as its argument.
            if error.args and isinstance(cause := error.args[0], ssl.SSLCertVerificationError):
                raise InputError(f"its certificate is not valid: {cause.verify_message.rstrip('.')}.") from error
            raise NoAnswerError(f"cannot connect: {str(error)[:200].rstrip('.')}.") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            why = str(error)[:200] or "the server hung up"
            raise NoAnswerError(f"the connection{by} broke: {why.rstrip('.')}.") from error

    def _lines(self, headers: tuple[tuple[str, str], ...], conditions: dict[str, str]) -> list[tuple[bytes, bytes]]:
        """Write our headers, those of the host, which replace ours, and the conditions."""
        lines = self._headers
        if headers:
            given = {name.lower() for name, _ in headers}
            lines = {name: value for name, value in lines.items() if name.decode().lower() not in given}
            lines |= {name.encode(): value.encode("latin-1") for name, value in headers}
        return [*lines.items(), *((name.encode(), value.encode("latin-1")) for name, value in conditions.items())]

    async def _receive(
        self, url: httpx.URL, response: httpcore.Response, conditions: dict[str, str], limit: int
    ) -> Fetched | httpx.URL:
        from relance.fetch.transport import drain

        headers, status = _read(response.headers), response.status
        etag, modified = conditions.get("if-none-match", ""), conditions.get("if-modified-since", "")
        same = status == 200 and etag == headers.get("etag") and not etag.startswith("W/")
        unchanged = bool(etag and same) or (status == 304 and bool(conditions))
        if status != 200:
            await drain(response)
        if status in _REDIRECTS:
            return self._redirect(url, headers)
        if status != 200 and not unchanged:
            raise _refusal(status, headers)
        now = self._clock.date()
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()

        def found(data: bytes) -> Fetched:
            return Fetched(
                url=str(url),
                data=data,
                size=len(data),
                content_hash=digest("file", data) if data or not unchanged else "",
                media_type=media_type if _MEDIA_TYPE.fullmatch(media_type) else "",
                etag=_validator(headers, "etag") or etag * unchanged,
                last_modified=_validator(headers, "last-modified") or modified * unchanged,
                unchanged=unchanged,
                fresh_until=self._policy.fresh_until(now, fresh_s(headers, now=now)),
                headers={name: headers[name] for name in _TOLD if name in headers},
            )

        if unchanged:
            return found(b"")
        try:
            return found(await read_body(response.aiter_stream(), headers, limit, self._look))
        except InputError as error:
            raise RefusedBodyError(str(error), found(b"")) from None

    def _redirect(self, url: httpx.URL, headers: dict[str, str]) -> httpx.URL:
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


def _read(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Read headers; lines of one name are one."""
    found: dict[str, str] = {}
    for raw, value in headers:
        name = raw.decode("latin-1").lower()
        text = value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _validator(headers: dict[str, str], name: str) -> str:
    value = headers.get(name, "")
    return value if _VALIDATOR.fullmatch(value) else ""


def _refusal(status: int, headers: dict[str, str]) -> InputError | RetryableError:
    """Turn any status but success into what the caller does next."""
    from relance.http.client import retry_after_s

    pause = retry_after_s(headers)
    if status in {429, 503} or (status >= 500 and pause is not None):
        what = "asks to come back later" if status == 429 or pause is not None else "has a problem now"
        return BusyError(f"the server {what} ({status}).", status=status, pause_s=pause)
    if status >= 500:
        return NoAnswerError(f"the server has a problem now ({status}).")
    if status in {408, 425}:
        return RetryableError(f"the server has a problem now ({status}).")
    match status:
        case 404 | 410:
            return GoneError(f"there is nothing at this address ({status}).")
        case 401 | 403:
            return InputError(f"it is not for everyone: the server wants a login or refuses ({status}).")
    return InputError(f"the server answered with status {status} instead of a file.")
