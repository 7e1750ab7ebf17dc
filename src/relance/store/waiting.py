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

__all__ = ["begun", "waited"]

T = TypeVar("T")

_KEPT = 32  # event loops that nobody uses; making one takes 0.2 ms, and each holds three descriptors
_idle: list[asyncio.Runner] = []
_inherited: list[asyncio.Runner] = []


def begun(table: Any, places: list[int] | None = None) -> Any:
    """Begin an asynchronous query of all rows of an open LanceDB table, or of those at some places, in its version."""
    from lancedb.query import AsyncQuery, AsyncTakeQuery
    from lancedb.table import AsyncTable

    # LanceDB has no public name for what is inside. Opened once more by its name, it may be another table meanwhile.
    # A query that knows its table looks in all columns for blobs, of which relance has none: 0.3 CPU-ms.
    while not isinstance(table, AsyncTable):
        table = table._table  # noqa: SLF001
    inner = table._inner  # noqa: SLF001
    return AsyncQuery(inner.query()) if places is None else AsyncTakeQuery(inner.take_row_ids(places))


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
