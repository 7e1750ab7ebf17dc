"""Counting tokens the way the model does that will be billed for them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tokenizer"]


class Tokenizer(Protocol):
    """A model's tokenizer, without its special tokens."""

    name: str

    def boundaries(self, text: str) -> NDArray[np.int64]:
        """Return the character offset at which each token ends, ascending; shape (tokens,).

        Tokens that end inside a character are given the offset of that character's end.
        """
        ...

    def count(self, texts: list[str]) -> NDArray[np.int64]:
        """Count the tokens of each text exactly; shape (len(texts),)."""
        ...
