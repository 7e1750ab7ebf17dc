"""Waiting for a task without holding up the event loop."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect.futures import PrefectFuture

__all__ = ["result"]


async def result(future: PrefectFuture[Any]) -> Any:
    """Return what a task returned; raises what it raised."""
    return await asyncio.to_thread(future.result)
