"""What is known about DashScope's rerankers, as data.

Each price has its page (`relance.embedding.providers.dashscope.pages`). `gte-rerank`, which was withdrawn in May 2026,
is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from relance.embedding.providers.dashscope.model import Model, Offer
from relance.embedding.providers.dashscope.pages import QWEN3_RERANK, QWEN37_RERANK, RERANK, VL_RERANK, yuan

__all__ = ["MAX_CHARACTERS", "MODELS", "REQUEST_TOKENS", "SEEING", "WITHDRAWN", "Seeing"]

# A longer document is refused, whatever its tokens ("it should not be larger than 300000", reported by a user).
MAX_CHARACTERS = 300_000
# The question's tokens once for each document, and those of all documents. Of qwen3-rerank the general page has 120,000
# (October 2026), its own 30,000.
REQUEST_TOKENS = {
    "qwen3-rerank": 30_000,
    "qwen3.7-text-rerank": 32_768,
    "qwen3-vl-rerank": 120_000,
    "gte-rerank-v2": 30_000,
}
# What the vendor says will go, and what to take instead.
WITHDRAWN = {"gte-rerank-v2": "qwen3-rerank"}


@dataclass(slots=True, frozen=True)
class Seeing:
    """What a model takes besides text.

    Attributes:
        images: of one request.
        videos: of one request.
        image_tokens: an image is billed as, roughly: as the embedding model of the same family.
    """

    images: int
    videos: int
    image_tokens: int = 1247
    video_tokens: int = 8_000  # a document's limit


SEEING = {"qwen3-vl-rerank": Seeing(images=40, videos=4)}

# `dimensions` is empty: nothing has any; `max_tokens` is of one text, and what is longer is cut off by the service;
# `batch_inputs` are the documents of one request.
MODELS = {
    model.name: model
    for model in (
        Model(
            "qwen3-rerank",
            (),
            max_tokens=4_000,
            batch_inputs=500,
            instruct=True,
            offers={
                # Singapore's limits are not published: Beijing's.
                "singapore": Offer(0.1, 5_400, free_tokens=1_000_000, page=RERANK),
                "beijing": Offer(yuan(0.5), 5_400, 5_000_000_000, page=QWEN3_RERANK),
            },
        ),
        Model(
            "qwen3.7-text-rerank",
            (),
            max_tokens=4_000,  # not published: as qwen3-rerank's
            batch_inputs=500,
            instruct=True,
            # No page has a price for Singapore.
            offers={"beijing": Offer(yuan(0.5), 3_000, page=QWEN37_RERANK), "singapore": Offer(None)},
        ),
        Model(
            "qwen3-vl-rerank",
            (),
            max_tokens=8_000,
            batch_inputs=100,
            instruct=True,
            offers={"beijing": Offer(yuan(0.7), 600, 9_000_000, media_price=yuan(1.8), page=VL_RERANK)},
        ),
        Model(
            "gte-rerank-v2",
            (),
            max_tokens=4_000,
            batch_inputs=500,
            # Tokens a minute are limited at five thousand million.
            offers={"beijing": Offer(yuan(0.8), 5_040, page=RERANK)},
        ),
    )
}
