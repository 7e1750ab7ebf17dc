"""What was read once, and is kept until what it was read from is another."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

__all__ = ["VersionedCache"]


class VersionedCache:
    """Remembers by name, at most so many; used by several threads, of which two may read the same at once."""

    def __init__(self, most: int = 128) -> None:
        self._most = most
        self._known: OrderedDict[str, tuple[Any, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, name: str, version: Any, read: Callable[[], Any]) -> Any:
        """Return what was read of this version; read it if it was another, or none."""
        with self._lock:
            known = self._known.get(name)
        if known is None or known[0] != version:
            known = (version, read())
        with self._lock:  # what is used is the last that goes
            self._known[name] = known
            self._known.move_to_end(name)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return known[1]
