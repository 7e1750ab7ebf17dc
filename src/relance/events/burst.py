"""Paths that changed shortly after each other, and what that means for an index."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from relance.config import IndexSpec
from relance.events.change import Change
from relance.sources.walk import inside
from relance.sources.watched_folder import WatchedFolder

__all__ = ["ADDED", "DELETED", "Burst"]

# As watchfiles counts them; 2 is "modified".
ADDED, DELETED = 1, 3

# What editors and downloads write and take away again: no removal where it has come and gone.
_TRANSIENT = re.compile(
    r"~$|^\.?#|\.sw[a-z]$|\.(tmp|temp|part|partial|crdownload)$|^4913$|___jb_\w+___$", re.IGNORECASE
)


@dataclass(slots=True)
class _Touched:
    added: bool = False
    deleted: bool = False
    again: bool = False
    at: float = 0.0


@dataclass(slots=True)
class Burst:
    """Collects what a watcher reports until there has been quiet, or for long enough.

    Of a path only counts what is there in the end, so that the order of reports does not matter.

    Attributes:
        quiet_s: seconds without a report after which a burst is over.
        longest_s: seconds after which a burst is told although it goes on.
    """

    spec: IndexSpec
    sources: list[WatchedFolder]
    quiet_s: float
    longest_s: float
    clock: Callable[[], float] = time.monotonic

    _touched: dict[str, _Touched] = field(default_factory=dict)
    _first: float = 0.0
    _last: float = 0.0
    _not_ours: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if "://" not in self.spec.store.uri:  # our own writes must not make us look again
            place = str(self.spec.path(self.spec.store.uri))
            self._not_ours = (os.path.normpath(place), os.path.realpath(place))

    def add(self, reports: Iterable[tuple[int, str]]) -> None:
        """Take in reports: what happened (as watchfiles counts), and the path."""
        now = self.clock()
        for kind, path in reports:
            if any(inside(path, place) for place in self._not_ours):
                continue
            touched = self._touched.setdefault(path, _Touched(at=now))
            touched.added |= kind == ADDED
            touched.deleted |= kind == DELETED
            self._first, self._last = self._first or now, now

    def is_due(self) -> bool:
        """Whether what was collected should be told now."""
        now = self.clock()
        return bool(self._touched) and (now - self._last >= self.quiet_s or now - self._first >= self.longest_s)

    def forget(self, source: WatchedFolder) -> None:
        """Drop what was reported below a folder that went away: it says nothing about the documents."""
        self._touched = {path: touched for path, touched in self._touched.items() if not source.holds(path)}

    def take(self) -> Change:
        """Tell what has changed, and begin anew."""
        touched, self._touched, self._first = self._touched, {}, 0.0
        for source in self.sources:
            source.refresh()
        changed: dict[str, None] = {}
        removed: dict[str, None] = {}
        names: set[str] = set()
        everything = False
        for path, what in sorted(touched.items()):  # reports come in no order
            for source in self.sources:
                if source.identity is None or not source.holds(path):
                    continue
                there, gone = self._look(source, path, what)
                changed |= dict.fromkeys(there)
                removed |= dict.fromkeys(gone or ())
                everything |= gone is None
                if there or gone != []:
                    names.add(source.name)
        return Change(
            self.spec.name, names.pop() if len(names) == 1 else "", tuple(changed), tuple(removed), everything
        )

    def _look(self, source: WatchedFolder, path: str, what: _Touched) -> tuple[list[str], list[str] | None]:
        """Tell which documents are new or different and which are gone; None: nobody knows which."""
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            mode = 0
        is_folder = stat.S_ISDIR(mode)
        if path in source.folders and (what.deleted or not is_folder):
            source.folders = {folder for folder in source.folders if not inside(folder, path)}
            for _ in source.below(path) if is_folder else ():
                pass  # another one of that name is there: learn its folders
            return [], None  # what was in it is gone with it
        if is_folder:
            is_known = path in source.folders and not what.again
            return ([] if is_known or not source.enters(path) else self._new_folder(source, path, what)), []
        if source.is_vague(path):
            return [], None
        uri = source.uri(path)
        if not uri:
            return [], []
        if mode:
            return [uri], []
        name = os.path.basename(path)  # noqa: PTH119  # a string in, a string out
        return [], [] if what.added and _TRANSIENT.search(name) else [uri]

    def _new_folder(self, source: WatchedFolder, path: str, what: _Touched) -> list[str]:
        """List a new folder: what was put there before it was watched is reported by nobody."""
        now = self.clock()
        if now - what.at < self.quiet_s:  # perhaps it is not watched yet: look once more with the next burst
            self._touched[path] = _Touched(again=True, at=what.at)
            self._first = self._last = now
        return list(source.below(path))
