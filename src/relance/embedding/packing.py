"""How inputs are put together into requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from relance.documents import Media
from relance.embedding.providers import Input

__all__ = ["load_of", "pack"]


def pack(
    tokens: NDArray[np.int64],
    *,
    max_texts: int,
    max_tokens: int,
    loads: Sequence[Mapping[str, int]] = (),
    most: Mapping[str, int] | None = None,
) -> Iterator[list[int]]:
    """Group positions in order into requests of at most so many inputs and tokens; 0 is no limit.

    An input that is over a limit alone gets a request of its own. Where `loads` says what each input weighs (such as
    one `image` and one of the `pictures`), a request holds at most `most` of each.
    """
    batch: list[int] = []
    total = 0
    held: Counter[str] = Counter()
    for position, count in enumerate(tokens.tolist()):
        load = loads[position] if loads else {}
        over = any(limit and held[name] + load.get(name, 0) > limit for name, limit in (most or {}).items())
        if batch and (over or (max_texts and len(batch) >= max_texts) or (max_tokens and total + count > max_tokens)):
            yield batch
            batch, total = [], 0
            held.clear()
        batch.append(position)
        held.update(load)
        total += count
    if batch:
        yield batch


def load_of(value: Input) -> dict[str, int]:
    """Say what an input weighs in a request: one of its kind, so many pictures, and so many bytes."""
    if not isinstance(value, Media):
        return {}
    pictures = 0 if value.kind == "video" else max(1, len(value.urls) + len(value.data) + len(value.files))
    return {value.kind: 1, "pictures": pictures, "bytes": value.size}
