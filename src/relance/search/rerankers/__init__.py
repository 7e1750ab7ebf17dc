"""What sorts the best hits of a search once more. `open_reranker` turns `provider/model` into a `Reranker`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from relance.config import EmbeddingSpec, RerankSpec
from relance.config.plugin_section import read_section
from relance.config.plugins import Plugins
from relance.errors import ConfigurationError

if TYPE_CHECKING:
    from relance.search.candidate import Candidate

__all__ = ["SECTION", "Reranked", "Reranker", "RerankerInfo", "open_reranker", "rerank_section"]

SECTION = "search.rerank"  # of the index file, for messages


@dataclass(slots=True, frozen=True)
class RerankerInfo:
    """What is known of a reranker before it is called; 0 and None mean: no limit, no price known.

    Attributes:
        name: `provider/model`, as in the spec.
        max_documents: texts, images and videos in one request.
        max_media: images among them.
        max_text_tokens: of a question or a text; longer ones are cut off by the service.
        max_request_tokens: the question's once for each text, and all texts'.
        requests_per_minute: published limit.
        tokens_per_minute: published limit.
        price_per_million_tokens: US dollars; 0.0 where nothing is paid.
        merges: whether it only merges the lists of a hybrid search anew, and reads no text.
        sees: whether it looks at images and videos, not only at their captions.
    """

    name: str
    max_documents: int = 0
    max_media: int = 0
    max_text_tokens: int = 0
    max_request_tokens: int = 0
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    price_per_million_tokens: float | None = 0.0
    merges: bool = False
    sees: bool = False


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
    """Says how well candidates answer a question; used as a context manager, and may then be called from any thread.

    A plug-in is a class with `Spec` (its section: a `RerankSpec` or a subclass), called with that section and the one
    of the index's embeddings (or None).
    """

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


def open_reranker(spec: RerankSpec, embedding: EmbeddingSpec | None = None, plugins: Plugins | None = None) -> Reranker:
    """Open the reranker that a section names, without calling it yet.

    Args:
        spec: the section.
        embedding: of the index, whose address and key a reranker of the same provider may share.
        plugins: what names of rerankers mean to its index (`IndexSpec.plugins`); without, the installed ones.

    Raises ConfigurationError: no such model, not in this region, or no key.
    """
    plugin = _find(spec.model, plugins)
    if hasattr(plugin, "rerank") and not isinstance(plugin, type):
        return plugin  # an instance that was given to the index
    return plugin(read_section(spec, plugin.Spec, SECTION), embedding)


def rerank_section(model: str, declared: RerankSpec | None, plugins: Plugins) -> RerankSpec:
    """Declare another reranker than the spec does; ConfigurationError where there is none of that name.

    One of the declared provider is called as that one is; any other looks at as many candidates.
    """
    plugin = _find(model, plugins)
    if declared is not None and declared.provider == model.partition("/")[0]:
        return declared.model_copy(update={"model": model})
    values = {"model": model} | ({"candidates": declared.candidates} if declared else {})
    return getattr(plugin, "Spec", RerankSpec).model_validate(values)


def _find(model: str, plugins: Plugins | None) -> Any:
    try:
        return (plugins or Plugins()).model("rerankers", model)
    except ConfigurationError as error:
        raise ConfigurationError(f"{SECTION}.model: {error}") from error
