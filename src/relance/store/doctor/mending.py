"""What a repair does to a table whose files are hurt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from relance.counted import counted
from relance.store import Store
from relance.store.doctor.reading import HurtFile
from relance.store.faults import store_errors
from relance.store.mending import set_aside

__all__ = ["begin_anew", "drop_files", "drop_rows", "manifests", "remove_manifest"]

_MANIFEST = re.compile(r"(\d+)\.manifest")
_LATEST = (1 << 64) - 1  # versions are counted down from it in the names of their files, so that the newest is first
_OLD_NAMES = 1 << 63


def manifests(store: Store, name: str) -> dict[int, Path]:
    """Find the file of each version of a table, newest first; none where the store is not on this machine."""
    if store.local is None:
        return {}
    found = {}
    for path in (store.local / f"{name}.lance" / "_versions").glob("*.manifest"):
        if match := _MANIFEST.fullmatch(path.name):
            number = int(match[1])
            found[_LATEST - number if number > _OLD_NAMES else number] = path
    return dict(sorted(found.items(), reverse=True))


def drop_files(store: Store, name: str, hurt: Sequence[HurtFile]) -> str:
    """Delete the rows of files that cannot be read."""
    dropped = sum(drop_rows(store, name, each.condition) for each in hurt)
    return f"dropped {counted(dropped, 'row')} of {name}"


def drop_rows(store: Store, name: str, condition: str) -> int:
    """Delete rows of a table; returns how many that were."""
    table = store.open(name)
    if table is None:
        return 0
    with store_errors(f"deleting rows of {name}"):
        return table.delete(condition).num_deleted_rows


def remove_manifest(path: Path) -> str:
    """Remove the file of a version that cannot be opened."""
    path.unlink(missing_ok=True)
    return f"removed {path.parent.parent.name}/_versions/{path.name}"


def begin_anew(store: Store, name: str) -> str:
    """Set a table aside where the store is on this machine, else drop it; who needs it makes it again."""
    if (path := set_aside(store, name)) is not None:
        return f"{name} is set aside as {path}"
    with store_errors(f"dropping {name}"):
        store.db.drop_table(name)
    return f"{name} is dropped"
