"""The embedding cache: every vector that was bought, found again by content."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relance.store.claims import Claims
from relance.store.conflicts import written
from relance.store.connection import Store
from relance.store.faults import store_error, store_errors
from relance.store.frame import Frame
from relance.store.journal import Journal
from relance.store.key_set import prefixes
from relance.store.local_folder import local_folders
from relance.store.owner import Owner
from relance.store.vector_table import VectorTable

if TYPE_CHECKING:
    from relance.embedding.embedder import Vector
    from relance.embedding.sparse import Sparse

__all__ = ["PREFIX", "EmbeddingStore", "table_name"]

log = logging.getLogger(__name__)

PREFIX = "relance__vectors__"
_FOLD_BYTES = 64 << 20  # a million vectors of 1,024 numbers are 62 commits, and 62 files of the table
# A run on this machine leaves smaller ones in the journal: each commit is one more file, to be rewritten one day.
_LEFT_BYTES, _LEFT_FILES = 4 << 20, 32
# What other machines have bought is found in the table only, so it goes there soon.
_REMOTE_FOLD_S = 2.0
_REMOTE_LOOK_S = 2.0  # a look for new versions is a request there, and 0.2 ms in a local folder
# Where there is no journal, the table is written so often, and so many vectors are in memory.
_HELD_S = 0.4
_HELD_ROWS = 4096
_POLL_S = 0.03  # between two looks for what others have bought


def table_name(space: str) -> str:
    """Name the table of a vector space."""
    return PREFIX + space


class EmbeddingStore:
    """Vectors of one space; safe to use from several threads, and from several processes.

    Implements `VectorStore`. `put` appends to a journal on local disk, where a kill no longer loses the vectors and all
    processes of this machine see them; a thread syncs it for power cuts. The journal is folded into the table in large
    commits, and when the cache is closed. What a dead process has left is folded by the next one that buys.

    Args:
        fold_bytes: so much of the journal is folded at once.
        fold_s: it is folded after so many seconds even if it is smaller; by default only where the store is not on
            this machine, for the others.
        poll_s: between two looks of `wait`.
    """

    def __init__(self, store: Store, space: str, dimension: int, *, sparse: bool = False,
                 fold_bytes: int = _FOLD_BYTES, fold_s: float | None = None,
                 poll_s: float = _POLL_S) -> None:  # fmt: skip
        remote = store.local is None
        self._dimension = dimension
        self._sparse = sparse
        self._fold_bytes = fold_bytes
        self._fold_s = _REMOTE_FOLD_S if remote and fold_s is None else fold_s
        self._look_s = _REMOTE_LOOK_S if remote else 0.0
        self._poll_s = poll_s
        self._folders = local_folders(store, f"vectors/{space}")
        self._journal = Journal(next(self._folders), dimension, sparse=sparse)
        self._table = VectorTable(store, table_name(space), dimension, sparse=sparse)
        self._opening = threading.Lock()
        self._owner: Owner | None = None
        self._claims: Claims | None = None
        self._looking = threading.Lock()
        self._looked = float("-inf")
        self._holding = threading.Lock()
        self._held: list[Frame] = []  # what there is no journal for
        self._unjournaled: OSError | None = None
        self._warned = False
        self._ended: list[NDArray[np.uint64]] = []  # keys that were put and may still be claimed
        self._folding = threading.Lock()
        self._unfolded_since: float | None = None
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._folder: threading.Thread | None = None
        self._error: Exception | None = None

    # -- reading ---------------------------------------------------------------------------------------------------

    def contains(self, keys: list[str]) -> NDArray[np.bool_]:
        """Tell which keys have a vector, whoever bought it; shape (len(keys),)."""
        if not keys:
            return np.zeros(0, dtype=bool)
        held = self._memory(keys)
        self._look(self._look_s)
        there = prefixes(keys)
        found = self._journal.contains(there) | self._table.contains(there)
        return found | np.fromiter((key in held for key in keys), bool, len(keys))

    def get(self, keys: list[str]) -> dict[str, Vector]:
        """Return the vectors there are for `keys`."""
        found = self._memory(keys)
        for age_s in (self._look_s, 0.0):
            missing = [key for key in dict.fromkeys(keys) if key not in found]
            if not missing:
                break
            self._look(age_s)
            found |= self._journal.read(missing)
            missing = [key for key in missing if key not in found]
            there = self._table.contains(prefixes(missing)).tolist()
            found |= self._table.read([key for key, known in zip(missing, there, strict=True) if known])
            if not self._journal.contains(prefixes(missing)).any():
                break  # else a file of the journal was folded while we read
        return found

    def _memory(self, keys: list[str]) -> dict[str, Vector]:
        if not self._held:
            return {}
        with self._holding:
            frames, wanted = list(self._held), set(keys)
        return {key: vector for frame in frames for key, vector in frame.vectors() if key in wanted}

    def _look(self, age_s: float) -> None:
        """See what others have bought; the table, where that is a request, only if the last look is so old."""
        with self._looking:
            whole = self._journal.follow()
            if not whole or time.monotonic() - self._looked >= age_s:
                self._table.refresh()
                self._looked = time.monotonic()

    # -- claims ----------------------------------------------------------------------------------------------------

    def claim(self, keys: list[str]) -> list[str]:
        """Claim those of `keys` that have no vector and that nobody alive has claimed; returns them in their order.

        Each call is a claimant of its own: a key is given to one call only, until its vector is put or it is released.
        Whoever gets a key buys its vector and calls `put`, which ends the claim once others can read the vector, or
        `release`. The claims of a process end with it, however it dies. For threads, never for the event loop.
        """
        keys = list(dict.fromkeys(keys))
        keys = [key for key, there in zip(keys, self.contains(keys), strict=True) if not there]
        if not keys:
            return []
        claims = self._open()
        free = claims.take(prefixes(keys))
        mine = [key for key, ours in zip(keys, free, strict=True) if ours]
        # Others end a claim after the vector can be read: what was bought before we had the claim is there by now.
        self._look(0.0)
        bought = self.contains(mine)
        claims.end(prefixes(mine)[bought])
        return [key for key, there in zip(mine, bought, strict=True) if not there]

    def release(self, keys: list[str]) -> None:
        """End claims that `claim` gave to the caller; those of keys that were put have ended already."""
        if self._claims is not None and keys:
            self._claims.end(prefixes(keys))

    def wait(self, keys: list[str], *, timeout_s: float | None = None,
             stop: Callable[[], bool] | None = None) -> list[str]:  # fmt: skip
        """Wait until each of `keys` has a vector or nobody alive claims it; returns those without a vector.

        What comes back is to be claimed again: its buyer has released it, or died. After `timeout_s` seconds, or once
        `stop` is true, the keys that others still claim come back too. For threads, never for the event loop.
        """
        deadline = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        claims, lapsed = self._open(), []
        while True:
            began = time.thread_time()
            # In this order: a claim ends after the vector can be read.
            held = claims.held(prefixes(keys))
            there = self.contains(keys)
            lapsed += [key for key, claimed, known in zip(keys, held, there, strict=True) if not (claimed or known)]
            keys = [key for key, claimed, known in zip(keys, held, there, strict=True) if claimed and not known]
            if not keys or time.monotonic() >= deadline or (stop is not None and stop()):
                return lapsed + keys
            # 2,000 keys take 4 ms; waiting for many should not take a core.
            time.sleep(max(self._poll_s, 20 * (time.thread_time() - began)))

    def _open(self) -> Claims:
        """Become an owner of the journal, in the first folder where one can be."""
        with self._opening:
            if self._claims is not None:
                return self._claims
            for folder in chain([self._journal.folder], self._folders):
                try:
                    self._owner = Owner(folder)
                except OSError as error:
                    self._unjournaled = error
                    continue
                if folder != self._journal.folder:
                    self._journal = Journal(folder, self._dimension, sparse=self._sparse)
                break
            self._claims = Claims(self._owner, self._journal.folder)
            return self._claims

    # -- writing ---------------------------------------------------------------------------------------------------

    def put(self, keys: list[str], vectors: NDArray[np.float32], sparse: list[Sparse] | None = None) -> None:
        """Keep vectors, shape (len(keys), dimension), and sparse ones where the space has them; a kill loses none.

        Ends claims on `keys`. Errors of earlier commits are raised here.
        """
        if self._error is not None:
            raise self._error
        if not keys:
            return
        beside: list[Sparse | None] | None = [*(sparse or [None] * len(keys))] if self._sparse else None
        frame = Frame(keys, vectors, beside, time.time_ns() // 1000)
        self._open()
        if not self._is_journaled(frame):
            with self._holding:
                self._held.append(frame)
        if self._unfolded_since is None:
            self._unfolded_since = time.monotonic()
        with self._holding:
            self._ended.append(prefixes(keys))
            if self._thread is None:
                self._closing.clear()
                self._thread = threading.Thread(target=self._sync_on, name="relance-journal", daemon=True)
                self._thread.start()
        self._wake.set()

    def _is_journaled(self, frame: Frame) -> bool:
        if self._owner is None:
            return False
        try:
            self._journal.append(frame, self._owner)
        except OSError as error:
            self._unjournaled = error
            return False
        return True

    def drain(self) -> None:
        """Wait while more waits to be folded than there should; for threads, never for the event loop."""
        if sum(len(frame.keys) for frame in self._held) >= _HELD_ROWS or self._journal.bytes >= 2 * self._fold_bytes:
            self.flush()

    def flush(self) -> None:
        """Commit what has been put, and what dead processes have left, to the table; returns when it is there."""
        if not self._journal.follow():
            self._table.refresh()
        if self._journal.rows():
            self._open()
        self._commit()

    def close(self) -> None:
        """Commit the rest where it is worth a commit, and end all claims. May be called again after an error."""
        self._closing.set()
        self._wake.set()
        for thread in (self._thread, self._folder):
            if thread is not None:
                thread.join()
        self._thread = self._folder = None
        if self._commit(least=self._least()):
            self._table.tidy()
        with self._opening:
            claims, self._claims = self._claims, None
            owner, self._owner = self._owner, None
        if claims is not None:
            claims.close()
        if owner is not None:
            owner.close()
        self._error = None

    def _least(self) -> int:
        """Say how many bytes are worth a commit at the end."""
        if self._fold_s is not None or self._error is not None:
            return 0
        # The last one folds for all. A worker process would import lancedb for nothing else: 1.4 CPU-s each.
        alone = self._owner is None or not self._journal.is_shared(self._owner)
        return _LEFT_BYTES if alone else self._fold_bytes

    def _commit(self, *, least: int = 0) -> bool:
        """Move vectors from the journal to the table, unless there are few bytes of them; tells whether any were."""
        with self._folding:
            self._unfolded_since = None
            with store_errors(f"writing the journal in {self._journal.folder}"):
                segments = self._journal.rotate()
            with self._holding:
                held = list(self._held)
            with contextlib.ExitStack() as locks:
                if self._owner is not None:
                    segments += locks.enter_context(self._journal.abandoned(self._owner))
                if not held and len(segments) <= _LEFT_FILES and sum(segment.bytes for segment in segments) < least:
                    return False
                if held or any(segment.rows for segment in segments):
                    written(lambda: self._table.add(chain(self._journal.frames(segments), held)))
                self._journal.discard(segments)
            with self._holding:
                del self._held[: len(held)]
            if held and not self._warned:
                self._warned = True
                log.warning(
                    "there is no journal of bought vectors, a kill may lose the last ones: %s", self._unjournaled
                )
        return bool(held or segments)

    def _sync_on(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._patience_s())
            self._wake.clear()
            with self._holding:
                ended, self._ended = self._ended, []
            if ended:
                try:
                    self._journal.sync()
                except OSError as error:
                    self._error = store_error(error, f"writing the journal in {self._journal.folder}")
                    return
                if self._claims is not None:
                    self._claims.end(np.concatenate(ended))
            since, patience_s = self._unfolded_since, self._patience_s()
            old = since is not None and patience_s is not None and time.monotonic() - since >= patience_s
            if (old or self._journal.bytes >= self._fold_bytes) and (
                self._folder is None or not self._folder.is_alive()
            ):
                self._folder = threading.Thread(target=self._fold, name="relance-fold", daemon=True)
                self._folder.start()

    def _patience_s(self) -> float | None:
        return _HELD_S if self._held else self._fold_s

    def _fold(self) -> None:
        try:
            self._commit()
        except Exception as error:
            self._error = error
