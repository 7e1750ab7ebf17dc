"""One run at a time on an index."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from relance.errors import IndexBusyError, RelanceError, RetryableError
from relance.store.catalog import Catalog
from relance.store.connection import Store
from relance.store.faults import store_error

__all__ = ["hold", "is_held"]

log = logging.getLogger(__name__)

# A lease outlives a slow commit but not a lunch break; it is renewed three times within its life.
_LEASE_S = 90.0
_POLL_S = 0.5


@contextlib.contextmanager
def hold(store: Store, name: str, *, wait_s: float = 0.0, poll_s: float = _POLL_S,
         lease_s: float = _LEASE_S) -> Generator[Callable[[], None]]:  # fmt: skip
    """Hold the index `name` for the length of the block; IndexBusyError if another run has it after `wait_s`.

    Yields a check to be called before each write, which raises RelanceError when the hold was lost.

    A local store is locked by the operating system, which lets go when a process dies however it dies;
    elsewhere a lease in the catalog is renewed by a thread and expires `lease_s` seconds after that on its own.
    Whoever waits looks again every `poll_s` seconds.
    """
    if store.local is not None:
        with _file_lock(store.local, name, wait_s, poll_s):
            yield lambda: None
    else:
        with _lease(Catalog(store), name, wait_s, poll_s, lease_s) as check:
            yield check


def is_held(store: Store, name: str) -> bool:
    """Tell whether a run has the index `name` now; writes nothing."""
    if store.local is None:
        lease = Catalog(store).get(f"lock/{name}")
        return lease is not None and lease["expires"] >= time.time()
    from filelock import FileLock, Timeout

    path = _lock_path(store.local, name)
    if not path.exists():
        return False
    try:
        with FileLock(path, thread_local=False).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # of another user, or on a disk that is only read
        return False


def _holder() -> dict[str, str]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": str(os.getpid()), "host": socket.gethostname(), "since": since}


def _busy(name: str, holder: dict[str, str]) -> IndexBusyError:
    who = f"process {holder['pid']} on {holder['host']} since {holder['since']}" if holder else "another process"
    return IndexBusyError(f"index {name!r} is being written by {who}; try again when it is done, or pass --wait")


def _lock_path(folder: Path, name: str) -> Path:
    return folder / ".relance" / f"{name.replace('/', '__')}.lock"


@contextlib.contextmanager
def _file_lock(folder: Path, name: str, wait_s: float, poll_s: float) -> Generator[None]:
    from filelock import FileLock, Timeout

    locks = folder / ".relance"
    path = _lock_path(folder, name)
    lock = FileLock(path, thread_local=False)
    note = path.with_suffix(".holder.json")
    try:
        locks.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=max(0, wait_s), poll_interval=poll_s)
    except Timeout:
        holder = {}
        with contextlib.suppress(OSError, ValueError):
            holder = json.loads(note.read_text(encoding="utf-8"))
        raise _busy(name, holder) from None
    except OSError as error:
        raise store_error(error, f"locking {name}") from error
    try:
        note.write_text(json.dumps(_holder()), encoding="utf-8")
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def _lease(catalog: Catalog, name: str, wait_s: float, poll_s: float,
           lease_s: float) -> Generator[Callable[[], None]]:  # fmt: skip
    key = f"lock/{name}"
    mine = _holder()
    deadline = time.monotonic() + wait_s
    while True:
        current = catalog.get(key)
        if current is None or current["expires"] < time.time():
            taken: dict[str, Any] = {"holder": mine, "expires": time.time() + lease_s}
            with contextlib.suppress(RetryableError):
                catalog.put(key, taken, expected=current)
                break
        elif time.monotonic() >= deadline:
            raise _busy(name, current["holder"])
        time.sleep(poll_s)
    done = threading.Event()

    def renew() -> None:
        nonlocal taken
        while not done.wait(lease_s / 3):
            longer: dict[str, Any] = {"holder": mine, "expires": time.time() + lease_s}
            try:
                catalog.put(key, longer, expected=taken)
            except Exception as error:  # there are two more tries before it expires
                log.warning("could not renew the lease of index %r: %s", name, str(error)[:300])
            else:
                taken = longer

    def check() -> None:
        if time.time() >= taken["expires"]:
            msg = f"the lease on index {name!r} could not be renewed in time and another run may write; run again"
            raise RelanceError(msg)

    thread = threading.Thread(target=renew, name="relance-lease", daemon=True)
    thread.start()
    try:
        yield check
    finally:
        done.set()
        thread.join()
        with contextlib.suppress(RetryableError):
            catalog.put(key, {"holder": mine, "expires": 0.0}, expected=taken)
