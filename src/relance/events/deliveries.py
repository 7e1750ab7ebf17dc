"""Which deliveries were taken already."""

from __future__ import annotations

import hashlib

__all__ = ["Deliveries", "delivery_of"]


def delivery_of(kind: str, index: str, content: bytes) -> bytes:
    """Name a delivery by what is in it: the ids that senders give can be changed by who repeats a request."""
    return hashlib.sha256(f"{kind}/{index}/".encode() + content).digest()


class Deliveries:
    """Remembers the latest deliveries, so many of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: dict[bytes, None] = {}

    def __contains__(self, delivery: bytes) -> bool:
        return delivery in self._seen

    def add(self, delivery: bytes) -> None:
        """Remember a delivery; the oldest is forgotten for it."""
        self._seen[delivery] = None
        if len(self._seen) > self._most:
            del self._seen[next(iter(self._seen))]

    def discard(self, delivery: bytes) -> None:
        """Forget a delivery."""
        self._seen.pop(delivery, None)
