"""Ask a SOCKS5 proxy for a connection (RFC 1928, and RFC 1929 for user and password)."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import httpcore

from relance.fetch.addresses import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["SocksRefusal", "ask_socks"]

_NOT_ALLOWED, _NO_COMMAND, _NO_FAMILY = 2, 7, 8
_REPLIES = {
    1: "it failed",
    _NOT_ALLOWED: "its rules do not allow it",
    3: "the network cannot be reached",
    4: "the host cannot be reached",
    5: "the connection was refused",
    6: "the time to live ran out",
    _NO_COMMAND: "it does not do this",
    _NO_FAMILY: "it does not take such an address",
}


class SocksRefusal(Exception):  # noqa: N818  # an answer, not a failure
    """The proxy does not connect.

    Attributes:
        login: it wants another user or password.
        by_rule: it refuses this place; else the place itself cannot be reached.
    """

    def __init__(self, reason: str, *, login: bool = False, by_rule: bool = False) -> None:
        super().__init__(reason)
        self.login, self.by_rule = login, by_rule


async def ask_socks(stream: httpcore.AsyncNetworkStream, host: str, port: int, user: tuple[str, str] | None) -> None:
    """Let a proxy connect to a host, by name or address; raises SocksRefusal, and what the stream raises."""
    read = _reader(stream)
    await stream.write(b"\x05\x01\x00" if user is None else b"\x05\x02\x00\x02")
    version, method = await read(2)
    if version != 5:
        raise httpcore.RemoteProtocolError("it does not speak SOCKS5")
    if method == 2 and user is not None:
        name, word = (part.encode()[:255] for part in user)
        await stream.write(bytes([1, len(name), *name, len(word), *word]))
        if (await read(2))[1]:
            raise SocksRefusal("wrong user or password", login=True)
    elif method:
        raise SocksRefusal("no way to log in that we know", login=True)
    address = literal(host)
    if address is None:
        name = host.encode("ascii")[:255]
        place = bytes([3, len(name), *name])
    else:
        place = (b"\x01" if isinstance(address, IPv4Address) else b"\x04") + address.packed
    await stream.write(b"\x05\x01\x00" + place + port.to_bytes(2))
    _, reply, _, kind = await read(4)
    if reply:
        by_rule = reply in {_NOT_ALLOWED, _NO_COMMAND, _NO_FAMILY}
        raise SocksRefusal(_REPLIES.get(reply, f"reply {reply}"), by_rule=by_rule)
    await read({1: 4, 4: 16}.get(kind) or (await read(1))[0])  # by which address it connects, and its port
    await read(2)


def _reader(stream: httpcore.AsyncNetworkStream) -> Callable[[int], Coroutine[None, None, bytes]]:
    async def read(size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = await stream.read(size - len(data))
            if not part:
                raise httpcore.ReadError("it hung up")
            data += part
        return data

    return read
