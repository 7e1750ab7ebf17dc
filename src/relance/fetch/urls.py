"""Read a URL once, strictly: what has been checked is what will be asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from relance.fetch.addresses import literal, why_inward
from relance.fetch.policy import FetchPolicy
from relance.fetch.syntax import UnsafeURLError, canonical_host, split

if TYPE_CHECKING:
    import httpx

__all__ = ["check_url", "inward", "parse_url", "shown"]

_HOST_AND_PORT = re.compile(r"(?:[^@:/\[]+|\[[^@/\]]*\])(?::[0-9]*)?(?:/|\Z)")


def check_url(url: str, policy: FetchPolicy) -> str:
    """Return a URL as it would be asked for; raises UnsafeURLError if it is refused whatever its name resolves to."""
    try:
        return str(parse_url(url, policy))
    except UnsafeURLError as error:
        raise UnsafeURLError(f"{shown(url)}: {error}") from None


def parse_url(url: str, policy: FetchPolicy) -> httpx.URL:
    """Read and check a URL; the host becomes canonical, a fragment is dropped.

    The text of an UnsafeURLError is the reason alone.
    """
    parsed = split(url)
    if parsed.scheme not in {"http", "https"}:
        raise UnsafeURLError("only http and https addresses are fetched.")
    if parsed.userinfo:
        raise UnsafeURLError("an address with a user name or password is not fetched.")
    host = canonical_host(parsed.raw_host.decode("ascii"))
    port = parsed.port if parsed.port is not None else {"http": 80, "https": 443}[parsed.scheme]
    if not 0 < port < 2**16:
        raise UnsafeURLError(f"{port} is no port.")
    if not policy.allows(host, port):
        address = literal(host)
        if address is not None and (what := why_inward(address)):
            raise UnsafeURLError(inward(host, what, policy.section))
        if host == "localhost" or host.endswith(".localhost"):
            raise UnsafeURLError(inward(host, "this machine", policy.section))
    return parsed.copy_with(host=host, fragment=None)


def inward(host: str, what: str, section: str) -> str:
    """Say that a host leads inward and how to let it; `section` as in `FetchPolicy`."""
    return f"{host} is {what}; name it under {section}.allow if it is meant."


def shown(url: str) -> str:
    """Shorten a URL for a message or a log: without query, fragment and user, which may hold secrets."""
    head, *more = re.split(r"[?#]", url, maxsplit=1)
    scheme, _, after = head.partition("://")
    if "@" in url and not _HOST_AND_PORT.match(after):
        # A password may hold any character, so all before the last @ is suspect.
        head = f"{scheme}://***" if "@" in "".join(more) else f"{scheme}://***@{after.rpartition('@')[2]}"
    head = "".join(char if char.isprintable() else "�" for char in head[:201])
    return head if len(head) <= 200 else f"{head[:199]}…"
