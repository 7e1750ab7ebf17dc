"""A tokenizer that knows which texts come next, and so tokenises them together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from relance.embedding.tokenizers import Tokenizer

__all__ = ["TokenizedAhead"]


class TokenizedAhead(Tokenizer):
    """Any tokenizer, for the boundaries of some short texts, found in few calls when the first is asked for."""

    def __init__(self, tokenizer: Tokenizer, texts: Iterable[str]) -> None:
        self._tokenizer = tokenizer
        self._texts = dict.fromkeys(texts)
        self._ready: dict[str, NDArray[np.int32]] = {}

    @property
    def name(self) -> str:
        """See `Tokenizer`."""
        return self._tokenizer.name

    @property
    def seams(self) -> bool:
        """See `Tokenizer`."""
        return self._tokenizer.seams

    def boundaries(self, text: str) -> NDArray[np.int32]:
        """See `Tokenizer`."""
        if text not in self._texts:
            return self._tokenizer.boundaries(text)
        if not self._ready:
            self._ready = dict(zip(self._texts, self._tokenizer.boundaries_of(self._texts), strict=True))
        return self._ready[text]

    def boundaries_of(self, texts: Iterable[str]) -> Iterator[NDArray[np.int32]]:
        """See `Tokenizer`."""
        return self._tokenizer.boundaries_of(texts)

    def count(self, texts: list[str]) -> NDArray[np.int64]:
        """See `Tokenizer`."""
        return self._tokenizer.count(texts)
