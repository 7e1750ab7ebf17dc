"""What sorts the best hits of a search once more. `open_reranker` turns `provider/model` into a `Reranker`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from relance.config import EmbeddingSpec, RerankSpec
from relance.errors import ConfigurationError

if TYPE_CHECKING:
    from relance.search.candidate import Candidate

__all__ = ["Reranked", "Reranker", "RerankerInfo", "known_model", "open_reranker"]

_CROSS_ENCODER = "cross-encoder"  # the one that may be followed by the name of a model
_LANCEDB = ["mrr", "linear", _CROSS_ENCODER]


@dataclass(slots=True, frozen=True)
class RerankerInfo:
    """What is known of a reranker before it is called; 0 and None mean: no limit, no price known.

    Attributes:
        name: `provider/model`, as in the spec.
        max_documents: texts in one request.
        max_text_tokens: of a question or a text; longer ones are cut off by the service.
        max_request_tokens: the question's once for each text, and all texts'.
        requests_per_minute: published limit.
        tokens_per_minute: published limit.
        price_per_million_tokens: US dollars; 0.0 where nothing is paid.
        merges: whether it only merges the lists of a hybrid search anew, and reads no text.
    """

    name: str
    max_documents: int = 0
    max_text_tokens: int = 0
    max_request_tokens: int = 0
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    price_per_million_tokens: float | None = 0.0
    merges: bool = False


@dataclass(slots=True, frozen=True)
class Reranked:
    """What a reranker says.

    Attributes:
        scores: float64, one for each candidate, in their order; higher is better.
        tokens: as billed.
        cost_usd: of those; None where no price is known.
    """

    scores: NDArray[np.float64]
    tokens: int = 0
    cost_usd: float | None = 0.0


class Reranker(Protocol):
    """Says how well candidates answer a question; used as a context manager, and may then be called from any thread."""

    @property
    def info(self) -> RerankerInfo:
        """What is known before the first call."""
        ...

    def rerank(self, query: str, candidates: Sequence[Candidate]) -> Reranked:
        """Score candidates whose `text` has been read; none is well.

        Raises RetryableError, InputError, ConfigurationError or AccountError.
        """
        ...

    def __enter__(self) -> Reranker:  # noqa: PYI034  # ty takes no protocol with Self for a context manager
        """Open connections, or load a model."""
        ...

    def __exit__(self, *error: object) -> None:
        """Release them."""
        ...


def open_reranker(spec: RerankSpec, embedding: EmbeddingSpec | None = None) -> Reranker:
    """Open the reranker a spec names, without calling it yet.

    Where it is of the same provider as the embeddings, it is called where they are and with their key, unless its spec
    says otherwise: a key goes to no other address than its own.

    Raises ConfigurationError: no such model, not in this region, or no key.
    """
    provider, _, name = known_model(spec.model).partition("/")
    if provider == "lancedb":
        from relance.search.rerankers.lancedb import LanceDBReranker

        return LanceDBReranker(name)
    from relance.config.settings import read_settings
    from relance.search.rerankers.dashscope import DashScopeReranker

    api_key = ""
    beside = embedding is not None and embedding.provider == "dashscope" and not spec.base_url
    if embedding is not None and beside and spec.region in {"", embedding.region}:
        api_key = embedding.api_key.get_secret_value()
        spec = spec.model_copy(update={"region": embedding.region, "base_url": embedding.base_url})
    return DashScopeReranker(spec, read_settings(), api_key=api_key)


def known_model(name: str) -> str:
    """Return the name of a reranker; raises ConfigurationError where there is none of that name."""
    provider, _, model = name.partition("/")
    there = {"lancedb": _LANCEDB, "dashscope": _dashscope()}.get(provider, [])
    if (_CROSS_ENCODER if model.startswith(f"{_CROSS_ENCODER}:") else model) in there:
        return name
    raise ConfigurationError(_unknown(name))


def _dashscope() -> list[str]:
    from relance.search.rerankers.models import MODELS

    return list(MODELS)


def _unknown(model: str) -> str:
    from difflib import get_close_matches

    known = [*(f"dashscope/{name}" for name in _dashscope()), *(f"lancedb/{name}" for name in _LANCEDB)]
    names = {name: name for name in known} | {name.partition("/")[2]: name for name in known}
    close = get_close_matches(model, names, 1, 0.6) or get_close_matches(model.partition("/")[2], names, 1, 0.6)
    hint = f"did you mean {names[close[0]]}?" if close else f"there are {', '.join(known)}."
    return f"search.rerank.model: there is no reranker {model!r}; {hint}"
