"""Which names this machine answers to, where only its own browsers and programs may ask."""

from __future__ import annotations

__all__ = ["is_local_host"]

# A name that was made to lead to this machine (DNS rebinding) is none of these. Any port: there may be a tunnel.
_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})


def is_local_host(host: str) -> bool:
    """Say whether a Host header, with or without a port, names this machine."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host.lower(), "80"
    return name in _NAMES and port.isascii() and port.isdigit()
