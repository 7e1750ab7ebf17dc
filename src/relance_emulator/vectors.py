"""Vectors that mean something: a small local model, brought to any dimension."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from relance.config import EmbeddingSpec
from relance.embedding.providers import InputType, Provider, open_provider

__all__ = ["Vectors", "fitted", "noise", "unit"]

Matrix = NDArray[np.float32]

HASH_DIMENSION = 256
WORD = re.compile(r"[㐀-鿿]|[^\W㐀-鿿]+")
# Odd constants that spread one hash of 32 bits over several components (Knuth's and its kin).
SPREAD = np.array([2654435761, 2246822519, 3266489917, 668265263], dtype=np.uint64)

# How far the vector of a question is from that of the same text as a passage: enough to show a mix-up, too little to
# change a ranking, for all questions with the same instruction are moved alike.
ROLE = 0.1


class Vectors:
    """Embeds texts by the model a name stands for; see `EmulatorConfig.vectors`.

    Raises ConfigurationError where there is no such model, MissingExtraError where it is not installed.
    """

    def __init__(self, name: str) -> None:
        self._provider: Provider | None = None if name == "hash" else open_provider(EmbeddingSpec(model=name))

    async def of_texts(self, texts: list[str], input_type: InputType = "document") -> Matrix:
        """Embed texts; float32, shape (texts, the local model's dimension), unit length."""
        if self._provider is None:
            return hashed(texts)
        vectors = (await self._provider.embed(texts, input_type=input_type)).vectors
        # A text the model knows no word of has no direction; its own hash gives it one.
        for row in np.flatnonzero(np.linalg.norm(vectors, axis=1) < 0.5):
            vectors[row] = noise(texts[row].encode(), vectors.shape[1])
        return unit(vectors)

    async def as_model(self, model: str, texts: list[str], dimension: int, *, role: str, instruct: str = "") -> Matrix:
        """Embed texts as an emulated model would, shape (texts, dimension); `role` is document or query."""
        base = await self.of_texts(texts, "query" if role == "query" else "document")
        if role == "query":
            base = unit(base + ROLE * noise(f"query {instruct}".encode(), base.shape[1]))
        return fitted(base, model, dimension)

    async def aclose(self) -> None:
        """Release the local model."""
        if self._provider is not None:
            await self._provider.aclose()


def fitted(vectors: Matrix, space: str, dimension: int) -> Matrix:
    """Bring unit vectors to a dimension, so that their cosines survive; float32, unit length.

    Upwards by a matrix with orthonormal columns, which keeps cosines exactly and is another one in every `space`, so
    that vectors of two models have nothing in common; downwards by cutting off, as the service does.
    """
    length = vectors.shape[1]
    if dimension < length:
        return unit(vectors[:, :dimension])
    source, factor = _spread(space, length, dimension)
    return unit(vectors[:, source] * factor)


@lru_cache(maxsize=64)
def _spread(space: str, length: int, dimension: int) -> tuple[NDArray[np.intp], Matrix]:
    """Return where each new component comes from and what it is multiplied by, both of shape (dimension,).

    The matrix has a single entry per row: a full one would keep BLAS threads spinning on a busy machine (25 ms instead
    of 0.03 ms per request). Columns are orthonormal because the entries of one are scaled by the root of their number.
    """
    dice = np.random.default_rng(zlib.crc32(space.encode()))
    source = dice.permutation(np.arange(dimension) % length)
    signs = dice.choice([-1.0, 1.0], dimension)
    return source, (signs / np.sqrt(np.bincount(source))[source]).astype(np.float32)


def unit(vectors: Matrix) -> Matrix:
    """Scale each row to length 1, with the same result alone and among others."""
    vectors = np.ascontiguousarray(vectors)  # the order of summation depends on it
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(norms, 1e-12)).astype(np.float32, copy=False)


def noise(content: bytes, dimension: int) -> Matrix:
    """Return a unit vector that depends on every byte of the content, shape (dimension,)."""
    direction = np.random.default_rng(zlib.crc32(content)).standard_normal(dimension).astype(np.float32)
    return direction / np.linalg.norm(direction)


def hashed(texts: list[str]) -> Matrix:
    """Embed texts by their words alone, shape (texts, 256): quick, and texts with common words are near."""
    n = len(texts)
    words = [[zlib.crc32(word.encode()) for word in WORD.findall(text.lower())] for text in texts]
    rows = np.repeat(np.arange(n), [len(part) for part in words])
    places, signs = _places(np.fromiter((word for part in words for word in part), np.uint64), HASH_DIMENSION)
    vectors = np.zeros(n * HASH_DIMENSION, dtype=np.float32)
    np.add.at(vectors, (rows[:, None] * HASH_DIMENSION + places).ravel(), signs.ravel())
    # The whole text has a small part of its own, so that no two are equal. It is in a quarter of the first 64
    # components each and no multiple of a word's, so that nothing is left without direction, even when cut off.
    places, signs = _places(np.array([zlib.crc32(text.encode()) for text in texts], dtype=np.uint64), 16)
    places += np.arange(n)[:, None] * HASH_DIMENSION + np.arange(4) * 16
    np.add.at(vectors, places.ravel(), 0.25 * signs.ravel())
    return unit(vectors.reshape(n, HASH_DIMENSION))


def _places(hashes: NDArray[np.uint64], size: int) -> tuple[NDArray[np.intp], Matrix]:
    """Spread each hash over four places below `size`, with signs; both of shape (hashes, 4)."""
    mixed = (hashes[:, None] * SPREAD >> np.uint64(16)).astype(np.uint32)
    return (mixed % size).astype(np.intp), np.where(mixed >> 31, np.float32(1), np.float32(-1))
