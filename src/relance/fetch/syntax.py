"""How a URL and a host are written: the parts of an address, and its one form."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from relance.errors import InputError
from relance.fetch.addresses import literal

if TYPE_CHECKING:
    import httpx

__all__ = ["UnsafeURLError", "canonical_host", "split"]

_NAME = re.compile(r"(?=.{1,253}\Z)(?:(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!\Z)|\Z))+")
# `0x7f.1`, `2130706433`, `0177.0.0.1`: a resolver may read any host that ends in a number as an IPv4 address.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


class UnsafeURLError(InputError):
    """A URL is refused: it leads inward, or it is no plain http address."""


def split(url: str) -> httpx.URL:
    """Take a URL apart; UnsafeURLError where that cannot be done."""
    import httpx

    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):  # the latter: lone surrogates, ports of thousands of digits
        raise UnsafeURLError("it is not written as an address.") from None
    return parsed


def canonical_host(host: str) -> str:
    """Write a host in its one form: addresses by the book, names lower case without the final dot."""
    if ":" in host:
        if "%" in host:
            raise UnsafeURLError("an address with a network interface (%) is not fetched.")
        return str(IPv6Address(host))
    host = host.lower().removesuffix(".")
    if _NUMBER.fullmatch(host):
        if literal(host) is None:
            raise UnsafeURLError(f"{host[:60]} is not how an IPv4 address is written.")
    elif not _NAME.fullmatch(host):
        raise UnsafeURLError(f"{host[:60]!r} is no host name." if host else "it names no host.")
    return host
