"""Native text embedding, and what the OpenAI-compatible route shares with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relance_emulator import embeddings, validation
from relance_emulator.models import AsyncModel, TextModel
from relance_emulator.sparse import sparse_embedding
from relance_emulator.vectors import fitted, noise, unit
from relance_emulator.wire import Billing, Call, Reply, as_json

if TYPE_CHECKING:
    from relance_emulator.service import Service

__all__ = ["answer", "embed"]

# How far the vector of a question is from that of the same text as a passage: enough to show a mix-up, too little to
# change a ranking, for all questions with the same instruction are moved alike.
ROLE = 0.1


async def answer(service: Service, call: Call) -> Reply:
    """Answer a call to the native address."""
    model = validation.native_model(service.config, call, TextModel, AsyncModel)
    validation.manner(call, model)
    service.limits.request(model.name)
    given, parameters = validation.native_parts(call)
    if isinstance(model, AsyncModel):
        return service.tasks.submit(call, model, given, parameters)
    if "texts" not in given:
        raise validation.missing("input.texts")
    texts = validation.texts(given["texts"], model)
    counts = validation.lengths(texts, model.tokens)
    dimension = validation.dimension(parameters.get("dimension"), model)
    role = validation.choice(parameters, "text_type", ("document", "query"))
    # Older models do not know it and take no notice.
    output = (
        validation.choice(parameters, "output_type", ("dense", "sparse", "dense&sparse")) if model.newer else "dense"
    )
    instruct = str(parameters.get("instruct") or "") if role == "query" else ""
    tokens = sum(counts) + model.end_tokens * len(texts)
    service.limits.tokens(model.name, tokens)
    await service.pace(len(texts))

    vectors = await embed(service, texts, model, dimension, role=role, instruct=instruct)
    items = [
        b"{%b%b"
        b'"text_index":%d}'
        % (
            b'"sparse_embedding":' + as_json(sparse_embedding(text)) + b"," if "sparse" in output else b"",
            b'"embedding":' + embeddings.numbers(vectors[row]) + b"," if "dense" in output else b"",
            row,
        )
        for row, text in enumerate(texts)
    ]
    body = b'{"output":{"embeddings":%b}%b,"request_id":"%b"}' % (
        embeddings.spoilt(items, call),
        embeddings.usage({"total_tokens": tokens}, call),
        call.request_id.encode(),
    )
    return Reply(body, billing=Billing(model.name, [hash((role, text)) for text in texts], tokens))


async def embed(
    service: Service, texts: list[str], model: TextModel | AsyncModel, dimension: int, *, role: str, instruct: str = ""
) -> NDArray[np.float32]:
    """Embed texts as the model would, shape (texts, dimension)."""
    base = await service.vectors.of_texts(texts, "query" if role == "query" else "document")
    if role == "query":
        base = unit(base + ROLE * noise(f"query {instruct}".encode(), base.shape[1]))
    return fitted(base, model.name, dimension)
