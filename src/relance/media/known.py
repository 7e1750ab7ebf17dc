"""Pictures that need not be decoded, because their vectors are there or on their way."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Generator, Sequence

from relance.documents import Media

__all__ = ["Known"]

# Pictures of one run that are remembered: 100 bytes each.
_MOST = 50_000


class Known:
    """What was made in this run, and what was bought before; safe in threads.

    Args:
        bought: says of things by their identity whether the embedding cache has their vectors.
    """

    def __init__(self, bought: Callable[[Sequence[Media]], Sequence[bool]]) -> None:
        self._bought = bought
        self._made: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._busy: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._waiting: Counter[str] = Counter()

    def find(self, things: Sequence[Media]) -> int | None:
        """Return the position of the first thing that is known; None if there is none."""
        with self._lock:
            made = next((at for at, each in enumerate(things) if each.identity in self._made), None)
        if made is not None:
            return made
        return next((at for at, known in enumerate(self._bought(things)) if known), None)

    def add(self, thing: Media) -> None:
        """Note that a thing is made, and will be bought."""
        with self._lock:
            self._made[thing.identity] = None
            if len(self._made) > _MOST:
                self._made.popitem(last=False)

    @contextlib.contextmanager
    def alone(self, name: str) -> Generator[None]:
        """Let one thread after the other make what has this name, so that the second one finds it made."""
        with self._lock:
            self._waiting[name] += 1
            busy = self._busy[name]
        try:
            with busy:
                yield
        finally:
            with self._lock:
                self._waiting[name] -= 1
                if not self._waiting[name]:
                    del self._waiting[name], self._busy[name]
