"""What a power cut must not take: LanceDB syncs no file of a table in a folder (lancedb 0.40, by strace), so we do."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from relance.store.connection import Store
from relance.store.faults import store_errors

__all__ = ["sync_tables"]

_FOLDERS = ("data", "_deletions", "_indices", "_versions")  # a version last: it names the others
_COARSE_NS = 2_000_000_000  # the step of the clock of some file systems


def sync_tables(store: Store, names: Iterable[str], *, since_ns: int) -> None:
    """Let the files that tables got since a time (`time.time_ns`) survive a power cut; of a local store.

    Takes 14 ms for each small file that is not on the disk yet and 50 ms for 30 MB, on a busy disk; nothing for the
    others.
    """
    if store.local is None:
        return
    with store_errors(f"syncing the files of {store.uri}"):
        for name in names:
            table = store.local / f"{name}.lance"
            for folder in (table / each for each in _FOLDERS if (table / each).is_dir()):
                changed = [path for path in folder.rglob("*") if _is_newer(path, since_ns - _COARSE_NS)]
                for path in (*changed, folder):
                    _sync(path)
            if table.is_dir():
                _sync(table)
        _sync(store.local)


def _is_newer(path: Path, since_ns: int) -> bool:
    try:
        return path.stat().st_mtime_ns >= since_ns
    except FileNotFoundError:  # pruned meanwhile
        return False


def _sync(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
