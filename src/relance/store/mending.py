"""Making a table readable again whose files are torn or missing: it goes back to a version that reads, or is set aside.

Of a table in a folder only: an object store has no torn files, and what cannot be reached there is not gone.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from relance.store.connection import Store
from relance.store.faults import cause_of, is_damage, store_error, store_errors
from relance.store.lock import hold

__all__ = [
    "ASIDE",
    "Mended",
    "damage_of",
    "drop_aside",
    "mend",
    "read_through",
    "set_aside",
    "torn_files",
    "torn_indexes",
]

log = logging.getLogger(__name__)

ASIDE = ".relance/aside"  # within the store: LanceDB takes every folder beside the tables for one
_MAGIC = b"LANC"  # the last four bytes of every file that Lance writes but for those of deletions
_TRIED = 50  # versions: one that far back helps less than writing anew
_WAIT_S = 60.0
_STAMP = "%Y%m%dT%H%M%S%f"


class Mended(NamedTuple):
    """What was done to a table, as a sentence, and whether rows are lost by it."""

    sentence: str
    lost: bool


def damage_of(store: Store, name: str, columns: Sequence[str] = ()) -> Exception | None:
    """Return the error with which reading a table fails because files of it are torn or missing; None if it reads.

    Every file of the newest version is opened; of its rows `columns` are read, by default the first one. Raises
    StoreError where it fails for another reason: the disk, the network, what this user may do.
    """
    try:
        table = store.db.open_table(name)
        read_through(table, columns)
    except Exception as error:
        if _is_missing(name, error):
            return None
        if not is_damage(error):
            raise store_error(error, f"reading {name}") from error
        return error
    return None


def read_through(table: Any, columns: Sequence[str] = ()) -> int:
    """Read columns of all rows of a table, by default the first one; returns how many rows there are."""
    names = [name for name in columns if name in table.schema.names] or table.schema.names[:1]
    return sum(batch.num_rows for batch in table.search().select(names).limit(None).to_batches())


def mend(store: Store, name: str, columns: Sequence[str] = ()) -> Mended | None:
    """Make a table of a local store readable; returns what was done, or None if nothing had to be.

    Files that are torn and belong to old versions or to search indexes are set aside. If the newest version that is
    left does not read (see `damage_of`), the newest one that does becomes the newest; if none does, the whole table is
    set aside. What is lost of it by that is for the caller to write again. Nothing is written where all is well.
    """
    if store.local is None or not (store.local / f"{name}.lance").is_dir() or _is_whole(store, name, columns):
        return None
    with hold(store, name, wait_s=_WAIT_S):
        # Another process may have mended it meanwhile.
        return None if _is_whole(store, name, columns) else _mend(store, name, columns)


def set_aside(store: Store, name: str) -> Path | None:
    """Move a table out of the way of a local store, to be looked at or removed by a person; returns where it is."""
    if store.local is None or not (folder := store.local / f"{name}.lance").exists():
        return None
    target = _move(store, folder, f"{name}.lance")
    store.reconnect()  # LanceDB remembers what it has read
    return target


def drop_aside(store: Store, before: datetime) -> list[str]:
    """Remove what was set aside before a time; returns the names."""
    folder = None if store.local is None else store.local / ASIDE
    if folder is None or not folder.is_dir():
        return []
    old = [path for path in sorted(folder.iterdir()) if path.name < f"{before.astimezone(UTC):{_STAMP}}"]
    with store_errors(f"removing what was set aside in {folder}"):
        for path in old:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return [path.name for path in old]


def torn_files(store: Store, name: str) -> list[Path]:
    """Find the files of a local table's versions and search indexes that are empty or cut short; also of old ones."""
    if store.local is None:
        return []
    folder = store.local / f"{name}.lance"
    files = (*folder.glob("_versions/*.manifest"), *folder.glob("_indices/*/*"))
    return [path for path in sorted(files) if _is_torn(path)]


