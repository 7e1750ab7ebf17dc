"""What is known of a DashScope model that is called by the OpenAI-compatible protocol."""

from __future__ import annotations

from relance.config import EmbeddingSpec
from relance.embedding.providers import ModelInfo
from relance.embedding.providers.dashscope.choice import find_offer
from relance.embedding.providers.dashscope.model import Model, Offer
from relance.embedding.providers.dashscope.models import MODELS
from relance.embedding.providers.dashscope.pages import READ
from relance.embedding.providers.dashscope.spec import DashScopeSpec

__all__ = ["compatible_info", "compatible_model", "text_info"]


def compatible_model(spec: EmbeddingSpec) -> Model | None:
    """Return the text model a spec names, whatever the protocol and wherever it is; None if it is none."""
    model = MODELS.get(spec.model.partition("/")[2])
    return model if model and not model.media else None


def compatible_info(spec: EmbeddingSpec, model: Model, region: str) -> ModelInfo:
    """Describe a model in a region; raises ConfigurationError for a dimension it does not have."""
    return text_info(spec, model, find_offer(model, spec, region, addressed=True), region)


def text_info(spec: EmbeddingSpec, model: Model, offer: Offer, region: str) -> ModelInfo:
    """Describe a text model as one region offers it."""
    output_type = spec.output_type if isinstance(spec, DashScopeSpec) else "dense"
    dimension = (spec.dimension or model.dimensions[0]) if output_type != "sparse" else 0
    price = offer.price if spec.price_per_million_tokens is None else spec.price_per_million_tokens
    kind = "" if output_type == "dense" else f":{output_type}"
    return ModelInfo(
        name=spec.model,
        dimension=dimension,
        # The service counts one token more per text than the tokenizer does, for its end.
        max_input_tokens=model.max_tokens - 1,
        batch_texts=model.batch_inputs,
        batch_tokens=model.batch_tokens,
        tokens_per_text=1,
        requests_per_minute=offer.requests_per_minute,
        tokens_per_minute=offer.tokens_per_minute,
        price_per_million_tokens=price,
        space=f"{spec.model}:{dimension}{kind}",
        tokenizer=spec.tokenizer or "qwen",
        sparse=output_type != "dense",
        region=region,
        priced_on=READ if offer.price is not None and spec.price_per_million_tokens is None else None,
    )
