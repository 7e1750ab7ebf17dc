"""`local/wordllama`: static word vectors, averaged. No key, no network, ready in a third of a second."""

from __future__ import annotations

import asyncio
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relance.config import EmbeddingSpec
from relance.embedding.providers import InputType, ModelInfo, Reply
from relance.embedding.tokenizers import Tokenizer, open_tokenizer
from relance.errors import ConfigurationError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as HuggingFaceTokenizer

__all__ = ["WordLlama"]

# Trained so that the first components are a model of their own (Matryoshka).
DIMENSIONS = (64, 128, 256)


class WordLlama:
    """The `l2_supercat` model from the wordllama wheel.

    Its two files are read directly: importing wordllama costs a second (requests, Cython), sets up logging for
    the whole process, and its `embed` pads every batch to the longest text, which takes gigabytes for one long one.
    """

    def __init__(self, spec: EmbeddingSpec) -> None:
        dimension = spec.dimension or DIMENSIONS[-1]
        if dimension not in DIMENSIONS:
            raise ConfigurationError(f"embedding.dimension: {spec.model} has 64, 128 or 256, not {dimension}.")
        self.info = ModelInfo(
            name=spec.model,
            dimension=dimension,
            batch_texts=256,
            price_per_million_tokens=0.0,
            space=f"{spec.model}:l2_supercat:{dimension}",
            tokenizer="wordllama",
            local=True,
        )

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's own tokenizer."""
        return open_tokenizer(self.info.tokenizer)

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix="wordllama")

    async def embed(self, texts: list[str], *, input_type: InputType) -> Reply:
        """Embed texts; questions and documents alike."""
        del input_type
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._embed, texts)

    async def aclose(self) -> None:
        """End the thread; the next call begins another."""
        thread = self.__dict__.pop("_thread", None)
        if thread is not None:
            thread.shutdown(wait=False, cancel_futures=True)

    def _embed(self, texts: list[str]) -> Reply:
        tokenizer, weights = _load(self.info.dimension)
        encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        vectors = np.zeros((len(texts), weights.shape[1]), dtype=np.float32)
        tokens = 0
        for row, encoding in enumerate(encoded):
            # Text by text: no padding, so a vector is the same alone and in a batch (and reduceat is 20 times slower).
            ids = np.array(encoding.ids, dtype=np.intp)
            weights[ids].sum(axis=0, out=vectors[row])
            tokens += ids.size
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)
        return Reply(vectors, tokens=tokens)


@cache
def _load(dimension: int) -> tuple[HuggingFaceTokenizer, NDArray[np.float32]]:
    """Read the model; once per process, for a question alone would wait for it a third of a second."""
    from safetensors import safe_open
    from tokenizers import Tokenizer as HuggingFaceTokenizer

    package = importlib.util.find_spec("wordllama")
    if package is None or not package.submodule_search_locations:
        raise ConfigurationError("local/wordllama: the package is missing: pip install wordllama")
    folder = Path(package.submodule_search_locations[0])
    try:
        with safe_open(folder / "weights/l2_supercat_256.safetensors", framework="np") as file:
            weights = file.get_tensor("embedding.weight")
        tokenizer = HuggingFaceTokenizer.from_file(str(folder / "tokenizers/l2_supercat_tokenizer_config.json"))
    except Exception as error:  # tokenizers raises bare Exception for a missing file
        msg = f"local/wordllama: the installed wordllama has no usable model files ({error}); reinstall 0.4.0.post1."
        raise ConfigurationError(msg) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, np.ascontiguousarray(weights[:, :dimension], dtype=np.float32)
