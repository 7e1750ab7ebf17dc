"""Native text embedding."""

from __future__ import annotations

from relance_emulator import embeddings, validation
from relance_emulator.models import AsyncModel, TextModel
from relance_emulator.service import Service
from relance_emulator.sparse import sparse_embedding
from relance_emulator.wire import Billing, Call, Reply, as_json

__all__ = ["answer"]


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

    vectors = await service.vectors.as_model(model.name, texts, dimension, role=role, instruct=instruct)
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
