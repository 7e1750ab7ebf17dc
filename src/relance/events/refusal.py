"""A request that is answered with an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

__all__ = ["Refusal"]


class Refusal(Exception):  # noqa: N818  # it is an answer, not a fault
    """What the sender is told: an HTTP status, a reason, and headers."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers

    @classmethod
    def unauthorised(cls) -> Self:
        """Say nothing about what is wrong with a token or signature."""
        return cls(401, "not authorised", {"www-authenticate": "Bearer", "connection": "close"})
