"""Queries of LanceDB, run in the thread that asks.

LanceDB's blocking API hands every step of a query to one thread that all callers share, and asks for the schema at
each of them. With eight callers that were 2 of the 10 CPU-ms of a full-text search among 100,000 rows. Here a caller
runs LanceDB's asynchronous API on an event loop of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["asynchronous", "waited"]

T = TypeVar("T")

_KEPT = 32  # event loops that nobody uses; making one takes 0.2 ms, and each holds three descriptors
_idle: list[asyncio.Runner] = []
_inherited: list[asyncio.Runner] = []


def asynchronous(table: Any) -> Any:
    """Return the asynchronous form of an open LanceDB table, with all its rows: the same table, in the same version."""
    from lancedb.table import AsyncTable

    # LanceDB has no public name for it. Opened once more by its name, it may be another table meanwhile.
    while not isinstance(table, AsyncTable):
        table = table._table  # noqa: SLF001
    return table


def waited(answer: Coroutine[Any, Any, T]) -> T:
    """Run what LanceDB answers to its end, and return it."""
    if _loop_runs():  # a notebook, or an async program that calls what blocks
        with ThreadPoolExecutor(1, "relance-wait") as thread:
            return thread.submit(waited, answer).result()
    try:
        runner = _idle.pop()
    except IndexError:
        runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
    try:
        return runner.run(answer)
    finally:
        if len(_idle) < _KEPT:
            _idle.append(runner)
        else:
            runner.close()


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _close() -> None:
    while _idle:
        _idle.pop().close()


def _leave() -> None:
    """Leave the event loops to the parent process: closing them here would close them there, too."""
    _inherited.extend(_idle)
    _idle.clear()


atexit.register(_close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave)
