"""Calls that block, in threads of which there are so many and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from relance.counted import counted
from relance.serve.config import ServeLimits
from relance.serve.problem import BusyError, TooLongError

__all__ = ["Workers"]

T = TypeVar("T")


class Workers:
    """Runs calls for the event loop.

    `Index.asearch` takes a thread of anyio's pool, and gives back its place when its caller is cancelled, though the
    thread works on: clients that go away from a store that hangs would start ever more threads. Here a thread is free
    when its call has ended, and what cannot begin is refused.
    """

    def __init__(self, limits: ServeLimits) -> None:
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.threads, thread_name_prefix="serve")
        self._under_way = 0

    async def run(self, call: Callable[[], T]) -> T:
        """Run a call; BusyError where too many wait, TooLongError where it takes longer than an answer may."""
        if self._under_way >= self._limits.threads + self._limits.waiting:
            msg = f"the server is busy with {counted(self._under_way, 'request')}; try again in a moment"
            raise BusyError(msg)
        future = self._threads.submit(call)
        self._under_way += 1
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: self._ended(loop))
        try:
            async with asyncio.timeout(self._limits.answer_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            msg = (
                f"there was no answer within {self._limits.answer_s:g} seconds; ask for fewer hits, or try again later"
            )
            raise TooLongError(msg) from None

    def close(self) -> None:
        """Begin nothing new; what is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self._count_down)
        except RuntimeError:  # the loop has ended
            self._count_down()

    def _count_down(self) -> None:
        self._under_way -= 1
