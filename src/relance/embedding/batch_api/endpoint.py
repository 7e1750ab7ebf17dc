"""Where batches of one spec are ordered: the address, what a line asks for, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from relance.config import EmbeddingSpec, MediaEmbeddingSpec
from relance.embedding.providers.dashscope.spec import DashScopeSpec
from relance.embedding.providers.openai import OpenAI, OpenAISpec
from relance.embedding.providers.refusals import Refusal
from relance.embedding.providers.service import Service
from relance.errors import ConfigurationError, RelanceError

__all__ = ["Endpoint", "open_endpoint"]

# Both services have it: "50 % of real-time calls" (Alibaba's page on the Batch API, March 2026; OpenAI's on pricing).
DISCOUNT = 0.5


@dataclass(slots=True, frozen=True)
class Endpoint:
    """A service with OpenAI's files and batches, as one spec reaches it.

    Attributes:
        url: what `/files` and `/batches` come after.
        service: makes the requests.
        error: turns a refusal, fit to be shown, into an error.
        model: as the service knows it.
        dimensions: what a request says of the vectors' length; 0: nothing.
        price: US dollars per million tokens in a batch; None where no price is known.
        dashscope: whether it is Alibaba's, where batches can be found by their file.
    """

    url: str
    service: Service
    error: Callable[[Refusal], RelanceError]
    model: str
    dimensions: int
    price: float | None
    dashscope: bool = False

    def body(self, text: str) -> dict[str, Any]:
        """Ask for one text's vector; always a document's, for this protocol does not tell them from queries."""
        body = {"model": self.model, "input": text, "encoding_format": "float"}
        return body | {"dimensions": self.dimensions} if self.dimensions else body


def open_endpoint(spec: EmbeddingSpec) -> Endpoint:
    """Find where batches for a spec are ordered, without calling it.

    Raises ConfigurationError: the model is not had in batches (there, or at all), or no key.
    """
    if isinstance(spec, MediaEmbeddingSpec):
        raise ConfigurationError("media.embedding.mode: images and videos cannot be ordered in batches; remove it.")
    if isinstance(spec, DashScopeSpec):
        return _dashscope(spec)
    if isinstance(spec, OpenAISpec):
        return _openai(spec)
    raise ConfigurationError(
        f"embedding.mode: {spec.model} cannot be ordered in batches; remove the line. DashScope's text models "
        "and OpenAI's can."
    )


def _dashscope(spec: DashScopeSpec) -> Endpoint:
    from relance.config.settings import read_settings
    from relance.embedding.providers.dashscope import error_for
    from relance.embedding.providers.dashscope.connection import Connection
    from relance.embedding.providers.dashscope.regions import COMPATIBLE, NATIVE, REGIONS, region_of

    if spec.output_type != "dense":
        raise ConfigurationError(
            "embedding.mode: batches bring dense vectors only; set mode: online, or output_type: dense."
        )
    connection = Connection(spec, read_settings())
    model, offer, service = connection.model, connection.offer, connection.service
    if model.media:
        raise ConfigurationError(f"embedding.mode: {spec.model} cannot be ordered in batches; set mode: online.")
    # By the address: a proxy or the emulator may have what its region has not.
    region = region_of(urlsplit(service.url).hostname or "")
    if region and offer.batch_price is None:
        raise ConfigurationError(
            f"embedding.mode: {spec.model} cannot be ordered in batches in {REGIONS[region].title}; set "
            "embedding.region: beijing (with a key made there), or mode: online."
        )
    listed = offer.batch_price if offer.batch_price is not None else _halved(offer.price)
    url = service.url.removesuffix(NATIVE) + COMPATIBLE
    return Endpoint(
        url,
        service,
        lambda no: error_for(no, model=spec.model, url=url, key=connection.key_name),
        model.name,
        dimensions=(spec.dimension or model.dimensions[0]) if len(model.dimensions) > 1 else 0,
        price=listed if spec.price_per_million_tokens is None else _halved(spec.price_per_million_tokens),
        dashscope=True,
    )


def _openai(spec: OpenAISpec) -> Endpoint:
    from relance.embedding.providers.dashscope import is_dashscope

    provider = OpenAI(spec)
    service = provider._service  # noqa: SLF001  # the same address, key and words as online
    return Endpoint(
        service.url,
        service,
        provider._error,  # noqa: SLF001
        spec.model.partition("/")[2],
        dimensions=provider._dimensions,  # noqa: SLF001
        price=_halved(provider.info.price_per_million_tokens),
        dashscope=is_dashscope(urlsplit(service.url).hostname or ""),
    )


def _halved(price: float | None) -> float | None:
    return None if price is None else price * DISCOUNT
