"""What is known about hosted models, as data: one row per model of one service."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MODELS", "HostedModel"]


@dataclass(slots=True, frozen=True)
class HostedModel:
    """A row of the table; 0 means: no limit.

    Attributes:
        dimension: length of the vectors unless the request says otherwise.
        shortens: whether a request may ask for fewer dimensions.
        max_input_tokens: of one text.
        batch_texts: of one request.
        batch_tokens: of one request, all texts together.
        price_per_million_tokens: US dollars, list price; `embedding.price_per_million_tokens` overrides it.
    """

    dimension: int
    shortens: bool
    max_input_tokens: int
    batch_texts: int
    batch_tokens: int
    price_per_million_tokens: float


# OpenAI's rates per minute depend on the account's tier, so there are none here; what an account gets is found out
# by the adaptive limit, or declared in the spec.
MODELS: dict[str, HostedModel] = {
    "openai/text-embedding-3-small": HostedModel(1536, True, 8191, 2048, 300_000, 0.02),
    "openai/text-embedding-3-large": HostedModel(3072, True, 8191, 2048, 300_000, 0.13),
    "openai/text-embedding-ada-002": HostedModel(1536, False, 8191, 2048, 300_000, 0.10),
}
