"""What is known about DashScope's rerankers, as data.

Sources: the vendor's pages "Text rerank" (March and June 2026), those of the models, and error texts users reported.
`gte-rerank`, which was withdrawn in May 2026, and `qwen3-vl-rerank`, which is for pictures, are left out.
"""

from __future__ import annotations

from relance.embedding.providers.dashscope.model import Model, Offer

__all__ = ["MAX_CHARACTERS", "MODELS", "REQUEST_TOKENS"]

# A longer document is refused, whatever its tokens ("it should not be larger than 300000", reported by a user).
MAX_CHARACTERS = 300_000
# The question's tokens once for each document, and those of all documents. One older page has 30,000 for both.
REQUEST_TOKENS = {"qwen3-rerank": 120_000, "qwen3.7-text-rerank": 120_000, "gte-rerank-v2": 30_000}

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
                "singapore": Offer(0.1, 5_400, free_tokens=1_000_000),
                "beijing": Offer(0.072, 5_400),  # ¥0.5
            },
        ),
        # No page of it was to be had; SDK and users call it like the others. Limits as qwen3-rerank, price unknown.
        Model(
            "qwen3.7-text-rerank",
            (),
            max_tokens=4_000,
            batch_inputs=500,
            instruct=True,
            offers={"beijing": Offer(None), "singapore": Offer(None)},
        ),
        Model(
            "gte-rerank-v2",
            (),
            max_tokens=4_000,
            batch_inputs=500,
            offers={"beijing": Offer(0.115, 5_040)},  # ¥0.8; tokens a minute are limited at five thousand million
        ),
    )
}
