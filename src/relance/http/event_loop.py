"""The one event loop of the process: requests of all runs share it, and with it limits and connections."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

__all__ = ["event_loop"]

# A thread that computes (splitting, writing) keeps Python's lock for 5 ms before it lets another have it, and the loop
# needs it several times a request. Shorter turns made a run of 500 requests a sixth quicker.
_TURN_S = 0.0005

_lock = threading.Lock()
_users = 0
_turn_s = 0.0
_open: tuple[Any, BlockingPortal] | None = None


@contextlib.contextmanager
def event_loop() -> Generator[BlockingPortal]:
    """Give access to the loop's thread; it ends with its last user."""
    global _users, _open, _turn_s  # noqa: PLW0603  # one per process is the point
    with _lock:
        if _open is None:
            from anyio.from_thread import start_blocking_portal

            manager = start_blocking_portal()
            _open = (manager, manager.__enter__())
            _turn_s = sys.getswitchinterval()
            sys.setswitchinterval(min(_TURN_S, _turn_s))
        _users += 1
        portal = _open[1]
    try:
        yield portal
    finally:
        with _lock:
            _users -= 1
            ended, _open = (_open, None) if not _users else (None, _open)
            if ended is not None:
                sys.setswitchinterval(_turn_s)
        if ended is not None:
            ended[0].__exit__(None, None, None)
