"""By which rules each document of a manifest was split: nine bytes a document, in memory while chunks are compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relance.store.doctor.reading import TableReading
from relance.store.ids import decode

__all__ = ["Rules"]


class Rules:
    """The fingerprint of each document, by the first half of its id."""

    def __init__(self, manifest: TableReading) -> None:
        self._words: dict[str, int] = {"": 0}
        ids, codes = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)]
        for batch in manifest.stream(["doc_id", "fingerprint"]):
            marks = batch["fingerprint"].fill_null("").dictionary_encode()
            numbers = [self._words.setdefault(word, len(self._words)) for word in marks.dictionary.to_pylist()]
            ids.append(decode(batch["doc_id"])[:, 0])
            codes.append(np.array([*numbers, 0], np.int32)[marks.indices.to_numpy()])
        found = np.concatenate(ids)
        order = np.argsort(found)
        self._ids, self._codes = found[order], np.concatenate(codes)[order]

    def of(self, doc_ids: NDArray[np.uint64]) -> list[str]:
        """Return the fingerprint of each document, empty where there is none."""
        words = list(self._words)
        if not len(self._ids):
            return [""] * len(doc_ids)
        at = np.minimum(np.searchsorted(self._ids, doc_ids), len(self._ids) - 1)
        codes = np.where(self._ids[at] == doc_ids, self._codes[at], 0)
        return [words[code] for code in codes.tolist()]
