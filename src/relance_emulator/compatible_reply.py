"""What the OpenAI-compatible route answers, to a request and to a line of a batch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from relance_emulator import embeddings, validation
from relance_emulator.config import EmulatorConfig
from relance_emulator.vectors import Vectors
from relance_emulator.wire import Billing, Call, Reply, as_json

__all__ = ["Admit", "embed"]

# Model, tokens and texts of a request.
Admit = Callable[[str, int, int], Awaitable[None]]


async def embed(config: EmulatorConfig, vectors: Vectors, call: Call, body: dict[str, Any],
                admit: Admit | None = None) -> Reply:  # fmt: skip
    """Embed what the body of a request says; `admit` may refuse it, or take its time, before that."""
    model = validation.compatible_model(config, body)
    if "input" not in body:
        raise validation.missing("input")
    texts = validation.texts(body["input"], model)
    counts = validation.lengths(texts, model.tokens)
    dimension = validation.dimension(body.get("dimensions"), model)
    form = validation.choice(body, "encoding_format", ("float", "base64"))
    tokens = sum(counts) + model.end_tokens * len(texts)
    if admit is not None:
        await admit(model.name, tokens, len(texts))

    embedded = await vectors.as_model(model.name, texts, dimension, role="document")
    write = embeddings.encoded if form == "base64" and config.base64 else embeddings.numbers
    items = [
        b'{"embedding":%b,"index":%d,"object":"embedding"}' % (write(vector), row)
        for row, vector in enumerate(embedded)
    ]
    reply = b'{"data":%b,"model":%b,"object":"list"%b,"id":"%b"}' % (
        embeddings.spoilt(items, call),
        as_json(model.name),
        embeddings.usage({"prompt_tokens": tokens, "total_tokens": tokens}, call),
        call.request_id.encode(),
    )
    return Reply(reply, billing=Billing(model.name, [hash(("document", given)) for given in texts], tokens))
