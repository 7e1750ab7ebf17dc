"""Sparse vectors: the words of a text with weights, in the shape the service gives them."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from typing import Any

__all__ = ["sparse_embedding"]

WORD = re.compile(r"[㐀-鿿]|[^\W㐀-鿿]+")
VOCABULARY = 250_002  # as many as XLM-R has pieces; documented samples have indices of that size


def sparse_embedding(text: str) -> list[dict[str, Any]]:
    """Weight the words of a text: `index` (0 to 250,001), `value` (0 to 1), `token`; heaviest first.

    Indices are hashes of the words, so equal words have equal indices; the service's own are pieces of its tokenizer.
    """
    terms: dict[int, dict[str, Any]] = {}
    counts = Counter(WORD.findall(text.lower()))
    for word, count in counts.items():
        # Long words say more than short ones, a Chinese character about as much as a word of five letters.
        weight = min(1.0, (len(word) if word.isascii() else 5) / 8)
        value = round(weight * (0.4 + count / (count + 1) * 0.6), 4)
        index = zlib.crc32(word.encode()) % VOCABULARY
        if index not in terms:
            terms[index] = {"index": index, "value": value, "token": word}
    return sorted(terms.values(), key=lambda term: (-term["value"], term["token"]))
