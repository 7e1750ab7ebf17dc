"""What the sources no longer have: as many ids as an index has documents, so they are made when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from relance.store.manifest import Manifest, Snapshot

__all__ = ["Gone"]

_BLOCK = 1000


class Gone(Sequence[str]):
    """Ids of documents and collections; 8 bytes each, where a list of strings takes 90."""

    def __init__(self, snapshot: Snapshot | None = None, places: NDArray[np.int64] | None = None) -> None:
        self._snapshot = snapshot
        self._places = np.zeros(0, np.int64) if places is None else places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        """Return the id at a position, or those of a slice."""
        if isinstance(at, int):
            return self[at:][0] if at < 0 else self[at : at + 1][0]
        if self._snapshot is None:
            return []
        text = self._snapshot.ids(self._places[at]).astype(">u8").tobytes().hex()
        return [text[start : start + 32] for start in range(0, len(text), 32)]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _BLOCK):
            yield from self[start : start + _BLOCK]

    @property
    def documents(self) -> int:
        """Count them without collections."""
        return 0 if self._snapshot is None else int((~self._snapshot.collections[self._places]).sum())

    def without(self, kept: Callable[[str, dict[str, Any]], bool], manifest: Manifest) -> Gone:
        """Leave out those to which a rule applies, by id and manifest row."""
        left = []
        for start in range(0, len(self), _BLOCK):
            ids = self[start : start + _BLOCK]
            rows = manifest.rows(ids)
            gone = [doc_id not in rows or not kept(doc_id, rows[doc_id]) for doc_id in ids]
            left.append(self._places[start : start + _BLOCK][np.array(gone, dtype=bool)])
        return Gone(self._snapshot, np.concatenate(left)) if left else self
