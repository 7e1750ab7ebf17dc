"""One LanceDB connection, set up so that it never works on a stale view."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Generator
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any

from relance.config import IndexSpec
from relance.errors import RelanceError, StoreError
from relance.store.allocators import tune_allocators
from relance.store.faults import store_error, store_errors
from relance.store.postponed_client import postpone_client

__all__ = ["Store", "open_store"]

# LanceDB's Rust side warns on stderr about every table it creates; set before its first import.
os.environ.setdefault("LANCE_LOG", "error")
os.environ.setdefault("LANCEDB_LOG", "error")
postpone_client()

# LanceDB's own bounds are gigabytes, and every commit leaves a manifest of the whole table in the cache: a run that
# writes 100,000 documents grew to 774 MB by it.
_INDEX_CACHE = 256 << 20
_METADATA_CACHE = 16 << 20


# LanceDB asks an object store that does not answer six things, each ten times for 30 s: right for work, too long for
# a look.
_ANSWERS_WITHIN_S = 20.0
_CREATED_WITHIN_S = 10.0  # 3 ms on a local disk


class Store:
    """A LanceDB database and the tables relance keeps in it."""

    def __init__(self, uri: str, *, storage_options: dict[str, str], api_key: str) -> None:
        self.uri = uri
        self.local = Path(uri) if "://" not in uri else None
        self._storage_options = storage_options
        self._api_key = api_key
        self._db: Any = None

    @property
    def db(self) -> Any:
        """The connection, made on first use."""
        if self._db is None:
            import lancedb

            tune_allocators()
            options: dict[str, Any] = {"storage_options": self._storage_options or None}
            if self.uri.startswith("db://"):
                options = {"api_key": self._api_key or None}
            with store_errors(f"opening {self.uri}"):
                # Without the interval a handle opened before another commit inserts duplicates and deletes nothing,
                # silently (lancedb issue 3377).
                session = lancedb.Session(_INDEX_CACHE, _METADATA_CACHE)
                self._db = lancedb.connect(self.uri, read_consistency_interval=timedelta(0), session=session, **options)
        return self._db

    def reconnect(self) -> None:
        """Forget what was read: the next use makes another connection."""
        self._db = None

    @property
    def exists(self) -> bool:
        """Whether there is anything to open; only known without a request for a local folder."""
        return self.local is None or self.local.is_dir()

    def ask(self, within_s: float = _ANSWERS_WITHIN_S) -> None:
        """Ask an object store for its tables; StoreError if it refuses, or does not answer within these seconds."""
        if self.local is not None or self.uri.startswith("db://"):
            return
        answer: Future[list[str]] = Future()
        asked = Store(self.uri, storage_options=self._storage_options, api_key=self._api_key)

        def look() -> None:
            try:
                answer.set_result(asked.tables())
            except Exception as error:
                answer.set_exception(error)

        threading.Thread(target=look, name="relance-ask", daemon=True).start()  # may wait for minutes still
        try:
            answer.result(within_s)
        except TimeoutError:
            remedy = "is the object store up? Check `store.uri` and `store.storage_options`, then run again"
            raise StoreError(f"asking {self.uri}", f"no answer within {within_s:g} s", remedy) from None

    def tables(self) -> list[str]:
        """List the names of all tables."""
        if not self.exists:
            return []
        names: list[str] = []
        while True:
            with store_errors(f"listing the tables of {self.uri}"):
                page = self.db.list_tables(page_token=names[-1] if names else None, limit=1000).tables
            fresh = [name for name in page if name not in names]
            names += fresh
            if len(page) < 1000 or not fresh:
                return names

    def open(self, name: str) -> Any | None:
        """Open a table, or return None if there is none."""
        if not self.exists:
            return None
        try:
            return self.db.open_table(name)
        except RelanceError:
            raise
        except Exception as error:
            if isinstance(error, (ValueError, FileNotFoundError)) and "not found" in str(error).lower():
                return None
            raise store_error(error, f"opening table {name}") from error

    def create(self, name: str, schema: Any) -> Any:
        """Create a table if it is missing, and open it."""
        if self.local is None:  # an object store has no locks
            return self._create(name, schema)
        with contextlib.suppress(RelanceError):
            # A table is there with its first commit, later than its folder.
            if (table := self.open(name)) is not None:
                return table
        with self._one_creator(self.local):
            return self._create(name, schema)

    def _create(self, name: str, schema: Any) -> Any:
        try:
            return self.db.create_table(name, schema=schema, exist_ok=True)
        except RelanceError:
            raise
        except Exception as error:
            # Of two processes that create it at the same moment one fails in spite of exist_ok, and finds the other's.
            try:
                table = self.open(name)
            except RelanceError:
                table = None
            if table is None:
                raise store_error(error, f"creating table {name} in {self.uri}") from error
            return table

    @staticmethod
    @contextlib.contextmanager
    def _one_creator(local: Path) -> Generator[None]:
        """Let one process at a time create tables in a folder.

        LanceDB looks for the table, and commits an empty one later, over what another process has made of it meanwhile:
        three that created a table and added a row to it lost rows in 1 of 60 tries.
        """
        from filelock import FileLock

        folder = local / ".relance"
        with contextlib.ExitStack() as held:
            # Where files cannot be locked, or one who holds the lock is stopped, it is better to create than to wait.
            with contextlib.suppress(OSError, NotImplementedError):
                folder.mkdir(parents=True, exist_ok=True)
                held.enter_context(
                    FileLock(folder / "relance__tables.lock", thread_local=False).acquire(
                        _CREATED_WITHIN_S, poll_interval=0.005
                    )
                )
            yield


def open_store(spec: IndexSpec) -> Store:
    """Open the store of a spec; nothing is created or connected to yet."""
    section = spec.store
    uri = section.uri.removeprefix("file://")
    uri = uri if "://" in uri else str(spec.path(uri))
    options = {key: value.get_secret_value() for key, value in section.storage_options.items()}
    api_key = section.api_key.get_secret_value()
    if uri.startswith("db://") and not api_key:
        from relance.config.settings import read_settings  # pydantic-settings takes a moment

        api_key = read_settings().lancedb_api_key.get_secret_value()
    return Store(uri, storage_options=options, api_key=api_key)
