"""Where vectors come from. `open_provider` turns `provider/model` into a `Provider`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from relance.tokens import Tokenizer

__all__ = ["InputType", "ModelInfo", "Provider", "Reply"]

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


class Provider(Protocol):
    """An embedding model; one call is one request.

    Batching, concurrency, retries, checks and reuse are the embedder's (`embedder.py`), not a provider's.
    """

    info: ModelInfo
    tokenizer: Tokenizer

    async def embed(self, texts: list[str], *, input_type: InputType) -> Reply:
        """Embed texts in one request.

        Raises RetryableError, InputError (the texts are refused), ConfigurationError or AccountError.
        """
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...
