"""The list of embeddings in a reply, and what a scripted fault does to it."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

from relance_emulator.wire import Call, as_json

__all__ = ["encoded", "numbers", "spoilt", "usage"]


def numbers(vector: NDArray[np.float32]) -> bytes:
    """Write a vector as JSON numbers that are exactly its float32 values, as the service's are."""
    return as_json(vector.tolist())


def encoded(vector: NDArray[np.float32]) -> bytes:
    """Write a vector as a JSON string: little-endian float32 in base64."""
    return b'"' + base64.b64encode(vector.astype("<f4", copy=False).tobytes()) + b'"'


def spoilt(items: list[bytes], call: Call) -> bytes:
    """Join the items of a reply to a list, out of order or with one missing if that has been scripted."""
    action = call.fault.action if call.fault else ""
    if action == "shuffled":
        items.reverse()
    elif action == "missing_item":
        items = items[:-1]
    return b"[" + b",".join(items) + b"]"


def usage(figures: dict[str, object], call: Call) -> bytes:
    """Write the bill with a comma before it, or nothing if it has been scripted to be missing."""
    if call.fault and call.fault.action == "missing_usage":
        return b""
    return b',"usage":' + as_json(figures)
