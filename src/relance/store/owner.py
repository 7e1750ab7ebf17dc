"""Who uses a folder of the embedding cache: a lock that the operating system ends with its process."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock

__all__ = ["Owner", "is_alive", "succeed"]


def _lock(folder: Path, name: str) -> FileLock:
    from filelock import FileLock  # 35 ms, which who only reads need not pay

    return FileLock(folder / f"{name}.lock", thread_local=False)


def _take(lock: FileLock) -> bool:
    """Take a lock if it is free; raises OSError where there are no locks that end with their process."""
    from filelock import SoftFileLock, Timeout

    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except NotImplementedError as error:
        raise OSError(f"files cannot be locked in {Path(lock.lock_file).parent}") from error
    if isinstance(lock, SoftFileLock):
        lock.release()
        raise OSError(f"files cannot be locked in {Path(lock.lock_file).parent}")
    return True


class Owner:
    """One user of a folder, alive until it is closed or its process ends, however it ends.

    Two in one process are two users. Raises OSError where the folder cannot be written or has no locks.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = uuid.uuid4().hex[:16]
        self._lock = _lock(folder, self.name)
        if not _take(self._lock):
            raise OSError(f"the lock of a new owner in {folder} is taken")

    def close(self) -> None:
        """Let go, and leave no file."""
        # The file goes while it is locked: nobody else can be about to use it, for a name is never used twice.
        with contextlib.suppress(OSError):
            Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()


@contextlib.contextmanager
def succeed(folder: Path, name: str) -> Generator[bool]:
    """Hold what a dead owner has left, for the length of the block; false if it is alive or another one is at it."""
    lock = _lock(folder, name)
    try:
        taken = _take(lock)
    except OSError:  # of another user
        taken = False
    if not taken:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def is_alive(folder: Path, name: str) -> bool:
    """Tell whether an owner may still be at work."""
    if not (folder / f"{name}.lock").exists():
        return False
    with succeed(folder, name) as dead:
        return not dead
