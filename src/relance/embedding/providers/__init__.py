"""Where vectors come from. `open_provider` turns `provider/model` into a `Provider`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from relance.config import EmbeddingSpec, MediaEmbeddingSpec
from relance.config.plugin_section import read_section
from relance.config.plugins import Plugins
from relance.documents import Media
from relance.embedding.tokenizers import Tokenizer
from relance.errors import ConfigurationError, RetryableError

if TYPE_CHECKING:
    from relance.embedding.sparse import Sparse
    from relance.media.rules import MediaRules

__all__ = ["BadReplyError", "Input", "InputType", "ModelInfo", "Provider", "Reply", "open_provider"]

# What is embedded: a text, or for a multimodal model an image or video.
Input = str | Media

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
        sparse: whether replies hold sparse vectors as well (or only them, if `dimension` is 0).
        modalities: what it embeds: `text`, `image`, `video`, `images`.
        media_per_request: how many of a kind a single request may carry, and how many `pictures` in all, those of sets
            included; what is not named has no limit.
        media_rules: what images and videos have to be like.
        media_tokens: what one of a kind is billed as, roughly.
        tokens_per_text: billed for each text beyond what the tokenizer counts.
        region: where the service is, for messages and prices; empty where there is only one place.
        priced_on: when the price was read from the vendor's pages; None where the spec says it, or it is not known.
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
    sparse: bool = False
    modalities: frozenset[str] = frozenset({"text"})
    media_per_request: Mapping[str, int] = field(default_factory=dict)
    media_rules: MediaRules | None = None
    media_tokens: Mapping[str, int] = field(default_factory=dict)
    tokens_per_text: int = 0
    region: str = ""
    priced_on: date | None = None


@dataclass(slots=True, frozen=True)
class Reply:
    """What one request brought.

    Attributes:
        vectors: float32, shape (inputs, dimension).
        tokens: as billed, or None where the provider does not say.
        sparse: a sparse vector per input, from models that make them.
        cost_usd: where it does not follow from `tokens`, because pictures and words have different prices.
    """

    vectors: NDArray[np.float32]
    tokens: int | None = None
    sparse: list[Sparse] | None = None
    cost_usd: float | None = None


class BadReplyError(RetryableError):
    """The reply does not fit the request: wrong number or length of vectors, or no JSON at all."""


class Provider(Protocol):
    """An embedding model; one call is one request.

    Batching, concurrency, retries, checks and reuse are the embedder's (`embedder.py`), not a provider's.

    A plug-in is a class with `Spec` (its section: an `EmbeddingSpec` or a subclass), `version` (part of
    `ModelInfo.space`: another one wherever the same text would get another vector), and, if it has any use for them,
    `MediaSpec` (the section of a multimodal model), `models` (names it knows, for hints) and `any_model` (False where
    there are no others). It is called with its section; `open(spec)` is called instead, if it has that.
    """

    @property
    def info(self) -> ModelInfo:
        """What is known before the first call."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer, loaded at first use: a query can often do without."""
        ...

    async def embed(self, inputs: list[Any], /, *, input_type: InputType) -> Reply:
        """Embed texts (str), or Media where the model takes them (`ModelInfo.modalities`), in one request.

        Raises RetryableError, InputError (the inputs are refused), ConfigurationError or AccountError.
        """
        ...

    async def aclose(self) -> None:
        """Release connections; a later `embed` opens them again."""
        ...


def open_provider(spec: EmbeddingSpec, plugins: Plugins | None = None) -> Provider:
    """Open the model that a section names, without calling it yet.

    Args:
        spec: the section.
        plugins: what names of providers mean to its index (`IndexSpec.plugins`); without, the installed ones.

    Raises ConfigurationError (no such model or dimension, no key) or MissingExtraError.
    """
    try:
        plugin = (plugins or Plugins()).model("providers", spec.model)
    except ConfigurationError as error:
        raise ConfigurationError(f"{spec.section}.model: {error}") from error
    if hasattr(plugin, "embed") and not isinstance(plugin, type):
        return plugin  # an instance that was given to the index
    model = getattr(plugin, "MediaSpec" if isinstance(spec, MediaEmbeddingSpec) else "Spec", None)
    if model is None:
        msg = (
            f"{spec.section}.model: {spec.model} embeds texts only; name a multimodal model, such as one of dashscope/"
        )
        raise ConfigurationError(msg)
    return getattr(plugin, "open", plugin)(read_section(spec, model, spec.section))
