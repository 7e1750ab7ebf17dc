"""Where vectors come from. `open_provider` turns `provider/model` into a `Provider`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from relance.config import EmbeddingSpec, MediaEmbeddingSpec
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
        """Release connections."""
        ...


def open_provider(spec: EmbeddingSpec) -> Provider:
    """Open the model a spec names, without calling it yet.

    Raises ConfigurationError (no such model or dimension, no key) or MissingExtraError.
    """
    if spec.provider not in {"dashscope", "fake"} and spec.output_type != "dense":
        msg = f"embedding.output_type: {spec.model} makes dense vectors; {spec.output_type} needs a dashscope/ model"
        raise ConfigurationError(msg)
    if spec.provider not in {"dashscope", "openai"} and spec.mode == "batch":
        msg = f"embedding.mode: {spec.model} has no batch files; leave `mode` out"
        raise ConfigurationError(msg)
    if isinstance(spec, MediaEmbeddingSpec) and spec.mode == "batch":
        msg = "media.embedding.mode: images and videos cannot be ordered in batches; leave `mode` out"
        raise ConfigurationError(msg)
    if isinstance(spec, MediaEmbeddingSpec) and spec.provider in {"local", "openai"}:
        msg = f"media.embedding.model: {spec.model} embeds texts only; name a multimodal model of dashscope/"
        raise ConfigurationError(msg)
    match spec.model.split("/", 1):
        case ["local", "wordllama"]:
            from relance.embedding.providers.wordllama import WordLlama

            return WordLlama(spec)
        case ["local", "multilingual-e5-small"]:
            from relance.embedding.providers.e5 import MultilingualE5Small

            return MultilingualE5Small(spec)
        case ["fake", "hash"]:
            from relance.embedding.providers.fake import FakeHash

            return FakeHash(spec)
        case ["openai", _]:
            from relance.config.settings import read_settings
            from relance.embedding.providers.openai import OpenAI

            return OpenAI(spec, read_settings())
        case ["dashscope", _]:
            from relance.config.settings import read_settings
            from relance.embedding.providers.dashscope import open_dashscope

            return open_dashscope(spec, read_settings())
        case _:
            raise ConfigurationError(_unknown(spec))


def _unknown(spec: EmbeddingSpec) -> str:
    from difflib import get_close_matches

    from relance.embedding.providers.dashscope.choice import section_of
    from relance.embedding.providers.dashscope.models import MODELS as DASHSCOPE
    from relance.embedding.providers.models import MODELS

    model = spec.model
    local = ["local/wordllama", "local/multilingual-e5-small"]
    known = [*local, *(f"dashscope/{name}" for name in DASHSCOPE), *MODELS]
    # The provider may be what is misspelt ("locall/wordllama") or left out ("models/wordllama"): compare both ways.
    names = {name: name for name in known} | {name.partition("/")[2]: name for name in known}
    close = get_close_matches(model, names, 1, 0.7) or get_close_matches(model.partition("/")[2], names, 1, 0.7)
    others = f"there are {', '.join(local)}, dashscope/MODEL and openai/MODEL."
    hint = f"did you mean {names[close[0]]}?" if close else others
    return f"{section_of(spec)}.model: there is no model {model!r}; {hint}"
