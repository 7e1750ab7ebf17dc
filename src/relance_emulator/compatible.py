"""The OpenAI-compatible route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from relance_emulator import embeddings, text, validation
from relance_emulator.wire import Billing, Call, Reply, as_json

if TYPE_CHECKING:
    from relance_emulator.service import Service

__all__ = ["answer", "complete"]


async def answer(service: Service, call: Call) -> Reply:
    """Answer a call to `/compatible-mode/v1/embeddings`."""
    model = validation.compatible_model(service.config, call.json)
    service.limits.request(model.name)
    return await complete(service, call, call.json, limited=True)


async def complete(service: Service, call: Call, body: dict[str, Any], *, limited: bool) -> Reply:
    """Embed what the body of a request says; lines of a batch come here too, and are not `limited`."""
    model = validation.compatible_model(service.config, body)
    if "input" not in body:
        raise validation.missing("input")
    texts = validation.texts(body["input"], model)
    counts = validation.lengths(texts, model.tokens)
    dimension = validation.dimension(body.get("dimensions"), model)
    form = validation.choice(body, "encoding_format", ("float", "base64"))
    tokens = sum(counts) + model.end_tokens * len(texts)
    if limited:
        service.limits.tokens(model.name, tokens)
        await service.pace(len(texts))

    vectors = await text.embed(service, texts, model, dimension, role="document")
    write = embeddings.encoded if form == "base64" and service.config.base64 else embeddings.numbers
    items = [
        b'{"embedding":%b,"index":%d,"object":"embedding"}' % (write(vector), row) for row, vector in enumerate(vectors)
    ]
    reply = b'{"data":%b,"model":%b,"object":"list"%b,"id":"%b"}' % (
        embeddings.spoilt(items, call),
        as_json(model.name),
        embeddings.usage({"prompt_tokens": tokens, "total_tokens": tokens}, call),
        call.request_id.encode(),
    )
    return Reply(reply, billing=Billing(model.name, [hash(("document", given)) for given in texts], tokens))
