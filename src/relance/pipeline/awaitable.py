"""Blocking calls for callers that have an event loop: each runs in a thread, and the loop is free meanwhile."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

import anyio
import anyio.to_thread

__all__ = ["awaitable", "until_stopped"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
S_contra = TypeVar("S_contra", contravariant=True)


class AsyncMethod(Protocol[S_contra, P, R_co]):
    """The type of an async method with the arguments of another method."""

    def __get__(self, instance: S_contra, owner: type | None = None) -> Callable[P, Coroutine[Any, Any, R_co]]: ...


def awaitable(method: Callable[Concatenate[S_contra, P], R_co]) -> AsyncMethod[S_contra, P, R_co]:
    """Make a method that only reads awaitable; a caller that is cancelled does not wait for its end."""

    @functools.wraps(method)
    async def call(self: S_contra, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return await anyio.to_thread.run_sync(functools.partial(method, self, *args, **kwargs), abandon_on_cancel=True)

    return cast("AsyncMethod[S_contra, P, R_co]", call)  # a function is one, which its type does not say


async def until_stopped(call: Callable[[], R_co], stop: Callable[[], None]) -> R_co:
    """Run a call that writes; if the caller is cancelled, `stop` is called, and the cancellation waits for its end."""
    result: Future[R_co] = Future()
    ended = anyio.Event()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as error:  # raised below, not here, where the task group would wrap it
            result.set_exception(error)

    async def watch() -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(run)
        ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        try:
            await ended.wait()
        except anyio.get_cancelled_exc_class():
            stop()
            raise
    return result.result()
