"""Where vectors come from. `open_provider` turns `provider/model` into a `Provider`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from relance.errors import ConfigurationError, RetryableError
from relance.spec import EmbeddingSpec
from relance.tokens import Tokenizer

__all__ = ["BadReplyError", "InputType", "ModelInfo", "Provider", "Reply", "open_provider"]

# Retrieval models embed a question and a passage differently, so nobody may leave this out.
InputType = Literal["document", "query"]


@dataclass(slots=True, frozen=True)
class ModelInfo:
    """What is known about a model before it is called; 0 and None mean: no limit, no price known.

    Attributes:
        name: `provider/model`, as in the spec.
        dimension: length of the vectors that will come back.
        max_input_tokens: tokens a single text may have.
        batch_texts: texts a single request may carry.
        batch_tokens: tokens a single request may carry.
        requests_per_minute: published limit.
        tokens_per_minute: published limit.
        price_per_million_tokens: US dollars; 0.0 for local models.
        normalized: whether vectors have unit length.
        space: names everything that makes two vectors comparable (model, dimension, revision, output type).
        tokenizer: name of the tokenizer that counts for it; part of what decides a document's chunks.
        local: whether the model runs in this process; calls then block a thread, not a socket.
    """

    name: str
    dimension: int
    max_input_tokens: int = 0
    batch_texts: int = 0
    batch_tokens: int = 0
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    price_per_million_tokens: float | None = None
    normalized: bool = True
    space: str = ""
    tokenizer: str = "qwen"
    local: bool = False


@dataclass(slots=True, frozen=True)
class Reply:
    """What one request brought.

    Attributes:
        vectors: float32, shape (texts, dimension).
        tokens: as billed, or None where the provider does not say.
    """

    vectors: NDArray[np.float32]
    tokens: int | None = None


class BadReplyError(RetryableError):
    """The reply does not fit the request: wrong number or length of vectors, or no JSON at all."""


class Provider(Protocol):
    """An embedding model; one call is one request.

    Batching, concurrency, retries, checks and reuse are the embedder's (`embedder.py`), not a provider's.
    """

    @property
    def info(self) -> ModelInfo:
        """What is known before the first call."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer, loaded at first use: a query can often do without."""
        ...

    async def embed(self, texts: list[str], *, input_type: InputType) -> Reply:
        """Embed texts in one request.

        Raises RetryableError, InputError (the texts are refused), ConfigurationError or AccountError.
        """
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...


def open_provider(spec: EmbeddingSpec) -> Provider:
    """Open the model a spec names, without calling it yet.

    Raises ConfigurationError (no such model or dimension, no key) or MissingExtraError.
    """
    match spec.model.split("/", 1):
        case ["local", "wordllama"]:
            from relance.providers.wordllama import WordLlama

            return WordLlama(spec)
        case ["local", "multilingual-e5-small"]:
            from relance.providers.e5 import MultilingualE5Small

            return MultilingualE5Small(spec)
        case ["fake", "hash"]:
            from relance.providers.fake import FakeHash

            return FakeHash(spec)
        case ["openai", _]:
            from relance.providers.openai import OpenAI
            from relance.settings import read_settings

            return OpenAI(spec, read_settings())
        case _:
            raise ConfigurationError(_unknown(spec.model))


def _unknown(model: str) -> str:
    from difflib import get_close_matches

    from relance.providers.models import MODELS

    known = ["local/wordllama", "local/multilingual-e5-small", *MODELS]
    # The provider may be what is misspelt ("locall/wordllama") or left out ("models/wordllama"): compare both ways.
    names = {name: name for name in known} | {name.partition("/")[2]: name for name in known}
    close = get_close_matches(model, names, 1, 0.7) or get_close_matches(model.partition("/")[2], names, 1, 0.7)
    hint = f"did you mean {names[close[0]]}?" if close else f"there are {', '.join(known[:2])} and openai/MODEL."
    return f"embedding.model: there is no model {model!r}; {hint}"
