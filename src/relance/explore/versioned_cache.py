"""What was read once, and is kept until what it was read from is another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["VersionedCache"]


class VersionedCache:
    """Remembers by name; used by several threads, of which two may read the same at once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, Any]] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str, version: Any, read: Callable[[], Any]) -> Any:
        """Return what was read of this version; read it if it was another, or none."""
        with self._lock:
            known = self._known.get(name)
        if known is None or known[0] != version:
            known = (version, read())
            with self._lock:
                self._known[name] = known
        return known[1]
