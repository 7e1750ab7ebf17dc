"""The part of a model's rates that this process may use, where processes on several machines share one account."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectNotFound

from relance.embedding.providers import ModelInfo
from relance.pipeline.runtime import Runtime

__all__ = ["limit_name", "share_of_rates"]

_REMEMBERED_S = 60.0
_lock = threading.Lock()
_slots: dict[str, tuple[float, int]] = {}
_held: Counter[str] = Counter()


def limit_name(info: ModelInfo) -> str:
    """Name the global concurrency limit of a model: `relance-dashscope-text-embedding-v4-singapore`."""
    return "-".join(["relance", *re.findall(r"[a-z0-9.]+", f"{info.name} {info.region}".lower())])


@contextmanager
def share_of_rates(runtime: Runtime) -> Generator[None]:
    """Hold one slot of the model's global concurrency limit, and use as large a part of its rates meanwhile.

    A limit of four slots means: each batch being embedded, wherever it is, may use a quarter of the requests and
    tokens per minute, so all together stay within the account's. Without such a limit on the server the process has
    the rates to itself, and nothing is asked of the server but whether there is one, once a minute.
    """
    info = runtime.provider.info
    slots = 0 if info.local else _slots_of(limit_name(info))
    if not slots:
        yield
        return
    name = limit_name(info)
    with concurrency(name, occupy=1):
        _hold(runtime, name, 1, slots)
        try:
            yield
        finally:
            _hold(runtime, name, -1, slots)


def _hold(runtime: Runtime, name: str, change: int, slots: int) -> None:
    with _lock:
        _held[name] += change
        for rate in runtime.embedder.rates:
            rate.share = max(1, min(_held[name], slots)) / slots


def _slots_of(name: str) -> int:
    with _lock:
        read_at, slots = _slots.get(name, (0.0, 0))
        if not read_at or time.monotonic() - read_at > _REMEMBERED_S:
            # With settings of its own it is a client of our own: the run's is shared by threads and not ours to close.
            with get_client({"timeout": 30.0}, sync_client=True) as client:
                try:
                    limit = client.read_global_concurrency_limit_by_name(name)
                    slots = limit.limit if limit.active else 0
                except ObjectNotFound:
                    slots = 0
            _slots[name] = (time.monotonic(), slots)
    return slots
