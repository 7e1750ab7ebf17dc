"""Looking at sources that can neither be watched nor say anything: they are listed every so often, and compared."""

from __future__ import annotations

import hashlib
import logging
import threading

from relance.config import IndexSpec
from relance.documents import Ignored, Item
from relance.errors import ConfigurationError, RelanceError
from relance.events.change import Change
from relance.events.watched import opened, silent_sources
from relance.parsers import parsers_of
from relance.sources import Remembering

__all__ = ["Looking"]

log = logging.getLogger(__name__)

_SILENT = "sources[%d] (%s) cannot be watched: `--every 60` looks at it each minute; else `schedule:` or a webhook does"


class Looking:
    """Looks at the silent sources of an index from the beginning until `close`; reads no document."""

    def __init__(self, spec: IndexSpec, stop: threading.Event, *, every_s: float) -> None:
        """Look once, so that what changes from now on is seen, and begin to wait.

        With `every_s` 0 nothing is looked at, and a warning names each such source. Raises ConfigurationError.
        """
        self._spec, self._stop, self._every_s = spec, stop, every_s
        self._parsers = parsers_of(spec)
        self._seen: dict[int, bytes] = {}
        self._away: set[int] = set()
        self._changed = threading.Event()
        self._positions = silent_sources(spec)
        for position in self._positions:
            if every_s:
                self._look(position, first=True)
            else:
                log.warning(_SILENT, position, spec.sources[position].type)
        self._thread = threading.Thread(target=self._keep_looking, name=f"look {spec.name}", daemon=True)
        self._thread.start()

    def take(self) -> Change | None:
        """Tell that something has changed; None where nothing has."""
        if not self._changed.is_set():
            return None
        self._changed.clear()  # before the run that this change sets off: what changes during it sets off another
        return Change(self._spec.name, everything=True)

    def close(self) -> None:
        """End, after the page of a listing that is under way."""
        self._stop.set()
        self._thread.join(10)

    def _keep_looking(self) -> None:
        while self._every_s and self._positions and not self._stop.wait(self._every_s):
            for position in self._positions:
                if self._look(position):
                    self._changed.set()

    def _look(self, position: int, *, first: bool = False) -> bool:
        """Tell whether a source may have changed since the last look."""
        try:
            now = self._digest(position)
        except RelanceError as error:
            if first and isinstance(error, ConfigurationError):
                raise
            if position not in self._away:
                log.warning("sources[%d] cannot be looked at; it is tried again: %s", position, error)
                self._away.add(position)
            return False
        self._away.discard(position)
        before, self._seen[position] = self._seen.get(position), now
        return now != before or not now

    def _digest(self, position: int) -> bytes:
        """Make a digest of what is listed; an empty one where only a run can tell whether something has changed."""
        source = opened(self._spec, position, self._parsers)
        if isinstance(source, Remembering):  # what it wants to remember is in the index
            return b""
        digest = hashlib.blake2b()
        for found in source.list():
            if self._stop.is_set():
                return self._seen.get(position, b"-")
            if isinstance(found, Ignored):
                continue
            if isinstance(found, Item) and found.live:
                return b""
            marker = found.version if isinstance(found, Item) else "failed"
            digest.update(f"{found.uri}\n{marker}\n".encode(errors="surrogatepass"))
        return digest.digest()
