"""Vectors out of a reply by OpenAI's protocol, as the services that speak it send them."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relance.embedding.providers import BadReplyError, Reply

__all__ = ["read_reply"]

_NUMBERS = {float, int, type(None)}


def read_reply(content: bytes, count: int, name: str, advice: str) -> Reply:
    """Read the vectors for so many texts, in their order; what is in them is for the caller to check.

    Args:
        content: of a successful response.
        count: texts that were sent.
        name: model and address, for messages.
        advice: what to do where this is no list of embeddings at all.

    Raises BadReplyError for anything but as many vectors of one length.
    """
    from pydantic_core import from_json

    try:
        answer = from_json(content)
    except ValueError as error:
        page = content.lstrip()[:1] == b"<"
        what = "a web page" if page else "something that is not JSON, or only a part of it," if content else "nothing"
        raise BadReplyError(f"{name} answered with {what} instead of vectors; {advice}.") from error
    items = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadReplyError(f"{name} answered with something that is not a list of embeddings; {advice}.")
    if len(items) != count:
        raise BadReplyError(f"{name} answered with {len(items)} vectors for {count} texts.")
    try:
        vectors = [_vector(item.get("embedding")) for item in items]
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise BadReplyError(f"{name} answered with a vector that is no list of numbers.") from error
    if len({vector.shape for vector in vectors}) > 1:
        raise BadReplyError(f"{name} answered with vectors that are not all of one length.")
    stacked = np.empty((count, len(vectors[0])), dtype=np.float32)
    stacked[_places(items, name)] = vectors
    usage = answer.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    return Reply(stacked, tokens=tokens if isinstance(tokens, int) and 0 <= tokens < 2**53 else None)


def _places(items: list[dict[str, Any]], name: str) -> list[int]:
    """Say which text each item belongs to; where an item has no index, its position counts.

    Gemini leaves the first item's out, for it is 0; some give all the same.
    """
    places = [position if (index := item.get("index")) is None else index for position, item in enumerate(items)]
    if not all(isinstance(place, int) for place in places):
        raise BadReplyError(f"{name} answered with vectors whose index is no number.")
    if sorted(places) != list(range(len(items))):
        if set(places) != {0}:
            raise BadReplyError(f"{name} answered with vectors for other texts than were sent, or twice for one.")
        return list(range(len(items)))
    return places


def _vector(value: Any) -> NDArray[np.float32]:
    """Decode an embedding; a service may send floats although base64 was asked for, and null for what is no number."""
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4").astype(np.float32)
    if not isinstance(value, list) or not set(map(type, value)) <= _NUMBERS:
        raise TypeError("not a list of numbers")
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is found by the caller
        return np.array(value, dtype=np.float64).astype(np.float32)
