"""`fake/hash`: vectors from hashed words, for tests and for measuring everything that is not the model."""

from __future__ import annotations

import asyncio
import json
import os
import re
import string
import time
import zlib
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from relance.config.embedding import EmbeddingSpec, OutputType
from relance.config.settings import read_settings
from relance.embedding.providers import InputType, ModelInfo, Reply
from relance.embedding.tokenizers import Tokenizer, open_tokenizer

if TYPE_CHECKING:
    from relance.embedding.sparse import Sparse

__all__ = ["FakeHash", "FakeSpec"]

# Words, with every Chinese character as one. Plain ASCII has a faster way than the pattern.
WORD = re.compile(r"[㐀-鿿]|[^\W㐀-鿿]+")
BLANK_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation.replace("_", ""), " "))
# Odd constants that spread one 32-bit hash over several components of a vector (Knuth's and its kin).
TERMS = 0x3FFFF  # the vocabulary of terms is as large as that of multilingual models
SPREAD = np.array([2654435761, 2246822519, 3266489917, 668265263], dtype=np.uint64)


class FakeSpec(EmbeddingSpec, title="Embedding by hashed words"):
    """How the model for tests makes its vectors."""

    decisive: ClassVar[tuple[str, ...]] = (*EmbeddingSpec.decisive, "output_type")

    output_type: OutputType = Field(default="dense", title="Vectors")
    """Which vectors are stored: `dense`, `sparse` (weighted terms), or both."""


class FakeHash:
    """A deterministic model: equal words give near vectors, different texts different ones.

    A question's vector is near, but not equal, to the same text's as a document, so that a mix-up shows. It behaves
    like a service (requests in flight, limits, price as the spec says), not like a local model.

    RELANCE_FAKE_LOG names a file that gets one JSON line per request: time (Unix), pid, input_type, texts.
    RELANCE_FAKE_DELAY_S is how long a request takes.
    """

    Spec = FakeSpec
    version = ""
    models: ClassVar[tuple[str, ...]] = ("hash",)
    any_model = False

    def __init__(self, spec: EmbeddingSpec) -> None:
        output_type = spec.output_type if isinstance(spec, FakeSpec) else "dense"
        settings = read_settings()
        dimension = 0 if output_type == "sparse" else spec.dimension or 64
        kind = "" if output_type == "dense" else f":{output_type}"
        self.info = ModelInfo(
            name=spec.model,
            dimension=dimension,
            max_input_tokens=8192,
            batch_texts=256,
            price_per_million_tokens=spec.price_per_million_tokens or 0.0,
            space=f"{spec.model}:{dimension}{kind}",
            sparse=output_type != "dense",
            tokenizer=spec.tokenizer or "words",
        )
        self._log: Path | None = settings.fake_log
        self._delay_s = settings.fake_delay_s

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The spec's tokenizer, or one that counts words."""
        return open_tokenizer(self.info.tokenizer)

    async def embed(self, texts: list[str], *, input_type: InputType) -> Reply:
        """Embed texts after the delay."""
        if self._log:
            self._append(self._log, texts, input_type)
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        dense = self._vectors(texts, input_type) if self.info.dimension else np.zeros((len(texts), 0), np.float32)
        return Reply(dense, sparse=[_terms(text) for text in texts] if self.info.sparse else None)

    async def aclose(self) -> None:
        """Nothing to release."""

    @staticmethod
    def _append(log: Path, texts: list[str], input_type: InputType) -> None:
        line = {"time": time.time(), "pid": os.getpid(), "input_type": input_type, "texts": texts}
        # One write of an appending descriptor: lines of several processes, even killed ones, never mix.
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, json.dumps(line).encode() + b"\n")
        finally:
            os.close(descriptor)

    def _vectors(self, texts: list[str], input_type: InputType) -> NDArray[np.float32]:
        n, dimension = len(texts), self.info.dimension
        words = [[zlib.crc32(word) for word in _words(text.lower())] for text in texts]
        rows = np.repeat(np.arange(n), [len(part) for part in words])
        hashes = np.array([word for part in words for word in part], dtype=np.uint64)
        mixed = (hashes[:, None] * SPREAD >> np.uint64(16)).astype(np.uint32)
        places = rows[:, None] * dimension + mixed % dimension
        signs = np.where(mixed >> 31, np.float32(1), np.float32(-1))
        vectors = np.zeros(n * dimension, dtype=np.float32)
        np.add.at(vectors, places.ravel(), signs.ravel())
        # The exact text and its role have a small part; it also keeps texts without a word from being zero.
        whole = np.array([zlib.crc32(text.encode(), len(input_type)) for text in texts], dtype=np.int64)
        np.add.at(vectors, np.arange(n) * dimension + whole % dimension, np.float32(0.5))
        vectors = vectors.reshape(n, dimension)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


def _terms(text: str) -> Sparse:
    """Weigh each word by the root of how often it occurs; a text without words has one term of its own."""
    from relance.embedding.sparse import Sparse

    words = _words(text.lower()) or [text.encode()]
    counts = Counter(zlib.crc32(word) & TERMS for word in words)
    return Sparse.of(list(counts), np.sqrt(list(counts.values())))


def _words(text: str) -> list[bytes]:
    if text.isascii():
        return text.translate(BLANK_PUNCTUATION).encode().split()
    return [word.encode() for word in WORD.findall(text)]
