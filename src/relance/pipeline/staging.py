"""The staging area of a run: where batches lie that are not in memory, as Arrow IPC files."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import pyarrow as pa
    from filelock import BaseFileLock

    from relance.store import Store

__all__ = ["Staging", "abandoned", "sweep"]

_PREFIX = "relance-staging-"
_STOP = "stop"


class Staging:
    """A folder that all processes of a run see, made when the first batch goes there; pickled, it is its path.

    The process it belongs to holds a lock in it for as long as it lives: a folder whose lock is free was left by a run
    that was killed, and the next run removes it.
    """

    def __init__(self, folder: Path, *, ours: bool = False) -> None:
        self.folder = folder
        self._ours = ours
        self._opening = threading.Lock()
        self._lock: BaseFileLock | None = None

    @classmethod
    def beside(cls, store: Store | None) -> Self:
        """Choose a place: in the folder of a store, or (None) among this machine's temporary files."""
        shared = store.local if store is not None else None
        parent = shared / ".relance" if shared is not None else Path(tempfile.gettempdir())
        return cls(parent / f"{_PREFIX}{uuid.uuid4().hex}", ours=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._lock.release()
            self._lock = None

    def write(self, tables: Mapping[str, pa.Table]) -> str:
        """Keep tables; returns their address, which is whole or not there."""
        import pyarrow as pa

        self.open()
        address = uuid.uuid4().hex
        unfinished = self.folder / f"{address}.part"
        unfinished.mkdir()
        for name, table in tables.items():
            with (
                pa.OSFile(str(unfinished / f"{name}.arrow"), "wb") as sink,
                pa.ipc.new_file(sink, table.schema) as file,
            ):
                file.write_table(table)
        unfinished.rename(self.folder / address)
        return address

    def read(self, address: str) -> dict[str, pa.Table]:
        """Map tables into memory; what is not looked at is not read."""
        import pyarrow as pa

        found = {}
        for path in (self.folder / address).iterdir():
            with pa.memory_map(str(path)) as source:
                found[path.stem] = pa.ipc.open_file(source).read_all()
        return found

    def drop(self, address: str) -> None:
        """Remove tables; harmless where they are gone."""
        shutil.rmtree(self.folder / address, ignore_errors=True)

    def stop(self) -> None:
        """Tell all processes of the run to send nothing more."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                (self.folder / _STOP).touch()

    @property
    def stopped(self) -> bool:
        """Whether the run was stopped, or its area is gone with it."""
        return (self.folder / _STOP).exists() or not self.folder.is_dir()

    def open(self) -> Path:
        """Make the folder if it is not there yet; returns it."""
        with self._opening:
            if not self._ours or self._lock is not None:
                return self.folder
            from filelock import FileLock

            self.folder.parent.mkdir(parents=True, exist_ok=True)
            sweep(self.folder.parent)
            self.folder.mkdir(mode=0o700)
            lock = FileLock(self.folder / "lock", thread_local=False)
            lock.acquire()
            self._lock = lock
            return self.folder

    def __reduce__(self) -> tuple[type[Staging], tuple[Path]]:
        return Staging, (self.folder,)


def sweep(parent: Path) -> list[Path]:
    """Remove the staging areas below a folder whose runs were killed; returns them."""
    return _each_abandoned(parent, lambda folder: shutil.rmtree(folder, ignore_errors=True))


def abandoned(parent: Path) -> list[Path]:
    """Find the staging areas below a folder whose runs were killed."""
    return _each_abandoned(parent, lambda _: None)


def _each_abandoned(parent: Path, action: Callable[[Path], None]) -> list[Path]:
    from filelock import FileLock, Timeout

    found = []
    for folder in sorted(parent.glob(f"{_PREFIX}*")):
        lock = folder / "lock"
        # Without a lock file it is being made at this moment, or it is somebody else's.
        with contextlib.suppress(Timeout, OSError):
            if lock.is_file():
                with FileLock(lock, timeout=0):
                    action(folder)
                    found.append(folder)
    return found
