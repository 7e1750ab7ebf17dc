"""The HTTP client all services are called with; the only file that imports httpx."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import version

import httpx
from httpx import AsyncClient, ConnectError, RequestError, Response, TimeoutException

__all__ = [
    "AsyncClient",
    "ConnectError",
    "RequestError",
    "Response",
    "TimeoutException",
    "open_client",
    "retry_after_s",
]


def open_client(*, timeout_s: float, connections: int, headers: Mapping[str, str] | None = None) -> AsyncClient:
    """Open a client for one service; close it with `aclose()`.

    Args:
        timeout_s: seconds without progress after which a request fails; connecting gets at most ten of them.
        connections: requests that may be open at once.
        headers: sent with every request, e.g. the key.
    """
    # They log several lines per request, which would bury what a run has to say, and headers, which may hold a key.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.AsyncClient(
        verify=_trusted(),
        # No pool timeout: the embedder's own limit decides who waits, and a long wait there is no failure.
        timeout=httpx.Timeout(timeout_s, connect=min(10.0, timeout_s), pool=None),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        headers={"user-agent": f"relance/{version('relance')}", **(headers or {})},
    )


@cache
def _trusted() -> ssl.SSLContext:
    """Load the certificates services are trusted by, once: it takes a tenth of a second."""
    return httpx.create_ssl_context()


def retry_after_s(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Read how long a service asks to wait, in seconds (≥ 0), or None where it does not say.

    Understands `retry-after-ms` and both forms of `Retry-After`, seconds and an HTTP date.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        date = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    if date.tzinfo is None:  # "-0000" means: UTC, sender's zone unknown
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
