"""The OpenAI-compatible route."""

from __future__ import annotations

from relance_emulator import compatible_reply, validation
from relance_emulator.service import Service
from relance_emulator.wire import Call, Reply

__all__ = ["answer"]


async def answer(service: Service, call: Call) -> Reply:
    """Answer a call to `/compatible-mode/v1/embeddings`."""
    model = validation.compatible_model(service.config, call.json)
    service.limits.request(model.name)
    return await compatible_reply.embed(service.config, service.vectors, call, call.json, service.admit)
