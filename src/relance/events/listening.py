"""Changes that sources announce: a thread listens to each, and passes on what it hears in bursts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from relance.config import IndexSpec
from relance.errors import RelanceError
from relance.events.change import Change
from relance.sources import Announcing, open_sources
from relance.sources.confirmed_news import ConfirmedNews

__all__ = ["Listening"]


class Listening:
    """Listens to the sources of an index from the beginning until `close`."""

    def __init__(self, spec: IndexSpec, stop: threading.Event, *, quiet_s: float, longest_s: float) -> None:
        """Begin to listen, where there is anything to hear."""
        self._index, self._stop = spec.name, stop
        self._quiet_s, self._longest_s = quiet_s, longest_s
        self._lock = threading.Lock()
        self._heard: dict[str, None] = {}
        self._everything = False
        self._first = self._last = 0.0
        self._error: RelanceError | None = None
        self._came: dict[int, int] = {}  # items of each stream so far, and of those what was passed on
        self._passed: dict[int, int] = {}
        self._streams = [stream for source in open_sources(spec)
                         if isinstance(source, Announcing) and (stream := source.news(stop)) is not None]  # fmt: skip
        self._threads = [threading.Thread(target=self._listen, args=each, name=f"listen {spec.name}", daemon=True)
                         for each in enumerate(self._streams)]  # fmt: skip
        for thread in self._threads:
            thread.start()

    def take(self) -> Change | None:
        """Tell what was heard once there has been quiet, or for long enough; None where there is nothing to tell yet.

        Raises what ended a thread.
        """
        if self._error is not None:
            raise self._error
        now = time.monotonic()
        with self._lock:
            if not self._heard and not self._everything:
                return None
            if now - self._last < self._quiet_s and now - self._first < self._longest_s:
                return None
            change = Change(self._index, changed=tuple(self._heard), everything=self._everything)
            self._heard, self._everything, self._first = {}, False, 0.0
            self._passed = dict(self._came)
        return change

    def confirm(self) -> None:
        """Confirm to who wants to know it that what `take` returned so far was handed on for good."""
        for number, count in self._passed.items():
            stream = self._streams[number]
            if isinstance(stream, ConfirmedNews):
                stream.confirm(count)

    def close(self) -> None:
        """End the threads, and pass on at once what they have heard."""
        self._stop.set()
        self._quiet_s = 0.0
        for thread in self._threads:
            thread.join()

    def _listen(self, number: int, stream: Iterator[frozenset[str] | None]) -> None:
        try:
            for count, found in enumerate(stream, 1):
                if found is not None and not found:
                    continue
                with self._lock:
                    self._came[number] = count
                    self._last = time.monotonic()
                    self._first = self._first or self._last
                    self._everything |= found is None
                    self._heard |= dict.fromkeys(sorted(found or ()))
        except RelanceError as error:
            self._error = error
