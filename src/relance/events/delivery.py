"""A delivery: what it is known by, and whose it is."""

from __future__ import annotations

import hashlib
from enum import Enum

__all__ = ["State", "delivery_of"]


def delivery_of(kind: str, index: str, content: bytes) -> str:
    """Name a delivery by what is in it: the ids that senders give can be changed by who repeats a request."""
    return hashlib.sha256(f"{kind}/{index}/".encode() + content).hexdigest()


class State(Enum):
    """Whose a delivery is: the caller's now, somebody's who is at it, or nobody's any more."""

    CLAIMED = "claimed"
    UNDER_WAY = "under way"
    TAKEN = "taken"
