"""Who is buying which vector: claims that end with the process that made them."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relance.store.owner import Owner, is_alive

__all__ = ["Claims"]

log = logging.getLogger(__name__)

_FILE = "claims.db"
_BUSY_S = 20.0
_ALIVE_S = 0.25  # so long an owner that was alive counts as such: trying its lock takes 0.1 ms
_TABLE = "create table if not exists claims (key integer primary key, owner text not null)"
# One statement for all keys: a statement a key gives up Python's lock each time, and waits for it.
_WHO = "select key, owner from claims where key in (select value from json_each(?))"
_END = "delete from claims where owner = ? and key in (select value from json_each(?))"
_TAKE = "insert or replace into claims select value, ? from json_each(?)"


class Claims:
    """The claims of all owners of a folder; safe to use from several threads.

    They are in a SQLite file that is never synced: a power cut ends all claims anyway. Without an owner, or where the
    file cannot be written, they are in memory and hold between the threads of one process.
    """

    def __init__(self, owner: Owner | None, folder: Path, *, alive_s: float = _ALIVE_S) -> None:
        self._owner = owner.name if owner is not None else ""
        self._folder = folder
        self._alive_s = alive_s
        self._seen: dict[str, float] = {}
        self._dead: set[str] = set()
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._shared = owner is not None

    def take(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Claim those prefixes, each given once, that nobody alive has claimed; tells which; shape (len(keys),)."""

        def claim(database: sqlite3.Connection, text: str) -> set[int]:
            database.execute("begin immediate")
            taken = self._held(database, text)
            for owner in self._dead:
                database.execute("delete from claims where owner = ?", (owner,))
            free = [number for number in json.loads(text) if number not in taken]
            values = (self._owner, json.dumps(free))
            database.execute(_TAKE, values)
            return taken

        return ~self._ask(keys, claim)

    def held(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Tell which keys somebody alive has claimed; shape (len(keys),)."""
        return self._ask(keys, self._held)

    def end(self, keys: NDArray[np.uint64]) -> None:
        """End our claims on `keys`; others are passed over."""

        def remove(database: sqlite3.Connection, text: str) -> set[int]:
            database.execute(_END, (self._owner, text))
            return set()

        self._ask(keys, remove)

    def close(self) -> None:
        """End all our claims."""
        with self._lock:
            if self._database is None:
                return
            with contextlib.suppress(sqlite3.Error):  # they end with this process at the latest
                self._database.execute("delete from claims where owner = ?", (self._owner,))
            self._database.close()
            self._database = None

    def _held(self, database: sqlite3.Connection, text: str) -> set[int]:
        rows = database.execute(_WHO, (text,)).fetchall()
        self._dead = {owner for owner in {owner for _, owner in rows} if not self._is_alive(owner)}
        return {key for key, owner in rows if owner not in self._dead}

    def _is_alive(self, owner: str) -> bool:
        if owner == self._owner:
            return True
        now = time.monotonic()
        if now - self._seen.get(owner, -self._alive_s) < self._alive_s:
            return True
        if is_alive(self._folder, owner):
            self._seen[owner] = now
            return True
        return False

    def _ask(
        self, keys: NDArray[np.uint64], action: Callable[[sqlite3.Connection, str], set[int]]
    ) -> NDArray[np.bool_]:
        numbers = keys.astype(np.uint64).view(np.int64).tolist()
        text = json.dumps(numbers)
        with self._lock:
            try:
                found = self._transact(action, text)
            except sqlite3.Error as error:
                self._recover(error)
                found = self._transact(action, text)
        return np.fromiter((number in found for number in numbers), bool, len(numbers))

    def _transact(self, action: Callable[[sqlite3.Connection, str], set[int]], text: str) -> set[int]:
        if self._database is None:
            self._database = self._open()
        try:
            found = action(self._database, text)
            if self._database.in_transaction:
                self._database.execute("commit")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("rollback")
            raise
        return found

    def _open(self) -> sqlite3.Connection:
        path = str(self._folder / _FILE) if self._shared else ":memory:"
        database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            database.execute("pragma journal_mode = wal")
            database.execute("pragma synchronous = off")
            database.execute(_TABLE)
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _recover(self, error: sqlite3.Error) -> None:
        """Begin a new file where this one is damaged; where that is not it, go on in memory."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if not isinstance(error, sqlite3.OperationalError):
            log.warning("%s is damaged (%s) and begun anew", self._folder / _FILE, error)
            try:
                for name in (_FILE, f"{_FILE}-wal", f"{_FILE}-shm"):
                    (self._folder / name).unlink(missing_ok=True)
                self._database = self._open()
            except (OSError, sqlite3.Error) as again:
                error = again if isinstance(again, sqlite3.Error) else sqlite3.OperationalError(str(again))
            else:
                return
        log.warning("processes that embed the same texts now may each buy them: %s cannot be used (%s)",
                    self._folder / _FILE, error)  # fmt: skip
        self._shared = False