def torn_indexes(table: Any) -> dict[str, str]:
    """Find the search indexes of a table that cannot be used; returns the cause by the index's name."""
    import numpy as np

    found: dict[str, str] = {}
    for index in table.list_indices():
        (column,) = index.columns
        try:
            table.index_stats(index.name)
            if index.index_type == "FTS":
                table.search("a", query_type="fts", fts_columns=column).limit(1).to_list()
            elif column == "vector":
                size = table.schema.field(column).type.list_size
                table.search(np.ones(size, np.float32), vector_column_name=column).limit(1).to_list()
            else:
                asked = f"array_has_any({column}, [''])" if column == "access" else f"{column} = ''"
                table.search().where(asked).limit(1).to_list()
        except Exception as error:
            if not is_damage(error):
                raise store_error(error, f"reading index {index.name} of {table.name}") from error
            found[index.name] = cause_of(error)
    return found


def _is_whole(store: Store, name: str, columns: Sequence[str]) -> bool:
    versions = store.local is not None and any((store.local / f"{name}.lance" / "_versions").glob("*.manifest"))
    return versions and not torn_files(store, name) and damage_of(store, name, columns) is None


def _mend(store: Store, name: str, columns: Sequence[str]) -> Mended:
    torn = torn_files(store, name)
    for path in torn:
        _move(store, path, f"{name}-{path.parent.name}-{path.name}")
    store.reconnect()  # LanceDB remembers what it has read
    folder = Path(store.local or "") / f"{name}.lance"
    if not any((folder / "_versions").glob("*.manifest")):
        return Mended(f"{name} had no version that can be read; {_set_aside(store, name)}", lost=True)
    if (cause := damage_of(store, name, columns)) is None:
        # Where the newest version itself was torn, the one before it is read now.
        files = ", ".join(path.name for path in torn[:3]) + (" …" if len(torn) > 3 else "")
        lost = any(path.parent.name == "_versions" for path in torn)
        return Mended(f"{name} had torn files ({files}), which were set aside", lost=lost)
    why = cause_of(cause)
    if (version := _newest_readable(store, name, columns)) is None:
        return Mended(f"{name} could not be read ({why}); {_set_aside(store, name)}", lost=True)
    with store_errors(f"going back to version {version} of {name}"):
        table = store.db.open_table(name)
        age = {each["version"]: each["timestamp"] for each in table.list_versions()}[version]
        table.restore(version)
    went = f"{name} could not be read ({why}); it went back to version {version} of {age:%Y-%m-%d %H:%M}"
    return Mended(went, lost=True)


def _newest_readable(store: Store, name: str, columns: Sequence[str]) -> int | None:
    """Find the newest version that reads; None if there is none, or the newest cannot even be opened."""
    try:
        table = store.db.open_table(name)
        newest = table.version
        versions = sorted((each["version"] for each in table.list_versions()), reverse=True)
    except Exception as error:
        if is_damage(error):
            return None
        raise store_error(error, f"reading {name}") from error
    for version in [each for each in versions if each < newest][:_TRIED]:
        try:
            table.checkout(version)
            read_through(table, columns)
        except Exception as error:
            log.debug("version %s of %s: %s", version, name, error)
            continue
        return version
    return None


def _set_aside(store: Store, name: str) -> str:
    return f"set aside as {set_aside(store, name)} and begun anew"


def _move(store: Store, path: Path, name: str) -> Path:
    assert store.local is not None  # noqa: S101  # for the type checker; the callers have looked
    folder = store.local / ASIDE
    target = folder / f"{datetime.now(UTC):{_STAMP}}-{name}"
    with store_errors(f"setting {path} aside"):
        folder.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return target


def _is_missing(name: str, error: Exception) -> bool:
    return isinstance(error, ValueError) and "was not found" in str(error) and name in str(error)


def _is_torn(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            if file.tell() < len(_MAGIC):
                return True
            file.seek(-len(_MAGIC), 2)
            return file.read() != _MAGIC
    except FileNotFoundError:  # a run pruned it
        return False
