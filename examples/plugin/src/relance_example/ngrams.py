"""The provider `ngrams`: vectors of the characters of a text, n in a row at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field
from relance.config import EmbeddingSpec
from relance.embedding.providers import InputType, ModelInfo, Reply
from relance.embedding.tokenizers import open_tokenizer

_ODD = np.array([2654435761, 2246822519, 3266489917, 668265263, 374761393], dtype=np.uint64)


class NgramsSpec(EmbeddingSpec, title="Embedding by characters"):
    """How vectors are made of characters."""

    n: int = Field(default=3, title="Characters", ge=2, le=5)
    """So many characters in a row are one feature."""


class Ngrams:
    """Hashed groups of characters: texts with the same word stems are near each other, in any language."""

    Spec = NgramsSpec
    version = "1"  # part of the vector space: another one when the same text would get another vector
    models = ("hashed",)
    any_model = False

    def __init__(self, spec: NgramsSpec) -> None:
        self._n = spec.n
        dimension = spec.dimension or 256
        self.info = ModelInfo(
            name=spec.model,
            dimension=dimension,
            batch_texts=256,
            price_per_million_tokens=0.0,
            space=f"{spec.model}:{self.version}:{spec.n}:{dimension}",
            tokenizer="words",
            local=True,
        )
        self.tokenizer = open_tokenizer("words")

    async def embed(self, inputs: list[Any], /, *, input_type: InputType) -> Reply:
        """Embed texts; questions and documents alike."""
        return Reply(np.stack([self._vector(text) for text in inputs]))

    async def aclose(self) -> None:
        """Release nothing."""

    def _vector(self, text: str) -> np.ndarray:
        padded = f"{' ' * self._n}{' '.join(text.lower().split())}{' ' * self._n}"
        points = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
        groups = np.lib.stride_tricks.sliding_window_view(points, self._n)
        hashes = (groups * _ODD[: self._n]).sum(axis=1, dtype=np.uint64) * _ODD[0] >> np.uint64(7)
        vector = np.zeros(self.info.dimension, dtype=np.float32)
        np.add.at(vector, hashes % np.uint64(self.info.dimension), np.float32(1))
        vector = np.sqrt(vector)  # what is frequent everywhere counts less
        return vector / np.linalg.norm(vector)
