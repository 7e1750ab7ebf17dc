"""Reading from a Prefect server what may not be there."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from prefect.exceptions import ObjectNotFound

__all__ = ["or_none"]

T = TypeVar("T")


async def or_none(reading: Awaitable[T]) -> T | None:
    """Return what is read, or None where the server has no such thing."""
    try:
        return await reading
    except ObjectNotFound:
        return None
